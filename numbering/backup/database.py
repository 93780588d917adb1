"""A copy of the database as it was at one moment, taken while the node writes; and the way back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, inspect, make_url

from numbering.backup.files import sync
from numbering.jobs.store import connect

SQLITE, POSTGRESQL = "numbering.db", "numbering.pgdump"
"""What the copy is called, by the kind of database."""


class BackupError(RuntimeError):
    """It cannot be done; the message says why and what to do."""


def dump(url: str, folder: Path) -> Path:
    """Copy the database to ``folder``; the file appears whole or not at all."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    target = folder / (SQLITE if sqlite else POSTGRESQL)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    if sqlite:
        _dump_sqlite(Path(str(parsed.database)), part)
    else:
        _postgres("pg_dump", parsed, "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
    sync(part)
    part.replace(target)
    sync(folder)
    return target


def load(url: str, copy: Path) -> None:
    """Fill the database from a copy of its kind; `BackupError` when it holds tables already."""
    parsed = make_url(url)
    engine = connect(url)
    try:
        if inspect(engine).get_table_names():
            raise BackupError(f"{parsed!r} holds tables: restore into an empty database, so that nothing is lost")
    finally:
        engine.dispose()
    if copy.name == SQLITE:
        database = Path(str(parsed.database))
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(copy, database)
        sync(database)
    else:
        _postgres(
            "pg_restore", parsed, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", copy
        )


def _dump_sqlite(database: Path, target: Path) -> None:
    if not database.exists():
        raise BackupError(f"{database} is not there: is NUMBERING_DATA the folder of the node?")
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def _postgres(program: str, url: URL, *arguments: object) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where other users cannot read it."""
    if shutil.which(program) is None:
        raise BackupError(f"{program} is missing: apt-get install postgresql-client (not older than the server)")
    where = url.set(drivername="postgresql", password=None).render_as_string()
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    ran = subprocess.run(
        [program, f"--dbname={where}", *map(str, arguments)],
        env={**os.environ, **secret},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise BackupError(f"{program} ended with {ran.returncode}: {ran.stderr.strip()[-500:]}")
