"""Copy a node's marks, database and files, in this order, while it runs.

::

    DIR/files/…                      the data folder's files; shared by all generations, because they never change
    DIR/<time>/arrivals/*.journal    one generation: marks of arrivals that nobody had taken note of,
    DIR/<time>/numbering.db          the database (numbering.pgdump for PostgreSQL),
    DIR/<time>/backup.json           and what it is of
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from numbering.backup.database import BackupError, dump
from numbering.backup.files import Copier, sync
from numbering.infer import software_version
from numbering.settings import Settings

FILES = "files"
MANIFEST = "backup.json"


@dataclass(frozen=True, kw_only=True)
class Written:
    """A generation, how much was copied anew for it, and how long that took."""

    generation: Path
    files: int
    bytes: int
    seconds: float


def backup(settings: Settings, target: Path, *, keep: int = 7) -> Written:
    """Copy the node of these settings into ``target`` as a new generation; of the older ones the last are kept.

    `BackupError` when the database cannot be copied or the target lies in the data folder; ``OSError`` when the target
    cannot be written. Earlier generations stay as they are until the new one is whole.
    """
    if target.resolve().is_relative_to(settings.data.resolve()):
        raise BackupError(f"{target} lies in the data folder: choose a folder on another disk")
    started, began = time.monotonic(), datetime.now(UTC)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target / ".part"
    shutil.rmtree(part, ignore_errors=True)
    (part / "arrivals").mkdir(parents=True)
    Copier().tree(settings.spool / ".arrivals", part / "arrivals")
    database = dump(settings.sqlalchemy_url, part)
    copier = Copier()
    copier.tree(settings.data, target / FILES)
    _tell(part / MANIFEST, began, database, settings)
    generation = target / began.strftime("%Y%m%dT%H%M%S.%fZ")
    part.rename(generation)
    sync(target)
    for old in generations(target)[: -max(keep, 1)]:
        shutil.rmtree(old)
    return Written(generation=generation, files=copier.copied, bytes=copier.bytes, seconds=time.monotonic() - started)


def generations(target: Path) -> list[Path]:
    """The whole generations of a backup, oldest first."""
    return sorted(manifest.parent for manifest in target.glob(f"[0-9]*Z/{MANIFEST}"))


def _tell(path: Path, began: datetime, database: Path, settings: Settings) -> None:
    kind = make_url(settings.sqlalchemy_url).get_backend_name()
    facts = {"began": began.isoformat(), "software": software_version(), "kind": kind, "database": database.name}
    path.write_text(json.dumps(facts, indent=1) + "\n")
    sync(path)
    sync(path.parent)
