"""What modalities and archives announce, kept durably until the assembler has taken note: instances, series by series.

::

    ROOT/.announced/<time>-….json    an announcement that nobody has taken note of yet
    ROOT/.steps/<uid>.json           a performed procedure step: its studies, its status, its series so far

They lie beside the received files (`numbering.dicom.incoming.spool`), so any number of receivers may write them, and
none of them needs the database.
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

import structlog

from numbering import durable
from numbering.uids import checked_uid

log = structlog.get_logger()

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
        durable.make_folders(root, (self._announced.name, self._steps.name))

    def leave(self, announcement: Announcement) -> None:
        """Keep an announcement; when this returns, it is durable. ``OSError`` when it cannot be kept."""
        temporary = self._write(self._announced, asdict(announcement))
        durable.rename(temporary, temporary.with_suffix(".json"))

    def waiting(self) -> list[tuple[Path, Announcement]]:
        """What was left and not yet `done`, oldest first, each with its marker."""
        markers = sorted(self._announced.glob("*.json"))
        return [(marker, announcement) for marker in markers if (announcement := _read(marker))]

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
        durable.sync_folder(self._steps)
        return True

    def change_step(self, uid: str, step: Step) -> None:
        """Put a step's new state in place of the old one, durably."""
        durable.rename(self._write(self._steps, asdict(step)), self._step(uid))

    def step(self, uid: str) -> Step | None:
        """The step of this UID; None when it is not known."""
        try:
            return Step(**json.loads(self._step(uid).read_bytes()))
        except FileNotFoundError:
            return None

    def forget_old(self, seconds: float) -> int:
        """Remove steps, and what writers that died left half written, unchanged for this long; returns how many."""
        forgotten = 0
        for path in (*self._steps.iterdir(), *self._announced.glob("*.part"), *self._announced.glob("*.unreadable")):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > seconds:
                    path.unlink()
                    forgotten += 1
        return forgotten

    def _step(self, uid: str) -> Path:
        return self._steps / f"{checked_uid(uid, 'SOP Instance UID of the performed procedure step')}.json"

    def _write(self, folder: Path, content: dict[str, object]) -> Path:
        path = folder / f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}.part"
        descriptor = durable.create(path)
        try:
            durable.write(descriptor, json.dumps(content).encode())
            durable.sync(descriptor)
        except BaseException:
            durable.remove(path)
            raise
        finally:
            durable.close(descriptor)
        return path


def _read(marker: Path) -> Announcement | None:
    try:
        return Announcement(**json.loads(marker.read_bytes()))
    except (ValueError, TypeError):  # a failing disk: it may stop neither the other announcements nor the images
        log.error("an announcement cannot be read and is put aside", name=marker.name)
        marker.rename(marker.with_suffix(".unreadable"))
        return None
