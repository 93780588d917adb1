"""Received files on disk: whole or not at all, durable before anyone is told, never overwritten.

::

    ROOT/<study>/<series>/<sop>.dcm        what was received first under this UID
    ROOT/.instances/<xx>/<sop>.dcm         the same file (hard link): one SOP instance UID, one file, in any study
    ROOT/.updates/<sop>/<sha256>.dcm       received again: other demographics or transfer syntax, same picture
    ROOT/.quarantine/<sop>/<sha256>.dcm    received again: another picture under the same UID
    ROOT/.arrivals/<time>-….json           what arrived and was not yet taken note of, in order
    ROOT/.incoming/<pid>-….part            being written

Any number of threads and processes may keep files in one spool; its file system must know hard links.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from pathlib import Path

from numbering.dicom.part10 import split
from numbering.dicom.same import same_picture
from numbering.uids import checked_uid

STALE_SECONDS = 3600.0
"""A temporary file of this age was left by a crash, even if its process number lives again."""


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
    """An object that was kept. ``digest`` is the sha256 of the file that this is about; `done` removes ``marker``."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    digest: str
    kind: Kind
    marker: Path

    @property
    def received(self) -> datetime:
        """When it was kept, UTC."""
        return datetime.fromtimestamp(int(self.marker.name.split("-")[0]) / 1e9, UTC)


class Spool:
    """The folder of received files."""

    _numbers = count()

    def __init__(self, root: Path) -> None:
        """Make the folders, and clear away what writers that died have left half written."""
        self.root = root
        for name in (".incoming", ".arrivals", ".instances", ".updates", ".quarantine"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self._clear_stale_files()

    def keep(self, study: str, series: str, sop: str, data: bytes) -> Kept:
        """Keep a whole file (preamble, meta information, data set); when this returns, it is durable and marked.

        `InvalidUID` before anything is written; ``OSError`` when it cannot be kept, and then nothing is left behind.
        """
        study = checked_uid(study, "Study Instance UID (0020,000D)")
        series = checked_uid(series, "Series Instance UID (0020,000E)")
        sop = checked_uid(sop, "SOP Instance UID (0008,0018)")
        instance = self._instance(sop)
        temporary = self._write_durably(data)
        digest = hashlib.sha256(data).hexdigest()
        try:
            if _link(temporary, instance):
                kept = Kept.STORED
            else:
                kept, digest = _compare(instance.read_bytes(), data, digest)
            # After a crash between the two links the first is there and the second is not: made good here.
            if kept in (Kept.STORED, Kept.ALREADY_STORED, Kept.UPDATED):
                _link(instance, self.root / study / series / f"{sop}.dcm")
            if kept is Kept.UPDATED:
                _link(temporary, self.root / ".updates" / sop / f"{digest}.dcm")
            elif kept is Kept.CONFLICT:
                _link(temporary, self.root / ".quarantine" / sop / f"{digest}.dcm")
        finally:
            temporary.unlink()
        self._mark(study, series, sop, digest, _KIND[kept])
        return kept

    def arrivals(self) -> list[Arrival]:
        """What was kept and not yet `done`, oldest first."""
        return [self._arrival(marker) for marker in sorted((self.root / ".arrivals").glob("*.json"))]

    def done(self, arrival: Arrival) -> None:
        """Forget that this arrived (the file stays)."""
        arrival.marker.unlink(missing_ok=True)

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

    def _instance(self, sop: str) -> Path:
        shard = hashlib.sha256(sop.encode()).hexdigest()[:2]  # so that no folder holds millions of names
        return self.root / ".instances" / shard / f"{sop}.dcm"

    def _write_durably(self, data: bytes) -> Path:
        path = self.root / ".incoming" / f"{os.getpid()}-{time.time_ns():020d}-{next(self._numbers)}.part"
        try:
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _mark(self, study: str, series: str, sop: str, digest: str, kind: Kind) -> None:
        text = json.dumps({"study": study, "series": series, "sop": sop, "digest": digest, "kind": kind})
        temporary = self._write_durably(text.encode())
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}.json"
        try:
            temporary.rename(self.root / ".arrivals" / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(self.root / ".arrivals")

    def _arrival(self, marker: Path) -> Arrival:
        text = json.loads(marker.read_bytes())
        return Arrival(
            study_instance_uid=text["study"],
            series_instance_uid=text["series"],
            sop_instance_uid=text["sop"],
            digest=text["digest"],
            kind=Kind(text["kind"]),
            marker=marker,
        )

    def _clear_stale_files(self) -> None:
        for path in (self.root / ".incoming").glob("*.part"):
            with suppress(FileNotFoundError):  # its writer has just finished
                old = time.time() - path.stat().st_mtime > STALE_SECONDS
                if old or not _alive(int(path.name.split("-")[0])):
                    path.unlink()


def _compare(stored: bytes, data: bytes, digest: str) -> tuple[Kept, str]:
    """How a second object under a known UID relates to the first, and the digest of the file that this is about.

    The file meta information is the receiver's own account (it names the sender), so it is left out.
    """
    if stored == data or split(stored) == split(data):
        return Kept.ALREADY_STORED, hashlib.sha256(stored).hexdigest()
    return (Kept.UPDATED if same_picture(stored, data) else Kept.CONFLICT), digest


def _link(source: Path, target: Path) -> bool:
    """Give the file a second name, durably; False when that name is taken. Exactly one of many callers gets True."""
    _make_folder(target.parent)
    try:
        os.link(source, target)
    except FileExistsError:
        _sync_folder(target.parent)  # whoever made the name may not have come to this yet
        return False
    _sync_folder(target.parent)
    return True


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
