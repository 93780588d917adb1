"""How full the disk is, and from where on retention makes room."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from numbering.settings import Settings

ABOVE = 1.25
"""Clean-up begins at this many times the disk that the receiver needs, and ends at this many times its beginning."""


@dataclass(frozen=True)
class Disk:
    """Bytes."""

    total: int
    free: int


def disk_of(folder: Path) -> Disk:
    """The file system that this folder is on."""
    usage = shutil.disk_usage(folder)
    return Disk(usage.total, usage.free)


@dataclass(frozen=True)
class Marks:
    """Bytes of free disk: clean up below ``begin``, until there are ``enough``."""

    begin: int
    enough: int


def marks(settings: Settings, disk: Disk) -> Marks:
    """Where emergency clean-up begins and ends on this disk; always above the receiver's mark. 0 and 0: never."""
    if not settings.clean_below_percent:
        return Marks(0, 0)
    refused = max(settings.disk_minimum_mib * 2**20, disk.total * settings.disk_minimum_percent / 100)
    begin = max(disk.total * settings.clean_below_percent / 100, refused * ABOVE)
    return Marks(int(begin), int(max(disk.total * settings.clean_to_percent / 100, begin * ABOVE)))
