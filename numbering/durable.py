"""Files that outlast a power cut: the few operations on which the spool rests.

What POSIX promises, and no more, is relied on: bytes of a file last once the *file* was synced, and a name lasts once
its *folder* was synced. A test plays back every operation of this module up to any moment, drops all that was not
synced by then, and looks whether what had been acknowledged is there.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

REMEMBERED_FOLDERS = 4096


def create(path: Path) -> int:
    """A new file to write to, as a descriptor; ``FileExistsError`` when there is one."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o640)


def unnamed(folder: Path) -> int | None:
    """A new file without any name, which is gone when it is closed, unless it was linked; None where there are none."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):  # such as NFS
            return None
        raise


def write(descriptor: int, data: bytes | memoryview) -> None:
    """Append all of these bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync(descriptor: int) -> None:
    """Make a file's bytes durable. Its name is not durable by this."""
    os.fsync(descriptor)


def sync_data(descriptor: int) -> None:
    """As `sync`, but of the file's attributes only its length."""
    os.fdatasync(descriptor)


def shorten(descriptor: int, length: int) -> None:
    """Take back what was written beyond this length."""
    os.ftruncate(descriptor, length)


def close(descriptor: int) -> None:
    """Close the file."""
    os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Give the file another name in the same folder, durably."""
    os.rename(source, target)  # noqa: PTH104 - every operation of this module is one of `os`, as the test records them
    sync_folder(target.parent)


def remove(path: Path) -> None:
    """Take a name away, in no hurry: after a power cut it may be there again."""
    os.unlink(path)  # noqa: PTH108


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(root: Path, names: tuple[str, ...]) -> None:
    """A folder and folders in it, durably; they may be there."""
    new = [folder for folder in root.parents if not folder.exists()]
    for folder in (root, *(root / name for name in names)):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (root, root.parent, *(folder.parent for folder in new)):
        sync_folder(folder)


class Names:
    """Names of files below one folder: first taken, then `settle`d, that is made durable.

    Remembers which folders have a durable name themselves, to sync their parents only once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: OrderedDict[Path, None] = OrderedDict()
        self._lock = Lock()

    def make(self, folder: Path, names: Sequence[str]) -> None:
        """Make many folders in one, with a single sync; they may be there."""
        if folder / names[-1] in self._durable:
            return
        self._make(folder)
        for name in names:
            with suppress(FileExistsError):
                os.mkdir(folder / name, 0o750)  # noqa: PTH102
        sync_folder(folder)
        with self._lock:
            self._durable |= {folder / name: None for name in names}

    def take(self, descriptor: int, target: Path) -> bool:
        """Give an open file a further name; False when it is taken. Exactly one of many callers gets True."""
        self._make(target.parent)
        try:
            return _link(descriptor, target)
        except FileNotFoundError:  # the folder was removed after it had become durable
            self._forget(target.parent)
            self._make(target.parent)
            return _link(descriptor, target)

    def settle(self, *targets: Path) -> None:
        """Make these names durable, also those that somebody else took: who may not have come to this yet."""
        for folder in dict.fromkeys(target.parent for target in targets):
            sync_folder(folder)

    def _make(self, folder: Path) -> None:
        if folder in self._durable or folder == self._root:
            return
        self._make(folder.parent)
        try:
            os.mkdir(folder, 0o750)  # noqa: PTH102
        except FileExistsError:
            pass  # perhaps by another process that has not yet made its name durable
        except FileNotFoundError:
            self._forget(folder.parent)
            self._make(folder.parent)
            os.mkdir(folder, 0o750)  # noqa: PTH102
        sync_folder(folder.parent)
        with self._lock:
            self._durable[folder] = None
            if len(self._durable) > REMEMBERED_FOLDERS:
                self._durable.popitem(last=False)

    def _forget(self, folder: Path) -> None:
        with self._lock:
            while folder != self._root:
                self._durable.pop(folder, None)
                folder = folder.parent


def _link(descriptor: int, target: Path) -> bool:
    try:
        # By its descriptor (linkat(2)), because it may have no name; Python follows links only when a folder is given.
        os.link(f"/proc/self/fd/{descriptor}", target, src_dir_fd=descriptor, follow_symlinks=True)
    except FileExistsError:
        return False
    return True
