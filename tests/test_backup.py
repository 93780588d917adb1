"""A node is copied while it works and put back elsewhere: rows, files and what had just arrived are all there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import create_engine, make_url, select
from typer.testing import CliRunner

from numbering.backup import BackupError, backup, restore, write
from numbering.backup.write import generations
from numbering.cli import app
from numbering.dicom.incoming.spool import Spool
from numbering.jobs import assemble, completion, retention, steps
from numbering.jobs.app import Bell, celery_app
from numbering.jobs.models import InstanceRow, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.overview import overview
from numbering.jobs.store import connect, reading, upgrade, writing
from numbering.pipelines.ap_xray.card import CARD
from numbering.pipelines.loaded import Pipelines
from numbering.settings import Settings
from tests.films import make_film
from tests.postgres import temporary_postgres


@dataclass
class Site:
    """A node in one process, and how to make an empty one like it."""

    node: Node
    folder: Path

    def receive(self, film: Path | None = None) -> str:
        film = film or make_film(self.folder / f"{generate_uid()}.dcm")
        ds = dcmread(film, stop_before_pixels=True)
        self.node.spool.keep(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, film.read_bytes())
        return str(ds.SOPInstanceUID)

    def number_all(self) -> None:
        assemble.take_arrivals(self.node)
        with writing(self.node.engine) as session:
            for series in session.scalars(select(SeriesRow)):
                series.last_arrival -= timedelta(hours=1)
        completion.complete_series(self.node)
        for row in overview(self.node.engine):
            if row.state == "queued":
                steps.number_job(self.node, str(row.job))


def site_of(settings: Settings, folder: Path) -> Site:
    engine = connect(settings.sqlalchemy_url)
    bell = Bell(celery_app(settings))
    return Site(Node(settings, engine, Spool(settings.spool), bell, Pipelines("cpu")), folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def databases(request: pytest.FixtureRequest) -> tuple[str, str]:
    """URLs of the old and the new database; empty: SQLite in the data folder."""
    if request.param == "SQLite":
        return "", ""
    cluster = make_url(request.getfixturevalue("cluster"))
    names = [f"test_{generate_uid().rpartition('.')[2]}" for _ in range(2)]
    engine = create_engine(cluster.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in names:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    old, new = (cluster.set(database=name).render_as_string(hide_password=False) for name in names)
    return old, new


@pytest.fixture
def site(tmp_path: Path, databases: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setitem(CARD.__dict__, "path", "tests.stub_pipeline:Stub")
    settings = Settings(data=tmp_path / "old", database_url=databases[0])
    engine = connect(settings.sqlalchemy_url)
    upgrade(engine)
    engine.dispose()
    site = site_of(settings, tmp_path)
    yield site
    site.node.engine.dispose()


@pytest.fixture
def elsewhere(tmp_path: Path, databases: tuple[str, str]) -> Settings:
    return Settings(data=tmp_path / "new", database_url=databases[1])


def known(node: Node) -> set[str]:
    with reading(node.engine) as session:
        return set(session.scalars(select(InstanceRow.sop_uid)))


def files(data: Path, *folders: str) -> dict[str, bytes]:
    paths = (path for folder in folders for path in (data / folder).rglob("*.dcm"))
    return {str(path.relative_to(data)): path.read_bytes() for path in paths}


def test_rows_and_files_come_back_as_they_were(site: Site, elsewhere: Settings, tmp_path: Path) -> None:
    site.receive()
    site.receive()
    site.number_all()
    (site.node.settings.data / "metrics").mkdir()
    (site.node.settings.data / "metrics" / "counts").write_text("of this machine")
    before = overview(site.node.engine)
    assert [row.state for row in before] == ["encoded", "encoded"]
    backup(site.node.settings, tmp_path / "backup")
    restore(elsewhere, tmp_path / "backup")
    there = site_of(elsewhere, tmp_path)
    assert overview(there.node.engine) == before
    assert files(elsewhere.data, "spool", "objects") == files(site.node.settings.data, "spool", "objects")
    assert len(files(elsewhere.data, "objects")) == 4
    assert not (elsewhere.data / "metrics").exists()
    there.node.engine.dispose()


def test_what_arrives_and_is_noticed_during_the_backup_is_not_lost(
    site: Site, elsewhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, dump, late = site.receive(), write.dump, []

    def dump_and_receive(url: str, folder: Path) -> Path:
        copy = dump(url, folder)
        late.append(site.receive())
        assemble.take_arrivals(site.node)
        return copy

    monkeypatch.setattr(write, "dump", dump_and_receive)
    backup(site.node.settings, tmp_path / "backup")
    assert known(site.node) == {waiting, *late}
    assert site.node.spool.arrivals() == []
    restore(elsewhere, tmp_path / "backup")
    there = site_of(elsewhere, tmp_path)
    assert known(there.node) == set()
    assemble.take_arrivals(there.node)
    assert known(there.node) == {waiting, *late}
    there.number_all()
    assert [row.state for row in overview(there.node.engine)] == ["encoded", "encoded"]
    there.node.engine.dispose()


def test_an_older_generation_still_leads_to_everything_that_was_received(
    site: Site, elsewhere: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    first = site.receive()
    site.number_all()
    assert backup(site.node.settings, target).files >= 3
    second = site.receive()
    site.number_all()
    again = backup(site.node.settings, target)
    assert [path.name for path in generations(target)] == sorted(path.name for path in generations(target))
    assert again.generation == generations(target)[-1]
    restore(elsewhere, target, generations(target)[0].name)
    there = site_of(elsewhere, tmp_path)
    assert known(there.node) == {first}
    assemble.take_arrivals(there.node)
    assert known(there.node) == {first, second}
    there.node.engine.dispose()


def test_what_retention_had_removed_is_removed_again_after_it_was_restored(
    site: Site, elsewhere: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    site.receive()
    site.number_all()
    for path in site.node.settings.spool.rglob("*.dcm"):
        os.utime(path, (1.7e9, 1.7e9))  # long before the backup
    backup(site.node.settings, target)
    assert retention.remove_oldest_study(site.node, before=now() + timedelta(days=1), conflicts_too=True) == 1
    site.receive()
    site.number_all()
    backup(site.node.settings, target)
    kept = files(site.node.settings.data, "spool")
    restore(elsewhere, target)
    there = site_of(elsewhere, tmp_path)
    assemble.take_arrivals(there.node)
    retention.finish(there.node)
    assert files(elsewhere.data, "spool") == kept
    there.node.engine.dispose()


def test_an_object_that_came_anew_in_other_bytes_is_copied_anew(
    site: Site, elsewhere: Settings, tmp_path: Path
) -> None:
    target, film = tmp_path / "backup", make_film(tmp_path / "film.dcm")
    site.receive(film)
    site.number_all()
    backup(site.node.settings, target)
    retention.remove_oldest_study(site.node, before=now() + timedelta(days=1), conflicts_too=True)
    ds = dcmread(film)
    ds.StudyDescription = "corrected"
    ds.save_as(film)
    site.receive(film)
    site.number_all()
    backup(site.node.settings, target)
    restore(elsewhere, target)
    assert files(elsewhere.data, "spool") == files(site.node.settings.data, "spool")


def test_a_second_backup_copies_only_what_is_new(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    engine = connect(settings.sqlalchemy_url)
    upgrade(engine)
    site = site_of(settings, tmp_path)
    site.receive()
    assert backup(settings, tmp_path / "backup").files == 1
    assemble.take_arrivals(site.node)
    assert backup(settings, tmp_path / "backup").files == 0
    one, two = sorted(path for path in (tmp_path / "backup" / "files").rglob("*.dcm"))
    assert one.stat().st_ino == two.stat().st_ino  # under both its names, once
    for _ in range(3):
        backup(settings, tmp_path / "backup", keep=2)
    assert len(generations(tmp_path / "backup")) == 2
    engine.dispose()
    site.node.engine.dispose()


def test_nothing_is_overwritten_and_nothing_half_is_restored(tmp_path: Path) -> None:
    settings, target = Settings(data=tmp_path / "data"), tmp_path / "backup"
    with pytest.raises(BackupError, match="is not there"):
        backup(settings, target)
    with pytest.raises(BackupError, match="no whole backup"):
        restore(settings, target)
    connect(settings.sqlalchemy_url).connect().close()
    with pytest.raises(BackupError, match="lies in the data folder"):
        backup(settings, settings.data / "backup")
    backup(settings, target)
    with pytest.raises(BackupError, match="is not empty"):
        restore(settings, target)
    with pytest.raises(BackupError, match="no generation 'yesterday'"):
        restore(Settings(data=tmp_path / "new"), target, "yesterday")
    with pytest.raises(BackupError, match="holds a sqlite database"):
        restore(Settings(data=tmp_path / "new", database_url="postgresql://nobody@nowhere/"), target)


def test_the_commands_do_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERING_DATA", str(tmp_path / "data"))
    settings = Settings()
    engine = connect(settings.sqlalchemy_url)
    upgrade(engine)
    engine.dispose()
    sop = site_of(settings, tmp_path).receive()
    ran = CliRunner().invoke(app, ["backup", str(tmp_path / "backup")])
    assert (ran.exit_code, "1 new files" in ran.output) == (0, True), ran.output
    assert CliRunner().invoke(app, ["restore", str(tmp_path / "backup")]).exit_code == 1
    (tmp_path / "data").rename(tmp_path / "burnt")
    ran = CliRunner().invoke(app, ["restore", str(tmp_path / "backup")])
    assert (ran.exit_code, "1 late arrivals" in ran.output) == (0, True), ran.output
    assert {arrival.sop_instance_uid for arrival in Spool(settings.spool).arrivals()} == {sop}
