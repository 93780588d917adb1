"""Room on the disk that holds the spool."""

from __future__ import annotations

import shutil

from numbering.settings import Settings


def free_bytes(settings: Settings) -> int:
    """Free on the spool's disk; ``OSError`` when it is not there."""
    return shutil.disk_usage(settings.spool).free


def enough_disk(settings: Settings, more: int = 0) -> bool:
    """Whether so many bytes more leave as much free as the settings demand."""
    disk = shutil.disk_usage(settings.spool)
    demanded = max(settings.disk_minimum_mib * 2**20, disk.total * settings.disk_minimum_percent / 100)
    return disk.free - more >= demanded
