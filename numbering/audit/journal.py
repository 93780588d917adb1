"""The journal: one file a day, one line a record, durable before `append` returns, each line chained to the one before.

::

    DATA/audit/2026-11-21.jsonl      {"n": 7, "chain": "…", "message": "<AuditMessage>…</AuditMessage>"}

``chain`` is an HMAC over the previous line's chain, the number and the message, so that a line which was changed, taken
out or put in is found by `verify`, and nobody without the key can mend the chain. What it cannot show is that the very
last lines were cut off: for that, compare with the copies that went to syslog. Whoever holds the key can write a
new chain.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from numbering.audit.key import key_of
from numbering.durable import sync_folder

LOCK_FILE = ".lock"
LINE_LIMIT = 2**20
"""Bytes of a line; a message is far below (its lists are of SOP classes, not of instances)."""
FIRST = "0" * 64


@dataclass(frozen=True)
class Record:
    """A line of the journal, and whether it follows from the one before."""

    path: Path
    number: int
    message: str
    sound: bool


@dataclass(frozen=True)
class _End:
    """The end of the newest file as this process left it; while its size is the same, nobody else has written."""

    path: Path
    size: int
    number: int
    chain: str


class Journal:
    """The audit folder of a node. Any number of processes and threads may append."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = hmac.digest(key_of(folder), b"chain", "sha256")
        self._turn = threading.Lock()
        self._end: _End | None = None

    def append(self, message: str) -> None:
        """Write one record; when this returns it is on the disk."""
        with self._turn, self._alone():
            path = self._current()
            number, chain = self._last()
            number += 1
            chain = _chained(self._key, chain, number, message)
            text = {"n": number, "chain": chain, "message": message}
            new = not path.exists()
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
                file.write(json.dumps(text, ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
                self._end = _End(path, file.tell(), number, chain)
            if new:
                sync_folder(self.folder)

    def records(self) -> Iterator[Record]:
        """All records, oldest first, each checked against the one before it.

        The first one here is taken as it is where its number says that older files were removed.
        """
        chain, number, begun = FIRST, 0, False
        for path in files(self.folder):
            with path.open("rb") as file:
                for line in file:
                    try:
                        found = json.loads(line)
                        told = int(found["n"]), str(found["chain"]), str(found["message"])
                    except (ValueError, KeyError, TypeError):
                        yield Record(path, number, line.decode(errors="replace").strip(), sound=False)
                        continue
                    follows = told[0] == number + 1 and hmac.compare_digest(
                        told[1], _chained(self._key, chain, told[0], told[2])
                    )
                    sound = follows or (not begun and told[0] > 1)
                    (number, chain, _), begun = told, True
                    yield Record(path, number, told[2], sound)

    def forget(self, days: int) -> int:
        """Remove the files of days more than so many ago, oldest first; returns how many.

        Never the newest: it carries the chain on, so that what is left is checked as before.
        """
        first_kept = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"
        with self._turn, self._alone():
            due = [path for path in files(self.folder)[:-1] if path.stem < first_kept]
            for path in due:
                path.unlink()
            if due:
                sync_folder(self.folder)
        return len(due)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with os.fdopen(os.open(self.folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _current(self) -> Path:
        """Today's file; the newest one where the clock went back, so that the order of the files stays the chain's."""
        today = self.folder / f"{datetime.now(UTC):%Y-%m-%d}.jsonl"
        return max([today, *files(self.folder)[-1:]])

    def _last(self) -> tuple[int, str]:
        """Number and chain of the last whole record. What a power cut left of an unfinished line is cut off."""
        newest, end = files(self.folder), self._end
        if end is not None and newest[-1:] == [end.path] and end.path.stat().st_size == end.size:
            return end.number, end.chain
        for path in reversed(newest):
            line = _last_line(path)
            if line:
                return _told(line)
        return 0, FIRST


def files(folder: Path) -> list[Path]:
    """The files of the journal, oldest first."""
    return sorted(folder.glob("????-??-??.jsonl"))


def _chained(key: bytes, before: str, number: int, message: str) -> str:
    return hmac.digest(key, f"{before}\n{number}\n{message}".encode(), "sha256").hex()


def _told(line: bytes) -> tuple[int, str]:
    """Number and chain of a line; of one that was spoilt those of a new beginning, which `records` shows as a break."""
    try:
        found = json.loads(line)
        return int(found["n"]), str(found["chain"])
    except (ValueError, KeyError, TypeError):
        return 0, FIRST


def _last_line(path: Path) -> bytes:
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - LINE_LIMIT)
        file.seek(start)
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail):
            file.truncate(start + len(whole))
    return whole.rstrip(b"\n").rpartition(b"\n")[2]
