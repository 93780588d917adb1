"""Put a backup back into an empty data folder and an empty database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, make_url, select
from sqlalchemy.orm import Session

from numbering.backup.database import BackupError, load
from numbering.backup.files import Copier
from numbering.backup.write import FILES, MANIFEST, generations
from numbering.dicom.incoming.accept import RefusedError, announced, identified
from numbering.dicom.incoming.spool import Spool
from numbering.jobs.models import InstanceRow, ObjectRow
from numbering.jobs.states import Removal
from numbering.jobs.store import connect, writing
from numbering.settings import Settings

MARGIN = timedelta(minutes=10)
"""A file this much older than the backup is marked too: its mark follows it within seconds, and clocks are adjusted."""


def restore(settings: Settings, source: Path, generation: str = "") -> int:
    """Fill data folder and database from a generation of the backup in ``source`` (by default the last one).

    How many late arrivals were marked again. `BackupError` when there is no such generation, when it is of another
    kind of database, or when something would be overwritten.
    """
    chosen = _chosen(source, generation)
    facts: dict[str, Any] = json.loads((chosen / MANIFEST).read_text())
    kind = make_url(settings.sqlalchemy_url).get_backend_name()
    if facts["kind"] != kind:
        raise BackupError(f"{chosen} holds a {facts['kind']} database, and NUMBERING_DATABASE_URL names {kind}")
    if settings.data.exists() and any(settings.data.iterdir()):
        raise BackupError(f"{settings.data} is not empty: move it away first, so that nothing is lost")
    settings.data.mkdir(parents=True, exist_ok=True)
    load(settings.sqlalchemy_url, chosen / facts["database"])
    copier = Copier()
    copier.tree(source / FILES, settings.data)
    copier.tree(chosen / "arrivals", settings.spool / ".arrivals")
    marked = _mark_again(settings.spool, datetime.fromisoformat(facts["began"]) - MARGIN)
    _have_removed_again(settings)
    return marked


def _chosen(source: Path, generation: str) -> Path:
    whole = {path.name: path for path in generations(source)}
    if not whole:
        raise BackupError(f"{source} holds no whole backup: expected a folder that `numbering backup` wrote")
    if generation and generation not in whole:
        raise BackupError(f"{source} holds no generation {generation!r}, but {', '.join(whole)}")
    return whole[generation or max(whole)]


def _mark_again(root: Path, since: datetime) -> int:
    """Keep once more what came since then: whoever had taken note of it may have done so after the rows were copied."""
    spool, marked = Spool(root), 0
    for folder in (".instances", ".updates", ".quarantine"):
        late = (path for path in (root / folder).glob("*/*.dcm") if path.stat().st_mtime >= since.timestamp())
        for path in sorted(late, key=lambda path: path.stat().st_mtime_ns):
            data = path.read_bytes()
            try:
                found = identified(announced(data))
            except RefusedError as refusal:
                raise BackupError(f"{path} cannot be read ({refusal.comment}): the backup is damaged") from None
            spool.keep(found.study, found.series, found.sop_instance, data)
            marked += 1
    return marked


def _have_removed_again(settings: Settings) -> None:
    """What retention had removed is still in the copied files: mark its rows, so that it is removed here too."""
    spool, engine = Spool(settings.spool), connect(settings.sqlalchemy_url)
    spared = {spool.path(arrival).absolute() for arrival in spool.arrivals()}
    with writing(engine) as session:
        columns = {column["name"] for column in inspect(session.connection()).get_columns(InstanceRow.__tablename__)}
        removed: list[InstanceRow | ObjectRow] = []
        if "removal" in columns:  # a copy of an older version knows no retention
            removed += session.scalars(select(InstanceRow).where(InstanceRow.removal == Removal.DONE))
            removed += session.scalars(select(ObjectRow).where(ObjectRow.removal == Removal.DONE))
        for row in removed:
            path = settings.data.absolute() / row.path
            if path not in spared and path.exists() and not _is_used(session, row):
                row.removal = Removal.MARKED.value
    engine.dispose()


def _is_used(session: Session, row: InstanceRow | ObjectRow) -> bool:
    """Whether another object has come under this name since."""
    same = InstanceRow.sop_uid == row.sop_uid, InstanceRow.path == row.path, InstanceRow.removal.is_(None)
    return session.scalar(select(InstanceRow.sop_uid).where(*same).limit(1)) is not None
