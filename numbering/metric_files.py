"""Files in which the processes of a node count together, so that one of them can tell the sum (`numbering.metrics`).

Each process maps files of its own in ``<data>/metrics`` and holds a lock beside them while it lives; whoever reads adds
the files of the dead to one pair of files and removes them. A lock tells a dead process from a living one across
containers and network file systems too, where process numbers mean nothing.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from numbering.logs import logger

ROOM_BYTES = 2**18
"""Size of each file, on the disk before it is mapped: to write to a mapped file for which the full disk has no block
left is a SIGBUS, and a receiver must outlive a full disk. Bounded labels need a tenth of it."""

ADDED = ("counter", "histogram")
"""Kinds of files whose values outlive their process."""
KINDS = (*ADDED, "gauge_livesum")

log = logger(__name__)


def keep_in(folder: Path) -> None:
    """Count in this folder from now on; where it cannot be written the numbers stay in memory, and the log says so."""
    process = _Process(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        process.register()
    except OSError as error:
        log.warning("metrics are kept in memory: their folder cannot be written", folder=folder, error=error)
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(process)


class _Process:
    """Names this process; a forked child gets a name and files of its own when it first counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid = 0
        self._name = ""
        self._lock = -1

    def __call__(self) -> str:
        if os.getpid() != self._pid:
            try:
                self.register()
            except OSError:
                self._pid = os.getpid()  # a full disk: the child counts in its parent's files
        return self._name

    def register(self) -> None:
        """Make this process's files and take its lock."""
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        with _alone(self._folder):
            descriptor = os.open(self._folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for kind in KINDS:
                _reserve(self._folder / f"{kind}_{name}.db")
        self._pid, self._name, self._lock = os.getpid(), name, descriptor


def _reserve(path: Path) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        os.posix_fallocate(descriptor, 0, ROOM_BYTES)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else makes, adds or reads files of this folder within the block."""
    with (folder / "folder.guard").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


class Collector:
    """All processes' numbers, for a Prometheus registry."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """The sums over living and dead processes."""
        if not self._folder.is_dir():
            return []
        with _alone(self._folder):
            _add_the_dead(self._folder)
            return list(MultiProcessCollector(None, str(self._folder)).collect())


def _add_the_dead(folder: Path) -> None:
    for lock in folder.glob("*.lock"):
        with lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            try:
                for kind in ADDED:
                    _add(folder / f"{kind}_{lock.stem}.db", folder / f"{kind}_dead.db")
            except OSError:
                continue  # no room for the sum: the file stays, and is read as it is
            for kind in KINDS:
                (folder / f"{kind}_{lock.stem}.db").unlink(missing_ok=True)
            lock.unlink()


def _add(dead: Path, total: Path) -> None:
    if not dead.exists():
        return
    if not total.exists():
        _reserve(total)
    told = MmapedDict(str(total))
    for key, value, _, _ in MmapedDict.read_all_values_from_file(str(dead)):
        told.write_value(key, told.read_value(key)[0] + value, 0.0)
    told.close()
