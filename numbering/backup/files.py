"""Copies of the data folder's files: whole or not at all, durable, each content once however many names it has.

A DICOM file never changes, so a second copy into the same place copies only what is new: what is not there, or came
anew after it had been removed. All else is copied each time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

UNCHANGING = ".dcm"
LEFT_OUT = (
    *("associations", "metrics", "redis", "redis.sock", "ready"),
    *("serve.json", "receive-*.json", "work-*.json", "web-*.json", "*.lock", "*.part", "numbering.db*"),
    *("spool/.arrivals", "spool/.incoming"),
)
"""Of no use elsewhere, or copied in another way: relative to the data folder."""


@dataclass
class Copier:
    """Copies trees; ``copied`` and ``bytes`` tell how much was new."""

    copied: int = 0
    bytes: int = 0
    _names: dict[tuple[int, int], Path] = field(default_factory=dict)

    def tree(self, source: Path, target: Path) -> None:
        """Every file below ``source`` that `LEFT_OUT` does not name, to the same place below ``target``."""
        for path in _files(source):
            name = path.relative_to(source)
            self.file(path, target / name, again=path.suffix != UNCHANGING)

    def file(self, source: Path, target: Path, *, again: bool = True) -> None:
        """One file, unless the same is there and not to be copied ``again``; one that is just removed is left out."""
        try:
            status = source.stat()
        except FileNotFoundError:
            return
        identity = (status.st_dev, status.st_ino)
        if not again and _is_copy(target, status):
            self._names.setdefault(identity, target)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        known = self._names.get(identity) if status.st_nlink > 1 else None
        if known is not None:
            target.unlink(missing_ok=True)
            os.link(known, target)
        elif _copy(source, target):
            self._names[identity] = target
            self.copied += 1
            self.bytes += status.st_size


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        relative = here.relative_to(root)
        folders[:] = sorted(name for name in folders if not _left_out(relative / name))
        for name in sorted(names):
            path = here / name
            if not _left_out(relative / name) and path.is_file() and not path.is_symlink():
                yield path


def _is_copy(target: Path, of: os.stat_result) -> bool:
    try:
        found = target.stat()
    except FileNotFoundError:
        return False
    return (found.st_size, int(found.st_mtime)) == (of.st_size, int(of.st_mtime))


def _left_out(name: Path) -> bool:
    return any(fnmatchcase(name.as_posix(), pattern) for pattern in LEFT_OUT)


def _copy(source: Path, target: Path) -> bool:
    """Copy with times and permissions, durably; False when the source is gone."""
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copy2(source, part)
    except FileNotFoundError:
        return False
    sync(part)
    part.replace(target)
    sync(target.parent)
    return True


def sync(path: Path) -> None:
    """Have this file or folder on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
