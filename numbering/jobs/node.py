"""What every room of a node shares: settings, database, spool and bell, and the pipelines that this process loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from numbering.dicom.incoming.spool import Spool
from numbering.jobs.app import Bell, Ringer, celery_app
from numbering.jobs.notices import announce
from numbering.jobs.store import connect
from numbering.pipelines.loaded import Pipelines
from numbering.settings import Settings


@dataclass
class Node:
    """One process's view of the node."""

    settings: Settings
    engine: Engine
    spool: Spool
    bell: Ringer
    pipelines: Pipelines

    @classmethod
    def of(cls, settings: Settings) -> Node:
        """The node that these settings describe; its tables exist (`numbering.jobs.store.upgrade`)."""
        pipelines = Pipelines(settings.device, settings.inference_threads)
        bell = Bell(celery_app(settings))
        engine = connect(settings.sqlalchemy_url)
        announce(engine, settings.webhooks)
        return cls(settings, engine, Spool(settings.spool), bell, pipelines)

    def stored(self, path: Path) -> str:
        """How a row names a file: relative to the data folder, so that the folder may move."""
        data = self.settings.data.absolute()
        path = path.absolute()
        return str(path.relative_to(data) if path.is_relative_to(data) else path)

    def path(self, stored: str) -> Path:
        """The file that a row names."""
        return self.settings.data.absolute() / stored
