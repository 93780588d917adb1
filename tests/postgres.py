"""A PostgreSQL of the tests' own: a fresh cluster on a Unix socket in a folder of its own, as an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL is missing: apt-get install postgresql"
    return Path(on_path).resolve().parent


@contextmanager
def temporary_postgres() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database; everything is removed afterwards."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="numbering-pg-", dir="/tmp"))
    root = os.getuid() == 0  # PostgreSQL refuses to run as root
    if root:
        shutil.chown(folder, "postgres")

    def run(*command: str) -> None:
        prefix = ("runuser", "-u", "postgres", "--") if root else ()
        result = subprocess.run((*prefix, *command), cwd=folder, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr

    data = folder / "data"
    try:
        run(f"{binaries}/initdb", "-D", str(data), "-U", "numbering", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run(f"{binaries}/pg_ctl", "-D", str(data), "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql://numbering@/postgres?host={folder}"
        finally:
            run(f"{binaries}/pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
