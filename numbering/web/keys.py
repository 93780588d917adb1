"""API keys: shown once, kept as salted digests in ``<data>/keys.json``, each allowed some things and no others.

A key holds 256 random bits, so nobody guesses it however fast its digest is computed; a slow digest would only let a
stranger keep this machine busy.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from numbering import durable

PREFIX = "nmb"
LONGEST_NAME = 64
"""Of a person or organisation, as DICOM takes them (PN, LO)."""
_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


class Scope(StrEnum):
    """What a key may do."""

    STORE = "store"
    """Send objects (STOW-RS)."""
    READ = "read"
    """Read jobs, destinations, models, metrics."""
    CHECK = "check"
    """Check levels against plans, and read checks with their key images."""
    CORRECT = "correct"
    """Say what a structure really is, take that back, and read corrections."""
    OPERATE = "operate"
    """Restart what failed."""


class NoSuchName(ValueError):
    """The name of a key is wrong, taken, or unknown."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key as it is kept: without its secret.

    ``person`` and ``organisation`` are whose it is, where it is one person's: what they correct with it is verified.
    """

    id: str
    name: str
    may: tuple[str, ...]
    salt: str
    digest: str
    created_at: str
    person: str = ""
    organisation: str = ""


_NOBODY = Key(id="", name="", may=(), salt="00" * 16, digest="00" * 32, created_at="")


class Keys:
    """The keys of a node. Reads the file again when it has changed, so that a revoked key ends at once."""

    def __init__(self, data: Path) -> None:
        self._file = data / "keys.json"
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Every key, oldest first."""
        self._read_again()
        return list(self._keys.values())

    def who(self, presented: str) -> Key | None:
        """Whose key this is; an unknown one takes as long as a known one."""
        self._read_again()
        shape = _KEY.fullmatch(presented)
        key = self._keys.get(shape[1], _NOBODY) if shape else _NOBODY
        secret = shape[2] if shape else ""
        right = hmac.compare_digest(_digest(secret, key.salt), key.digest)
        return key if right and key is not _NOBODY else None

    def add(self, name: str, may: Iterable[Scope], *, person: str = "", organisation: str = "") -> str:
        """Make a key of this name and return it, for the only time; `NoSuchName` when the name is wrong or taken.

        ``person`` (as DICOM writes names: Family^Given) and ``organisation`` go together; ``ValueError`` else.
        """
        _check_person(person, organisation)
        if not _NAME.fullmatch(name):
            raise NoSuchName(f"{name!r} cannot name a key: expected at most 32 letters, digits, dots and dashes")
        identifier, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_hex(16)
        key = Key(
            id=identifier,
            name=name,
            may=tuple(sorted({scope.value for scope in may})),
            salt=salt,
            digest=_digest(secret, salt),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            person=person,
            organisation=organisation,
        )
        with self._alone():
            if any(each.name == name for each in self.all()):
                raise NoSuchName(f"there is a key called {name}: revoke it first, or choose another name")
            self._write([*self.all(), key])
        return f"{PREFIX}_{identifier}_{secret}"

    def revoke(self, name: str) -> None:
        """Forget the key of this name; `NoSuchName` when there is none."""
        with self._alone():
            left = [key for key in self.all() if key.name != name]
            if len(left) == len(self._keys):
                raise NoSuchName(f"there is no key called {name}")
            self._write(left)

    def _read_again(self) -> None:
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, {}
            return
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen != self._seen:
            rows = json.loads(self._file.read_bytes())["keys"]
            self._keys = {row["id"]: Key(**{**row, "may": tuple(row["may"])}) for row in rows}
            self._seen = seen

    def _write(self, keys: list[Key]) -> None:
        part = self._file.with_suffix(".part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"keys": [asdict(key) for key in keys]}, file, indent=1)
            file.flush()
            os.fsync(descriptor)
        durable.rename(part, self._file)  # a power cut brings no revoked key back

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _check_person(person: str, organisation: str) -> None:
    if bool(person) != bool(organisation):
        raise ValueError("a person needs the organisation that answers for them, and an organisation its person")
    for text in (person, organisation):
        if len(text) > LONGEST_NAME or not text.isprintable() or "\\" in text:
            raise ValueError(f"expected at most {LONGEST_NAME} printable characters without backslash")


def _digest(secret: str, salt: str) -> str:
    return hashlib.blake2b(secret.encode(), salt=bytes.fromhex(salt), digest_size=32).hexdigest()
