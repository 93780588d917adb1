"""What arrived and was not yet taken note of: one file for each process that writes, to which one line is appended.

::

    FOLDER/<time>-<pid>-<n>.journal     lines: state, checksum, JSON

A line is durable when `Journal.append` returns; appends of several threads at once share one sync. The first byte of a
line tells whether it is pending (``.``) or done (``x``) and is overwritten in place; that need not be durable, since
whoever reads may see a line twice. A writer holds a lock on its file while it lives. A file of which every line is done
and which nobody holds is removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Condition

from numbering import durable

FULL_BYTES = 2**20
"""A journal of this length is closed and another begun, so that it can be removed some day."""

PENDING, DONE = b".", b"x"


@dataclass(frozen=True)
class Line:
    """One line: where it stands, and what it says."""

    journal: Path
    position: int
    text: Mapping[str, str | int]


@dataclass
class _File:
    """A journal that is open, and how much of it is durable."""

    descriptor: int
    length: int = 0
    synced: int = 0
    failed: bool = False
    torn: bool = False
    """Half a line may stand at its end, which could not be taken back."""

    def takes(self, more: int) -> bool:
        """Whether so many bytes may be appended."""
        return not self.torn and self.length + more <= FULL_BYTES

    def give_up(self) -> None:
        """After a failed sync nothing is known of what the file holds (fsync(2)): take back all that waits."""
        self.failed = True
        with suppress(OSError):
            durable.shorten(self.descriptor, self.synced)
        durable.close(self.descriptor)


class Journal:
    """The file to which this process appends; any number of threads may."""

    _numbers = count()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: _File | None = None
        self._syncing = False
        self._turn = Condition()

    def append(self, text: Mapping[str, str | int]) -> None:
        """Append a line; when this returns it is durable. ``OSError`` when it is not: then it is taken back."""
        line = encoded(text)
        with self._turn:
            while self._syncing and self._file and not self._file.takes(len(line)):
                self._turn.wait()
            file = self._open(len(line))
            try:
                durable.write(file.descriptor, line)
            except OSError:
                file.torn = True  # then no line follows: it would join the half one
                with suppress(OSError):
                    durable.shorten(file.descriptor, file.length)
                    file.torn = False
                raise
            file.length += len(line)
            end = file.length
        self._wait_until_durable(file, end)

    def _wait_until_durable(self, file: _File, end: int) -> None:
        """Of the threads that wait, one syncs for all."""
        with self._turn:
            while self._syncing and file.synced < end:
                self._turn.wait()
            if file.synced >= end:
                return
            if file.failed:
                raise OSError("the journal was given up after a failed sync")
            self._syncing, length = True, file.length
        try:
            durable.sync_data(file.descriptor)
        except OSError:
            with self._turn:
                file.give_up()
                self._file, self._syncing = None, False
                self._turn.notify_all()
            raise
        with self._turn:
            file.synced, self._syncing = length, False
            self._turn.notify_all()

    def _open(self, more: int) -> _File:
        if self._file is not None and self._file.takes(more):
            return self._file
        if self._file is not None:
            try:
                durable.sync_data(self._file.descriptor)  # for those who have not come to it yet
            except OSError:
                self._file.give_up()
                self._file = None
                raise
            self._file.synced = self._file.length
            durable.close(self._file.descriptor)
            self._file = None
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}"
        part = self._folder / f"{os.getpid()}-{name}.part"
        descriptor = durable.create(part)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # before it has its name: whoever reads removes files without a lock
            durable.rename(part, self._folder / f"{name}.journal")
        except BaseException:
            durable.close(descriptor)
            raise
        self._file = _File(descriptor)
        return self._file


class Reader:
    """Reads the journals of all processes. Remembers how far each is done, so that asking again costs little."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done: dict[Path, int] = {}

    def pending(self) -> list[Line]:
        """The lines that are not done, journal by journal."""
        journals = sorted(self._folder.glob("*.journal"))
        self._done = {path: self._done.get(path, 0) for path in journals}
        return [line for path in journals for line in self._pending(path)]

    def _pending(self, path: Path) -> Iterator[Line]:
        try:
            with path.open("rb") as file:
                file.seek(self._done[path])
                rest = file.read()
        except FileNotFoundError:
            return
        position, leading = self._done[path], True
        for line in rest.splitlines(keepends=True):
            text = decoded(line)
            if text is not None and line[:1] == PENDING:
                leading = False
                yield Line(path, position, text)
            position += len(line)
            if leading and line[-1:] == b"\n":
                self._done[path] = position
        if leading:
            remove_if_left(path, position)

    def done(self, line: Line) -> None:
        """Mark a line as done; again does no harm."""
        with suppress(FileNotFoundError):
            descriptor = os.open(line.journal, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(descriptor, DONE, line.position)
            finally:
                os.close(descriptor)


def encoded(text: Mapping[str, str | int]) -> bytes:
    """A pending line. Its checksum tells a line that a power cut left half written."""
    body = json.dumps(text, separators=(",", ":")).encode()
    return b"%b%08x %b\n" % (PENDING, zlib.crc32(body), body)


def decoded(line: bytes) -> Mapping[str, str | int] | None:
    """What a line says; None when it is not whole."""
    body = line[10:-1]
    if line[-1:] != b"\n" or line[1:9] != b"%08x" % zlib.crc32(body):
        return None
    text: Mapping[str, str | int] = json.loads(body)
    return text


def remove_if_left(path: Path, length: int) -> None:
    """Remove a journal of this length, all done, if its writer has closed it or died and wrote no more until then."""
    with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_size == length:
            path.unlink()
