"""What modalities and archives announce, kept durably until the assembler has taken note: instances, series by series.

::

    ROOT/.announced/<time>-….json    an announcement that nobody has taken note of yet
    ROOT/.steps/<uid>.json           a performed procedure step: its studies, its status, its series so far

They lie beside the received files (`numbering.dicom.spool`), so any number of receivers may write them, and none of
them needs the database.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from numbering.uids import checked_uid

Instances = Mapping[str, Sequence[str]]
"""SOP Instance UIDs by Series Instance UID."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """Instances of a study that exist somewhere, told by an object of UID ``by``, whose next word replaces this one.

    ``source`` is ``mpps`` (a modality that has ended a step) or ``ian`` (an archive that holds them).
    """

    study: str
    instances: Instances
    source: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """A performed procedure step as told so far (PS3.4 F.7)."""

    studies: Sequence[str]
    status: str
    instances: Instances


class Announcements:
    """The folder of announcements and of steps in progress."""

    _numbers = count()

    def __init__(self, root: Path) -> None:
        self._announced, self._steps = root / ".announced", root / ".steps"
        for folder in (self._announced, self._steps):
            folder.mkdir(parents=True, exist_ok=True)

    def leave(self, announcement: Announcement) -> None:
        """Keep an announcement; when this returns, it is durable. ``OSError`` when it cannot be kept."""
        temporary = self._write(self._announced, asdict(announcement))
        temporary.rename(temporary.with_suffix(".json"))
        _sync(self._announced)

    def waiting(self) -> list[tuple[Path, Announcement]]:
        """What was left and not yet `done`, oldest first, each with its marker."""
        markers = sorted(self._announced.glob("*.json"))
        return [(marker, Announcement(**json.loads(marker.read_bytes()))) for marker in markers]

    def done(self, marker: Path) -> None:
        """Forget an announcement."""
        marker.unlink(missing_ok=True)

    def begin_step(self, uid: str, step: Step) -> bool:
        """Keep a new step durably; False when there is one of this UID already."""
        temporary = self._write(self._steps, asdict(step))
        try:
            os.link(temporary, self._step(uid))
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        _sync(self._steps)
        return True

    def change_step(self, uid: str, step: Step) -> None:
        """Put a step's new state in place of the old one, durably."""
        self._write(self._steps, asdict(step)).rename(self._step(uid))
        _sync(self._steps)

    def step(self, uid: str) -> Step | None:
        """The step of this UID; None when it is not known."""
        try:
            return Step(**json.loads(self._step(uid).read_bytes()))
        except FileNotFoundError:
            return None

    def forget_old(self, seconds: float) -> int:
        """Remove steps, and what writers that died left half written, unchanged for this long; returns how many."""
        forgotten = 0
        for path in (*self._steps.iterdir(), *self._announced.glob("*.part")):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > seconds:
                    path.unlink()
                    forgotten += 1
        return forgotten

    def _step(self, uid: str) -> Path:
        return self._steps / f"{checked_uid(uid, 'SOP Instance UID of the performed procedure step')}.json"

    def _write(self, folder: Path, content: dict[str, object]) -> Path:
        path = folder / f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}.part"
        try:
            with path.open("x") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
