"""The trail's secret: 32 random bytes in a file of the audit folder, made at the first start, for the owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

KEY_FILE = "key"
KEY_BYTES = 32


def key_of(folder: Path) -> bytes:
    """The key of this audit folder. Of processes that start at once, exactly one makes it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path}: found {len(key)} bytes, expected {KEY_BYTES}; restore it from the backup")
    return key


def _make(path: Path) -> None:
    temporary = path.with_name(f".key-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # another process was first, and its key holds
    finally:
        temporary.unlink()
