"""From arrivals to jobs and results, in one process: real files, real headers, real objects, a stub for the network."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from numbering.dicom.incoming.spool import Kept
from numbering.errors import ReasonCode, TryAgainLater
from numbering.jobs import assemble, completion, parts, steps, sweeper
from numbering.jobs.claims import claim_job
from numbering.jobs.models import Delivery, InstanceRow, Job, now
from numbering.jobs.overview import waiting
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from numbering.pipelines.loaded import Pipelines
from numbering.result import Status
from tests import stub_pipeline
from tests.films import make_ct, uneven
from tests.house import House, running_house
from tests.postgres import temporary_postgres


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch, database_url) as running:
        yield running


def runs(house: House) -> int:
    path = house.folder / "runs.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_series_waits_for_its_quiet_time_and_then_is_queued(house: House) -> None:
    house.receive(house.film())
    assert assemble.take_arrivals(house.node) == 1
    assert house.node.spool.arrivals() == []
    assert completion.complete_series(house.node) == 0
    assert house.only().state == State.RECEIVED
    house.age_series()
    assert completion.complete_series(house.node) == 1
    row = house.only()
    assert (row.state, row.pipeline, row.view, row.modality, row.revision) == ("queued", "ap-xray", "AP", "DX", 1)
    assert waiting(house.rows())


def test_a_queued_film_is_numbered_and_its_objects_lie_in_the_data_folder(house: House) -> None:
    film = house.film()
    house.receive(film)
    house.assemble()
    house.work()
    row = house.only()
    assert (row.state, row.status, row.reason) == (State.ENCODED, Status.NUMBERED, None)
    assert [kind for kind, _, _ in row.objects] == ["SR", "PR"]
    source = dcmread(film, stop_before_pixels=True)
    for kind, uid, path in row.objects:
        ds = dcmread(house.node.path(path))
        assert (ds.Modality, ds.SOPInstanceUID, ds.StudyInstanceUID) == (kind, uid, source.StudyInstanceUID)
    assert row.result is not None
    assert row.result.sources[0].sop_instance_uid == source.SOPInstanceUID
    assert not waiting(house.rows())


def test_the_same_film_again_changes_nothing(house: House) -> None:
    film = house.film()
    house.receive(film)
    house.assemble()
    house.work()
    before = house.rows(superseded=True)
    assert house.receive(film) is Kept.ALREADY_STORED
    house.assemble()
    house.work()
    assert house.rows(superseded=True) == before
    assert runs(house) == 1


def test_a_late_film_reopens_the_series_and_supersedes_its_result(house: House) -> None:
    uids = {"study_uid": generate_uid(), "series_uid": generate_uid()}
    house.receive(house.film(**uids))
    house.assemble()
    house.work()
    first = house.only()
    house.receive(house.film(**uids))
    assemble.take_arrivals(house.node)
    assert {row.state for row in house.rows()} == {State.ENCODED, State.RECEIVED}
    house.assemble()
    house.work()
    second = house.only()
    assert second.revision == 2
    assert second.result is not None
    assert second.result.predecessor_sr_uid == first.objects[0][1]
    assert len(second.result.sources) == 2
    assert not {uid for _, uid, _ in first.objects} & {uid for _, uid, _ in second.objects}
    old = next(row for row in house.rows(superseded=True) if row.job == first.job)
    assert old.state == State.SUPERSEDED
    with reading(house.node.engine) as session:
        assert session.get_one(Job, first.job).superseded_by == second.job


class TestOnPostgreSQL:
    """The same life where rows are locked one by one."""

    @pytest.fixture
    def database_url(self) -> Iterator[str]:
        with temporary_postgres() as url:
            yield url

    def test_a_film_is_numbered_reopened_and_swept(self, house: House) -> None:
        assert house.node.engine.dialect.name == "postgresql"
        test_a_late_film_reopens_the_series_and_supersedes_its_result(house)
        house.receive(house.film())
        house.assemble()
        *_, row = house.rows()
        sweeper.sweep(house.node)
        assert house.bell.rung == [("ap-xray", row.job)]
        assert claim_job(house.node.engine, row.job or "", State.QUEUED, 60) is not None
        expire_leases(house)
        sweeper.sweep(house.node)
        assert house.bell.rung == [("ap-xray", row.job)] * 2
        house.work()
        assert house.rows()[-1].state == State.ENCODED


def test_a_film_that_comes_while_its_series_is_being_numbered_makes_that_worker_too_late(house: House) -> None:
    uids = {"study_uid": generate_uid(), "series_uid": generate_uid()}
    house.receive(house.film(**uids))
    house.assemble()
    first = house.only()
    claim = claim_job(house.node.engine, first.job or "", State.QUEUED, 60)
    assert claim is not None
    house.receive(house.film(**uids))
    house.assemble()
    steps._attempt(house.node, claim, lambda: steps._infer_and_store(house.node, claim), "numbering")
    rows = {row.revision: row for row in house.rows(superseded=True)}
    assert (rows[1].state, rows[1].result) == (State.SUPERSEDED, None)
    assert rows[2].state == State.QUEUED
    house.work()
    result = house.only().result
    assert result is not None
    assert (result.revision, result.predecessor_sr_uid) == (2, None)


def test_one_series_uid_in_two_studies_is_two_series(house: House) -> None:
    series_uid = generate_uid()
    for _ in range(2):
        house.receive(house.film(series_uid=series_uid))
    house.assemble()
    house.work()
    rows = house.rows()
    assert len({row.study_instance_uid for row in rows}) == 2
    assert [len(row.result.sources) for row in rows if row.result] == [1, 1]


def test_a_ct_is_listed_as_unsuitable_with_its_reason(house: House) -> None:
    house.receive(make_ct(house.folder / "ct.dcm"))
    house.assemble()
    row = house.only()
    assert (row.state, row.status) == (State.UNSUITABLE, Status.UNSUITABLE)
    assert row.reason is not None
    assert row.reason.code is ReasonCode.NO_PIPELINE_INSTALLED


def test_a_film_of_unknown_view_is_held_and_then_given_up(house: House) -> None:
    film = house.film(view_position=None, patient_orientation=None, series_description=None)
    house.receive(film)
    house.assemble()
    assert house.only().state == State.HELD
    sweeper.sweep(house.node)
    assert house.only().state == State.HELD
    with writing(house.node.engine) as session:
        session.scalars(select(Job)).one().created_at -= timedelta(days=2)
    sweeper.sweep(house.node)
    row = house.only()
    assert (row.state, row.status) == (State.UNSUITABLE, Status.UNSUITABLE)
    assert row.reason is not None
    assert row.reason.code is ReasonCode.VIEW_UNKNOWN
    assert "86400 s" in row.reason.text


def test_an_object_whose_header_cannot_be_read_is_listed_and_stops_nobody(house: House) -> None:
    sop = generate_uid()
    house.node.spool.keep(generate_uid(), generate_uid(), sop, b"\0" * 128 + b"DICM" + b"\xff" * 64)
    house.receive(house.film())
    house.assemble()
    house.work()
    bad, good = house.rows()
    assert (bad.state, good.state) == (State.QUARANTINED, State.ENCODED)
    assert bad.reason is not None
    assert bad.reason.code is ReasonCode.UNREADABLE_HEADER
    assert sop in bad.reason.text
    assert house.node.spool.arrivals() == []


def test_our_own_results_coming_back_are_recorded_and_never_numbered(house: House) -> None:
    house.receive(house.film())
    house.assemble()
    house.work()
    row = house.only()
    for _, _, path in row.objects:
        house.receive(house.node.path(path))
    house.assemble()
    assert house.rows() == [row]
    with reading(house.node.engine) as session:
        kinds = sorted(session.scalars(select(InstanceRow.kind)))
    assert kinds == ["image", "own", "own"]


def test_another_picture_under_a_known_uid_is_listed_and_changes_no_result(house: House) -> None:
    uids = {name: generate_uid() for name in ("study_uid", "series_uid", "sop_uid")}
    house.receive(house.film(**uids))
    house.assemble()
    house.work()
    before = house.only()
    other = house.film(**uids, pixels=uneven()[::-1].copy())
    for _ in range(2):
        assert house.receive(other) is Kept.CONFLICT
        house.assemble()
    first, conflict = house.rows()
    assert first == before
    assert (conflict.state, conflict.status) == (State.QUARANTINED, Status.UNSUITABLE)
    assert conflict.reason is not None
    assert conflict.reason.code is ReasonCode.CONFLICTING_OBJECT
    assert uids["sop_uid"] in conflict.reason.text
    with reading(house.node.engine) as session:
        assert sorted(session.scalars(select(InstanceRow.kind))) == ["conflict", "image"]


def test_a_fault_of_the_pipeline_is_retried_and_then_failed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("SECRET^NAME")

    monkeypatch.setattr(stub_pipeline.Stub, "number", broken)
    house.receive(house.film())
    house.assemble()
    for _ in range(2):
        house.work()
        clear_back_off(house)
    row = house.only()
    assert (row.state, row.status) == (State.FAILED, Status.FAILED)
    assert row.reason is not None
    assert row.reason.code is ReasonCode.INTERNAL_ERROR
    assert "KeyError" in row.reason.text
    assert "SECRET" not in row.reason.text


def clear_back_off(house: House) -> None:
    with writing(house.node.engine) as session:
        for job in session.scalars(select(Job)):
            job.not_before = None


def test_weights_that_are_missing_for_a_while_only_delay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise TryAgainLater(ReasonCode.MODEL_UNAVAILABLE, "weights ap-xray: not there yet")

    with monkeypatch.context() as patch:
        patch.setattr(Pipelines, "named", missing)
        house.receive(house.film())
        house.assemble()
        house.work()
    row = house.only()
    assert row.state == State.QUEUED
    assert row.reason is not None
    assert row.reason.code is ReasonCode.MODEL_UNAVAILABLE
    house.work()
    assert house.only().state == State.QUEUED  # its back-off is not over
    clear_back_off(house)
    house.work()
    row = house.only()
    assert (row.state, row.reason) == (State.ENCODED, None)


def test_truncated_pixels_are_quarantined_without_another_attempt(house: House) -> None:
    film = house.film()
    whole = film.read_bytes()
    film.write_bytes(whole[:-5000])
    house.receive(film)
    house.assemble()
    house.work()
    row = house.only()
    assert (row.state, row.status) == (State.QUARANTINED, Status.FAILED)
    assert row.reason is not None
    assert row.reason.code is ReasonCode.PIXELS_NOT_DECODABLE
    assert house.bell.rung == []


def test_a_stored_result_is_never_inferred_again_and_encodes_to_the_same_objects(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.receive(house.film())
    house.assemble()
    killed = KeyboardInterrupt()

    def kill(*_: object, **__: object) -> None:
        raise killed

    with monkeypatch.context() as patch:
        patch.setattr(steps, "encode", kill)
        with pytest.raises(KeyboardInterrupt):
            house.work()
    row = house.only()
    assert (row.state, row.status) == (State.ENCODING, Status.NUMBERED)
    stored = row.result
    expire_leases(house)
    sweeper.sweep(house.node)
    assert house.bell.rung == [("encode", row.job)]
    steps.encode_job(house.node, row.job or "")
    after = house.only()
    assert (after.state, after.result) == (State.ENCODED, stored)
    assert runs(house) == 1


def test_killed_between_writing_and_recording_the_objects_are_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.receive(house.film())
    house.assemble()

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(steps, "deliveries_of", kill)
        with pytest.raises(KeyboardInterrupt):
            house.work()
    written = {path: path.read_bytes() for path in house.node.settings.objects.rglob("*.dcm")}
    assert len(written) == 2
    assert house.only().objects == ()
    expire_leases(house)
    sweeper.sweep(house.node)
    steps.encode_job(house.node, house.only().job or "")
    assert {path: path.read_bytes() for path in house.node.settings.objects.rglob("*.dcm")} == written
    assert len(house.only().objects) == 2


def expire_leases(house: House) -> None:
    with writing(house.node.engine) as session:
        for model in (Job, Delivery):
            for row in session.scalars(select(model).where(model.lease_until.is_not(None))):
                row.lease_until = now() - timedelta(seconds=1)


def test_the_sweeper_rings_once_and_again_only_when_the_message_must_be_lost(house: House) -> None:
    house.receive(house.film())
    house.assemble()
    job = house.only().job
    for _ in range(3):
        sweeper.sweep(house.node)
    assert house.bell.rung == [("ap-xray", job)]
    age_rings(house, sweeper.UNHEARD_SECONDS)
    house.bell.empty = False  # somebody is busy, the message waits
    sweeper.sweep(house.node)
    assert len(house.bell.rung) == 1
    house.bell.empty = True  # the message is gone, and nobody came
    sweeper.sweep(house.node)
    assert len(house.bell.rung) == 2
    age_rings(house, sweeper.RING_AGAIN_SECONDS)
    house.bell.empty = False
    sweeper.sweep(house.node)
    assert len(house.bell.rung) == 3


def test_a_long_outage_of_the_workers_does_not_fill_the_broker(house: House) -> None:
    house.receive(house.film())
    house.assemble()
    house.bell.empty = False  # nobody takes a message
    sweeper.sweep(house.node)
    for _ in range(300):
        age_everything(house, 120.0)
        sweeper.sweep(house.node)
    assert len(house.bell.rung) <= 20


def age_everything(house: House, seconds: float) -> None:
    with writing(house.node.engine) as session:
        for job in session.scalars(select(Job)):
            job.created_at -= timedelta(seconds=seconds)
            job.rung_at = job.rung_at and job.rung_at - timedelta(seconds=seconds)


def test_a_long_queue_keeps_no_other_from_being_rung_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 2)
    house.bell.empty = False
    for _ in range(3):
        house.receive(house.film())
    house.assemble()
    sweeper.sweep(house.node)
    sweeper.sweep(house.node)
    assert len({job for _, job in house.bell.rung}) == 3


def age_rings(house: House, seconds: float) -> None:
    with writing(house.node.engine) as session:
        for job in session.scalars(select(Job)):
            job.rung_at = now() - timedelta(seconds=seconds)


def test_rows_wait_while_the_broker_is_down(house: House) -> None:
    house.receive(house.film())
    house.receive(house.film())
    house.assemble()
    house.bell.broken = True
    sweeper.sweep(house.node)
    sweeper.sweep(house.node)
    assert len(house.bell.rung) == 2  # one knock at each sweep, not one for each row
    house.bell.broken = False
    sweeper.sweep(house.node)
    assert len(house.bell.rung) == 4
    assert {row.state for row in house.rows()} == {State.QUEUED}


def test_a_job_of_a_dead_worker_is_taken_back_at_once(house: House) -> None:
    house.receive(house.film())
    house.assemble()
    job_id = house.only().job or ""
    assert claim_job(house.node.engine, job_id, State.QUEUED, 3600) is not None
    sweeper.take_back(house.node)
    assert house.only().state == State.RUNNING
    with writing(house.node.engine) as session:
        job = session.get_one(Job, job_id)
        job.worker = f"{(job.worker or '').rpartition('/')[0]}/{2**22 + 1}"
    sweeper.take_back(house.node)
    assert house.only().state == State.QUEUED


def test_a_job_that_kills_all_its_workers_ends_as_a_dead_letter(house: House) -> None:
    house.receive(house.film())
    house.assemble()
    job_id = house.only().job or ""
    for _ in range(2):
        assert claim_job(house.node.engine, job_id, State.QUEUED, 60) is not None
        expire_leases(house)
        sweeper.take_back(house.node)
    row = house.only()
    assert (row.state, row.status) == (State.FAILED, Status.FAILED)
    assert row.reason is not None
    assert row.reason.code is ReasonCode.ATTEMPTS_EXHAUSTED


def test_a_series_that_breaks_routing_is_listed_as_failed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("SECRET^NAME")

    monkeypatch.setattr(parts, "route", broken)
    house.receive(house.film())
    house.assemble()
    row = house.only()
    assert (row.state, row.status) == (State.QUARANTINED, Status.FAILED)
    assert row.reason is not None
    assert row.reason.text.startswith(f"series {row.series_instance_uid}: ZeroDivisionError")


def test_rows_name_files_relative_to_the_data_folder(house: House) -> None:
    house.receive(house.film())
    house.assemble()
    house.work()
    assert all(not Path(path).is_absolute() for _, _, path in house.only().objects)
