"""A node in one process with hands on all its parts: real files, headers and objects, a stub for the network."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from numbering.dicom.incoming.announced import Announcement, Announcements
from numbering.dicom.incoming.spool import Kept, Spool
from numbering.jobs import assemble, completion, models, steps
from numbering.jobs.models import SeriesRow
from numbering.jobs.node import Node
from numbering.jobs.overview import Row, overview
from numbering.jobs.states import State
from numbering.jobs.store import connect, upgrade, writing
from numbering.pipelines.ap_xray.card import CARD
from numbering.pipelines.loaded import Pipelines
from numbering.settings import Settings
from tests import stub_pipeline
from tests.films import make_film


@dataclass
class Listener:
    """A bell that writes down what was rung; ``broken`` is a broker that is out of reach."""

    rung: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False
    empty: bool = True

    def number(self, job_id: str, queue: str) -> bool:
        return self._ring(queue, job_id)

    def encode(self, job_id: str) -> bool:
        return self._ring("encode", job_id)

    def deliver(self, which: str) -> bool:
        return self._ring("deliver", which)

    def silent(self, queue: str) -> bool:
        return self.empty and not self.broken

    def _ring(self, queue: str, row: str) -> bool:
        self.rung.append((queue, row))
        return not self.broken


@dataclass
class House:
    """A node in one process with hands on all its parts."""

    node: Node
    bell: Listener
    folder: Path

    def receive(self, path: Path) -> Kept:
        ds = dcmread(path, stop_before_pixels=True)
        return self.node.spool.keep(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, path.read_bytes())

    def film(self, **options: object) -> Path:
        return make_film(self.folder / f"{generate_uid()}.dcm", **options)  # type: ignore[arg-type]

    def announce(
        self, study: str, instances: Mapping[str, Sequence[str]], source: str = "mpps", by: str = "1.9"
    ) -> None:
        announcement = Announcement(study=study, instances=instances, source=source, by=by)
        Announcements(self.node.spool.root).leave(announcement)

    def take(self) -> None:
        """Note what came, and make the jobs that are due now."""
        assemble.take_arrivals(self.node)
        assemble.take_announcements(self.node)
        completion.complete_series(self.node)

    def assemble(self) -> None:
        """Note what came, and let the quiet time pass."""
        assemble.take_arrivals(self.node)
        assemble.take_announcements(self.node)
        self.age_series()
        completion.complete_series(self.node)

    def age_series(self, seconds: float = 60) -> None:
        """Let the quiet time pass."""
        with writing(self.node.engine) as session:
            for series in session.scalars(select(SeriesRow)):
                series.last_arrival -= timedelta(seconds=seconds)

    def set(self, **changed: object) -> None:
        """Change settings."""
        self.node.settings = self.node.settings.model_copy(update=changed)

    def work(self) -> None:
        for row in overview(self.node.engine):
            if row.state == State.QUEUED:
                steps.number_job(self.node, row.job or "")

    def rows(self, **options: bool) -> list[Row]:
        return overview(self.node.engine, **options)

    def only(self) -> Row:
        (row,) = self.rows()
        return row


@cache
def _tables() -> Path:
    """A SQLite file with empty tables, made once: migrating takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="numbering-tables-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder)
    engine = connect(f"sqlite:///{folder / 'numbering.db'}")
    upgrade(engine)
    engine.dispose()
    return folder / "numbering.db"


@contextmanager
def running_house(folder: Path, patch: pytest.MonkeyPatch, database_url: str = "") -> Iterator[House]:
    """A house with its data in this folder, on SQLite or the database of this URL."""
    patch.setitem(CARD.__dict__, "path", "tests.stub_pipeline:Stub")
    patch.setenv(stub_pipeline.RUNS, str(folder / "runs.txt"))
    settings = Settings(data=folder / "data", database_url=database_url, quiet_seconds=10, max_attempts=2)
    engine = connect(settings.sqlalchemy_url)
    if database_url:
        upgrade(engine)
    else:
        shutil.copy(_tables(), settings.data / "numbering.db")
    bell = Listener()
    yield House(Node(settings, engine, Spool(settings.spool), bell, Pipelines("cpu")), bell, folder)
    engine.dispose()


class Clock:
    """The wall clock that rows are dated by, set forward or back by so much."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        clock = self

        class Shifted(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = UTC) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + clock.ahead

        patch.setattr(models, "datetime", Shifted)

    def jump(self, hours: float) -> None:
        """Set it by so many hours."""
        self.ahead += timedelta(hours=hours)
