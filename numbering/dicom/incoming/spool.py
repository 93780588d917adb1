"""Received files on disk: whole or not at all, durable before anyone is told, never overwritten.

::

    ROOT/<study>/<series>/<sop>.dcm        what was received first under this UID
    ROOT/.instances/<xx>/<sop>.dcm         the same file (hard link): one SOP instance UID, one file, in any study
    ROOT/.updates/<sop>/<sha256>.dcm       received again: other demographics or transfer syntax, same picture
    ROOT/.quarantine/<sop>/<sha256>.dcm    received again: another picture under the same UID
    ROOT/.arrivals/<time>-….journal        what arrived and was not yet taken note of (see `journal`)
    ROOT/.incoming/<pid>-….part            being written

The sender is told once all of this is durable: the file's bytes (fsync of the file, before it gets any name, so that
no name ever shows half a file); its line in the journal (fdatasync, shared by all threads that wait for one); its names
(fsync of each folder that got one; a new folder's own name before that). A power cut in between leaves some of these,
of an object that nobody was promised: a line without its file is passed over, and a name without the other is made good
when the object is sent again. The line is written after the names and synced before them, because a file system with a
journal then makes all of them durable at once.

Any number of threads and processes may keep files in one spool; its file system must know hard links and locks.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from io import BufferedReader
from itertools import count
from pathlib import Path
from types import TracebackType

from numbering import durable
from numbering.dicom.incoming.journal import Journal, Line, Reader
from numbering.dicom.part10 import split
from numbering.dicom.same import same_picture
from numbering.logs import logger
from numbering.uids import checked_uid

log = logger(__name__)

STALE_SECONDS = 3600.0
"""A temporary file of this age was left by a crash, even if its process number lives again."""
SHARDS = tuple(f"{number:02x}" for number in range(256))
"""So that no folder holds millions of names."""
COMPARED_BYTES = 2**29
"""Up to this size an object that comes again in other bytes is compared in memory; a larger one is quarantined."""


class Kept(StrEnum):
    """What became of a received object."""

    STORED = "stored"
    ALREADY_STORED = "already stored"
    UPDATED = "update"
    CONFLICT = "conflict"


class Kind(StrEnum):
    """What an arrival means to those who assemble series."""

    STORED = "stored"
    UPDATE = "update"
    CONFLICT = "conflict"


_KIND = {
    Kept.STORED: Kind.STORED,
    Kept.ALREADY_STORED: Kind.STORED,
    Kept.UPDATED: Kind.UPDATE,
    Kept.CONFLICT: Kind.CONFLICT,
}


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An object that was kept at ``received`` (UTC). ``digest`` is the sha256 of the file that this is about."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    digest: str
    kind: Kind
    received: datetime
    line: Line


class Draft:
    """A file that is being written, under no name that anybody knows. To be closed whatever happens (``with``)."""

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._named: Path | None = None
        descriptor = durable.unnamed(folder)
        if descriptor is None:
            self._named = folder / f"{os.getpid()}-{time.time_ns():020d}-{next(_NUMBERS)}.part"
            descriptor = durable.create(self._named)
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # while it is written; process numbers mean nothing elsewhere
        self.descriptor = descriptor

    def write(self, data: bytes | memoryview) -> None:
        """Append these bytes; ``OSError`` when the disk fails or is full."""
        durable.write(self.descriptor, data)
        self._sha256.update(data)
        self.size += len(data)

    def read(self, size: int, position: int = 0) -> bytes:
        """What was written there."""
        return os.pread(self.descriptor, size, position)

    @property
    def digest(self) -> str:
        """The sha256 of what was written."""
        return self._sha256.hexdigest()

    def sync(self) -> None:
        """Make the bytes durable."""
        durable.sync(self.descriptor)

    def close(self) -> None:
        """Forget the draft; the names that it was given stay."""
        if self.descriptor >= 0:
            durable.close(self.descriptor)
            if self._named is not None:
                durable.remove(self._named)
        self.descriptor = -1

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


_NUMBERS = count()


class Spool:
    """The folder of received files."""

    def __init__(self, root: Path) -> None:
        """Make the folders, and clear away what writers that died have left half written."""
        self.root = root
        durable.make_folders(root, (".incoming", ".arrivals", ".instances", ".updates", ".quarantine"))
        self._names = durable.Names(root)
        self._journal = Journal(root / ".arrivals")
        self._reader = Reader(root / ".arrivals")
        self._clear_stale_files()

    def keep(self, study: str, series: str, sop: str, data: bytes) -> Kept:
        """Keep a whole file (preamble, meta information, data set); when this returns, it is durable and marked.

        `InvalidUID` before anything is written; ``OSError`` when it cannot be kept, and then nothing is left behind.
        """
        for uid in (study, series, sop):
            checked_uid(uid, "UID")
        with self.draft() as draft:
            draft.write(data)
            return self.keep_draft(study, series, sop, draft)

    def draft(self) -> Draft:
        """A file to write to, piece by piece, and then to hand to `keep_draft`."""
        return Draft(self.root / ".incoming")

    def keep_draft(self, study: str, series: str, sop: str, draft: Draft) -> Kept:
        """As `keep`, for a file that was written piece by piece."""
        study = checked_uid(study, "Study Instance UID (0020,000D)")
        series = checked_uid(series, "Series Instance UID (0020,000E)")
        sop = checked_uid(sop, "SOP Instance UID (0008,0018)")
        draft.sync()
        kept, digest, names = self._named(self.root / study / series / f"{sop}.dcm", draft)
        self._journal.append(
            {
                "time": time.time_ns(),
                "study": study,
                "series": series,
                "sop": sop,
                "digest": digest,
                "kind": _KIND[kept].value,
            }
        )
        self._names.settle(*names)
        return kept

    def _named(self, place: Path, draft: Draft) -> tuple[Kept, str, list[Path]]:
        """Give the file its names: what became of it, the digest of the file that this is about, and the names."""
        instance = self._instance(place.stem)
        self._names.make(self.root / ".instances", SHARDS)  # all at once: one by one each would cost a sync
        if self._names.take(draft.descriptor, instance):
            if self._names.take(draft.descriptor, place) or _same_file(place, draft):  # given by one who came second
                return Kept.STORED, draft.digest, [instance, place]
            self._mend(place, instance)
        with instance.open("rb") as first:
            kept, digest = _compare(first, draft)
            names = [instance]
            if kept is not Kept.CONFLICT:
                self._names.take(first.fileno(), place)  # a power cut may have left the one name without the other
                names.append(place)
        if kept in (Kept.UPDATED, Kept.CONFLICT):
            folder = ".updates" if kept is Kept.UPDATED else ".quarantine"
            names.append(self.root / folder / place.stem / f"{digest}.dcm")
            self._names.take(draft.descriptor, names[-1])
        return kept, digest, names

    def _mend(self, place: Path, instance: Path) -> None:
        """Of an object's two names a power cut had left only the one in its series: it is the first under its UID."""
        part = instance.with_suffix(f".{os.getpid()}-{next(_NUMBERS)}.part")
        with place.open("rb") as first:
            self._names.take(first.fileno(), part)
        durable.rename(part, instance)

    def arrivals(self) -> list[Arrival]:
        """What was kept and not yet `done`, oldest first."""
        found = [_arrival(line) for line in self._reader.pending()]
        for arrival in found:
            if not self.path(arrival).exists():  # nobody was told of it: the power went before its names were durable
                log.warning("an arrival has no file", sop_instance_uid=arrival.sop_instance_uid)
                self.done(arrival)
        there = [arrival for arrival in found if self.path(arrival).exists()]
        return sorted(there, key=lambda arrival: int(arrival.line.text["time"]))

    def path(self, arrival: Arrival) -> Path:
        """The file that an arrival is about."""
        match arrival.kind:
            case Kind.STORED:
                series = self.root / arrival.study_instance_uid / arrival.series_instance_uid
                return series / f"{arrival.sop_instance_uid}.dcm"
            case Kind.UPDATE:
                return self.root / ".updates" / arrival.sop_instance_uid / f"{arrival.digest}.dcm"
            case Kind.CONFLICT:
                return self.root / ".quarantine" / arrival.sop_instance_uid / f"{arrival.digest}.dcm"

    def done(self, arrival: Arrival) -> None:
        """Forget that this arrived (the file stays)."""
        self._reader.done(arrival.line)

    def files(self, study: str, series: str) -> list[Path]:
        """The files of a series, ordered by name; none when nothing of it was received."""
        folder = self.root / checked_uid(study, "Study Instance UID") / checked_uid(series, "Series Instance UID")
        return sorted(folder.glob("*.dcm"))

    def updates(self, sop: str) -> list[Path]:
        """Later versions of this instance with other demographics or transfer syntax, oldest first."""
        folder = self.root / ".updates" / checked_uid(sop, "SOP Instance UID")
        return sorted(folder.glob("*.dcm"), key=lambda path: path.stat().st_mtime_ns)

    def quarantined(self, sop: str) -> list[Path]:
        """Objects that came under this instance's UID with another picture, oldest first."""
        folder = self.root / ".quarantine" / checked_uid(sop, "SOP Instance UID")
        return sorted(folder.glob("*.dcm"), key=lambda path: path.stat().st_mtime_ns)

    def remove(self, path: Path) -> int:
        """Take a received file away with all its names; returns how many bytes that was. Again does no harm.

        Should its UID be received anew in the meantime, what is received stays. ``ValueError`` for a file elsewhere.
        """
        place = path.absolute().relative_to(self.root.absolute())
        size = path.stat().st_size if path.exists() else 0
        first = not place.parts[0].startswith(".")
        instance = self._instance(place.stem)
        names = (instance, path) if first else (path,)
        for name in names:
            with suppress(FileNotFoundError):
                durable.remove(name)
        if first and instance.exists():  # received between the two: it found this path taken
            with instance.open("rb") as file:
                self._names.take(file.fileno(), path)
            self._names.settle(path)
        with suppress(OSError):  # they hold other files
            for folder in path.parents[: 2 if first else 1]:
                folder.rmdir()
        return size

    def _instance(self, sop: str) -> Path:
        shard = hashlib.sha256(sop.encode()).hexdigest()[:2]
        return self.root / ".instances" / shard / f"{sop}.dcm"

    def _clear_stale_files(self) -> None:
        for path in (*(self.root / ".incoming").glob("*.part"), *(self.root / ".arrivals").glob("*.part")):
            with suppress(FileNotFoundError):  # its writer has just finished
                old = time.time() - path.stat().st_mtime > STALE_SECONDS
                if (old or not _alive(int(path.name.split("-")[0]))) and not _held(path):
                    path.unlink()


def _arrival(line: Line) -> Arrival:
    text = line.text
    return Arrival(
        study_instance_uid=str(text["study"]),
        series_instance_uid=str(text["series"]),
        sop_instance_uid=str(text["sop"]),
        digest=str(text["digest"]),
        kind=Kind(str(text["kind"])),
        received=datetime.fromtimestamp(int(text["time"]) / 1e9, UTC),
        line=line,
    )


def _same_file(path: Path, draft: Draft) -> bool:
    return os.path.samestat(path.stat(), os.fstat(draft.descriptor))


def _compare(first: BufferedReader, draft: Draft) -> tuple[Kept, str]:
    """How a second object under a known UID relates to the first, and the digest of the file that this is about.

    The file meta information is the receiver's own account (it names the sender), so it is left out.
    """
    if max(draft.size, os.fstat(first.fileno()).st_size) > COMPARED_BYTES:
        same = hashlib.file_digest(first, "sha256").hexdigest() == draft.digest
        return (Kept.ALREADY_STORED if same else Kept.CONFLICT), draft.digest
    stored, data = first.read(), draft.read(draft.size)
    if stored == data or split(stored) == split(data):
        return Kept.ALREADY_STORED, hashlib.sha256(stored).hexdigest()
    return (Kept.UPDATED if same_picture(stored, data) else Kept.CONFLICT), draft.digest


def _held(path: Path) -> bool:
    """Whether somebody writes to it, perhaps in another container or on another machine."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
