"""Received files on disk: whole or not at all, durable before anyone is told, never overwritten.

::

    ROOT/<study>/<series>/<sop>.dcm        what was received first under this UID
    ROOT/.instances/<xx>/<sop>.dcm         the same file (hard link): one SOP instance UID, one file, in any study
    ROOT/.updates/<sop>/<sha256>.dcm       received again: other demographics or transfer syntax, same picture
    ROOT/.quarantine/<sop>/<sha256>.dcm    received again: another picture under the same UID
    ROOT/.arrivals/<time>-….journal        what arrived and was not yet taken note of (`numbering.dicom.journal`)
    ROOT/.incoming/<pid>-….part            being written

In this order, each step durable before the next: the file's bytes (fsync of the file); its names (fsync of each folder
that gets one, and of the folder above where it is new); its line in the journal (fdatasync, shared by all threads that
wait for one). Only then is the sender told. So a power cut between two of them leaves either nothing, or a file that
nobody was promised; sent again, it is found to be there, and what is missing is made good.

Any number of threads and processes may keep files in one spool; its file system must know hard links and locks.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from pathlib import Path
from types import TracebackType

from numbering.dicom import durable
from numbering.dicom.journal import Journal, Line, Reader
from numbering.dicom.part10 import split
from numbering.dicom.same import same_picture
from numbering.uids import checked_uid

STALE_SECONDS = 3600.0
"""A temporary file of this age was left by a crash, even if its process number lives again."""
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

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._descriptor = durable.create(path)

    def write(self, data: bytes | memoryview) -> None:
        """Append these bytes; ``OSError`` when the disk fails or is full."""
        durable.write(self._descriptor, data)
        self._sha256.update(data)
        self.size += len(data)

    @property
    def digest(self) -> str:
        """The sha256 of what was written."""
        return self._sha256.hexdigest()

    def sync(self) -> None:
        """Make the bytes durable."""
        durable.sync(self._descriptor)

    def close(self) -> None:
        """Forget the draft; the names that it was given stay."""
        if self._descriptor >= 0:
            durable.close(self._descriptor)
            durable.remove(self.path)
        self._descriptor = -1

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Spool:
    """The folder of received files."""

    _numbers = count()

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
        name = f"{os.getpid()}-{time.time_ns():020d}-{next(self._numbers)}.part"
        return Draft(self.root / ".incoming" / name)

    def keep_draft(self, study: str, series: str, sop: str, draft: Draft) -> Kept:
        """As `keep`, for a file that was written piece by piece."""
        study = checked_uid(study, "Study Instance UID (0020,000D)")
        series = checked_uid(series, "Series Instance UID (0020,000E)")
        sop = checked_uid(sop, "SOP Instance UID (0008,0018)")
        instance = self._instance(sop)
        draft.sync()
        digest = draft.digest
        if self._names.link(draft.path, instance):
            kept = Kept.STORED
        else:
            kept, digest = _compare(instance, draft)
        # After a crash between the two links the first is there and the second is not: made good here.
        if kept in (Kept.STORED, Kept.ALREADY_STORED, Kept.UPDATED):
            self._names.link(instance, self.root / study / series / f"{sop}.dcm")
        if kept is Kept.UPDATED:
            self._names.link(draft.path, self.root / ".updates" / sop / f"{digest}.dcm")
        elif kept is Kept.CONFLICT:
            self._names.link(draft.path, self.root / ".quarantine" / sop / f"{digest}.dcm")
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
        return kept

    def arrivals(self) -> list[Arrival]:
        """What was kept and not yet `done`, oldest first."""
        return sorted(
            (_arrival(line) for line in self._reader.pending()), key=lambda arrival: int(arrival.line.text["time"])
        )

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
            self._names.link(instance, path)
        with suppress(OSError):  # they hold other files
            for folder in path.parents[: 2 if first else 1]:
                folder.rmdir()
        return size

    def _instance(self, sop: str) -> Path:
        shard = hashlib.sha256(sop.encode()).hexdigest()[:2]  # so that no folder holds millions of names
        return self.root / ".instances" / shard / f"{sop}.dcm"

    def _clear_stale_files(self) -> None:
        for path in (*(self.root / ".incoming").glob("*.part"), *(self.root / ".arrivals").glob("*.part")):
            with suppress(FileNotFoundError):  # its writer has just finished
                old = time.time() - path.stat().st_mtime > STALE_SECONDS
                if old or not _alive(int(path.name.split("-")[0])):
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


def _compare(instance: Path, draft: Draft) -> tuple[Kept, str]:
    """How a second object under a known UID relates to the first, and the digest of the file that this is about.

    The file meta information is the receiver's own account (it names the sender), so it is left out.
    """
    if max(draft.size, instance.stat().st_size) > COMPARED_BYTES:
        first = _digest(instance)
        return (Kept.ALREADY_STORED if first == draft.digest else Kept.CONFLICT), draft.digest
    stored, data = instance.read_bytes(), draft.path.read_bytes()
    if stored == data or split(stored) == split(data):
        return Kept.ALREADY_STORED, hashlib.sha256(stored).hexdigest()
    return (Kept.UPDATED if same_picture(stored, data) else Kept.CONFLICT), draft.digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
