"""Databases of the tests' own, each with all tables: SQLite in a folder, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from numbering.jobs.store import connect, upgrade
from tests.postgres import temporary_postgres

BOTH = ("sqlite", "postgresql")


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Engine]:
    """An empty one of this kind."""
    if kind == "sqlite":
        with _filled(f"sqlite:///{folder / 'numbering.db'}") as engine:
            yield engine
    else:
        with temporary_postgres() as url, _filled(url) as engine:
            yield engine


@contextmanager
def _filled(url: str) -> Iterator[Engine]:
    engine = connect(url)
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()
