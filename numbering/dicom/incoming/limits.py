"""What one sender may use up: associations, objects a second, disk. Counted over all acceptors of a data folder.

The counts lie in small files beside the spool: a lock on a slot's file is an open association, so one that is killed
gives its slot back at once; and the pace of each address is a number in a file that all acceptors map.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import shutil
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from numbering.dicom.incoming.access import Refusal
from numbering.neighbourhood import neighbourhood

ADDRESSES = 1024
"""Places for the pace of addresses. Two addresses that fall on one place share their pace."""
BURST_SECONDS = 1.0
"""A sender that was slower than allowed may catch up by so much."""
_PLACE = struct.Struct("d")


@dataclass
class Slot:
    """One open association; to be released at its end."""

    file: IO[bytes] | None

    def release(self) -> None:
        """Give it back; again does no harm."""
        if self.file is not None:
            self.file.close()
        self.file = None


class Slots:
    """Slots for associations, for all processes that use this folder (on one machine)."""

    def __init__(self, folder: Path, maximum: int, maximum_per_peer: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._maximum = maximum
        self._maximum_per_peer = maximum_per_peer

    def take(self, peer: str) -> Slot | Refusal:
        """A slot for this peer's address, or why there is none."""
        key = _key(peer)
        with (self._folder / "all").open("ab") as everything:
            fcntl.flock(everything, fcntl.LOCK_EX)
            free: IO[bytes] | None = None
            same = 0
            for number in range(self._maximum):
                file = (self._folder / f"{number:03d}").open("a+b")
                if not _lock(file):
                    file.seek(0)
                    same += file.read() == key
                    file.close()
                elif free is None:
                    free = file
                else:
                    file.close()
            if free is None:
                return Refusal.TOO_MANY
            if same >= self._maximum_per_peer:
                free.close()
                return Refusal.TOO_MANY_OF_PEER
            free.truncate(0)
            free.write(key)
            free.flush()
            return Slot(free)


def _key(peer: str) -> bytes:
    return hashlib.sha256(neighbourhood(peer).encode()).digest()


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Pace:
    """How many objects each address may send in a second; the sender is not refused but read more slowly."""

    def __init__(self, file: Path, objects_per_second: float) -> None:
        self._interval = 1.0 / objects_per_second if objects_per_second else 0.0
        self._lock = threading.Lock()
        if self._interval:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("a+b")
            os.truncate(self._file.fileno(), ADDRESSES * _PLACE.size)
            self._map = mmap.mmap(self._file.fileno(), ADDRESSES * _PLACE.size)

    def wait_seconds(self, peer: str) -> float:
        """Count one object of this address; how long to wait before its next one is read."""
        if not self._interval:
            return 0.0
        place = int.from_bytes(_key(peer)[:4], "big") % ADDRESSES * _PLACE.size
        now = time.monotonic()  # one clock for all processes of a machine; it begins anew with it
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                (due,) = _PLACE.unpack_from(self._map, place)
                if due - now > 60 + 100 * self._interval:  # written before the machine was started again
                    due = 0.0
                due = max(due, now - BURST_SECONDS) + self._interval
                _PLACE.pack_into(self._map, place, due)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return max(0.0, due - now)


@dataclass(frozen=True)
class Watermark:
    """How much of the disk stays free."""

    folder: Path
    minimum_bytes: int
    minimum_percent: float

    def reached(self) -> bool:
        """Whether less is free than should be: nothing more is to be written."""
        disk = shutil.disk_usage(self.folder)
        return disk.free < max(self.minimum_bytes, disk.total * self.minimum_percent / 100)
