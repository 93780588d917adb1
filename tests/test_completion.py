"""When a series is complete: quiet time, expected counts, missing instances, and a clock that jumps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select
from sqlalchemy.orm import Session

from numbering.dicom.incoming.spool import Kept
from numbering.errors import ReasonCode
from numbering.jobs import clock, completion, sweeper
from numbering.jobs.claims import claim_job, worker_name
from numbering.jobs.models import AnnouncedInstance, InstanceRow, Job, now
from numbering.jobs.overview import Row, waiting
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from numbering.result import Status
from numbering.settings import Settings
from tests.films import make_ct
from tests.house import Clock, House, running_house
from tests.postgres import temporary_postgres

STUDY, SERIES = "1.2.3", "1.2.3.4"
LATER_THAN_INCOMPLETE = 1000


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch, database_url) as running:
        yield running


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def film(house: House, number: int, **elements: object) -> Path:
    return house.film(study_uid=STUDY, series_uid=SERIES, sop_uid=f"{SERIES}.{number}", **elements)


def films(*numbers: int) -> dict[str, list[str]]:
    return {SERIES: [f"{SERIES}.{number}" for number in numbers]}


def job_row(house: House) -> Row:
    (row,) = [row for row in house.rows() if row.job]
    return row


def test_a_series_whose_expected_instances_are_all_here_does_not_wait(house: House) -> None:
    house.receive(film(house, 1, NumberOfSeriesRelatedInstances=2))
    house.take()
    assert house.only().state == State.RECEIVED
    house.receive(film(house, 2, NumberOfSeriesRelatedInstances=2))
    house.take()
    row = house.only()
    assert (row.state, row.found, row.expected) == (State.QUEUED, 2, 2)


def test_settle_seconds_are_waited_all_the_same(house: House) -> None:
    house.set(settle_seconds=5)
    house.receive(film(house, 1, NumberOfSeriesRelatedInstances=1))
    house.take()
    assert house.only().state == State.RECEIVED
    house.age_series(6)
    house.take()
    assert house.only().state == State.QUEUED


def test_a_series_that_lacks_instances_is_held_and_says_so(house: House) -> None:
    house.receive(film(house, 1, NumberOfSeriesRelatedInstances=3))
    house.assemble()
    row = house.only()
    assert (row.job, row.state, row.status, row.found, row.expected) == (None, State.HELD, Status.HELD, 1, 3)
    assert row.reason is not None
    assert row.reason.code is ReasonCode.SERIES_INCOMPLETE
    assert f"series {SERIES}: found 1 of 3 instances" in row.reason.text
    assert not waiting([row])
    house.take()
    assert house.only().state == State.HELD


def test_the_last_missing_instance_ends_the_wait_at_once(house: House) -> None:
    for number in (1, 2):
        house.receive(film(house, number, NumberOfSeriesRelatedInstances=3))
    house.assemble()
    assert house.only().state == State.HELD
    house.receive(film(house, 3))
    house.take()
    house.work()
    row = house.only()
    assert (row.state, row.revision, row.found, row.expected) == (State.ENCODED, 1, 3, 3)
    assert row.result is not None
    assert row.result.findings.quality == ()


def test_an_incomplete_series_goes_on_after_its_time_and_the_report_says_so(house: House) -> None:
    for number in (1, 2):
        house.receive(film(house, number, NumberOfSeriesRelatedInstances=3))
    house.assemble()
    house.age_series(LATER_THAN_INCOMPLETE)
    house.take()
    house.work()
    row = house.only()
    assert (row.state, row.found, row.expected) == (State.ENCODED, 2, 3)
    assert row.result is not None
    assert row.result.findings.quality == ("series incomplete: 2 of 3",)
    (report,) = [house.node.path(path) for kind, _, path in row.objects if kind == "SR"]
    assert b"series incomplete: 2 of 3" in report.read_bytes()
    house.receive(film(house, 3))
    house.assemble()
    house.work()
    row = house.only()
    assert row.result is not None
    assert (row.revision, row.result.findings.quality, len(row.result.sources)) == (2, (), 3)


def test_by_policy_an_incomplete_series_is_unsuitable_until_the_rest_comes(house: House) -> None:
    house.set(incomplete_policy="hold")
    house.receive(film(house, 1, NumberOfSeriesRelatedInstances=2))
    house.assemble()
    house.age_series(LATER_THAN_INCOMPLETE)
    house.take()
    row = house.only()
    assert (row.state, row.status) == (State.UNSUITABLE, Status.UNSUITABLE)
    assert row.reason is not None
    assert row.reason.code is ReasonCode.SERIES_INCOMPLETE
    assert "found 1 of 2" in row.reason.text
    house.receive(film(house, 2))
    house.take()
    house.work()
    row = house.only()
    assert (row.state, row.pipeline) == (State.ENCODED, "ap-xray")
    assert row.result is not None
    assert len(row.result.sources) == 2


def test_a_study_sent_again_after_it_was_given_up_is_complete_and_joins_nothing_dead(house: House) -> None:
    house.set(incomplete_policy="hold")
    first, second = film(house, 1, NumberOfSeriesRelatedInstances=2), film(house, 2, NumberOfSeriesRelatedInstances=2)
    house.receive(first)
    house.assemble()
    house.age_series(LATER_THAN_INCOMPLETE)
    house.take()
    for path in (first, second):
        house.receive(path)
    house.take()
    house.work()
    row = house.only()
    assert row.state == State.ENCODED
    assert row.result is not None
    assert [source.sop_instance_uid for source in row.result.sources] == [f"{SERIES}.1", f"{SERIES}.2"]


def test_an_earlier_result_stands_while_a_late_image_waits_for_more(house: House) -> None:
    house.set(incomplete_policy="hold")
    house.receive(film(house, 1))
    house.assemble()
    house.work()
    house.announce(STUDY, films(1, 2, 3))
    house.receive(film(house, 2))
    house.take()
    house.age_series(LATER_THAN_INCOMPLETE)
    house.take()
    numbered, given_up = house.rows()
    assert (numbered.state, numbered.revision) == (State.ENCODED, 1)
    assert given_up.state == State.UNSUITABLE


def test_a_number_that_arrivals_exceed_is_not_believed(house: House) -> None:
    house.receive(film(house, 1, NumberOfSeriesRelatedInstances=1))
    house.receive(film(house, 2, NumberOfSeriesRelatedInstances=1))
    house.take()
    row = house.only()
    assert (row.state, row.found, row.expected) == (State.RECEIVED, 2, None)
    house.assemble()
    assert house.only().state == State.QUEUED


@pytest.mark.parametrize("number", [0, -1, 10**18])
def test_a_number_that_no_series_can_have_is_left_alone(house: House, number: int) -> None:
    house.receive(film(house, 1, NumberOfSeriesRelatedInstances=number, ImagesInAcquisition=number))
    house.assemble()
    assert (house.only().state, house.only().expected) == (State.QUEUED, None)


def test_an_acquisition_that_lacks_images_holds_its_series_back(house: House) -> None:
    house.receive(film(house, 1, AcquisitionNumber=7, ImagesInAcquisition=2))
    house.assemble()
    assert (house.only().state, house.only().found, house.only().expected) == (State.HELD, 1, 2)
    house.receive(film(house, 2, AcquisitionNumber=7, ImagesInAcquisition=2))
    house.take()
    assert house.only().state == State.RECEIVED  # such a number never says that nothing more will come
    house.assemble()
    assert house.only().state == State.QUEUED


def test_an_acquisition_that_gave_two_series_holds_neither_back(house: House) -> None:
    for series in ("1.2.3.4", "1.2.3.5"):
        house.receive(house.film(study_uid=STUDY, series_uid=series, AcquisitionNumber=1, ImagesInAcquisition=2))
    house.assemble()
    assert {row.state for row in house.rows()} == {State.QUEUED}


def test_frames_are_not_taken_for_images_of_an_acquisition(house: House) -> None:
    house.receive(make_ct(house.folder / "ct.dcm", NumberOfFrames=1, ImagesInAcquisition=40))
    house.assemble()
    assert house.only().state == State.HELD
    house.receive(make_ct(house.folder / "many.dcm", NumberOfFrames=40, ImagesInAcquisition=40))
    house.assemble()
    assert house.rows()[0].state == State.UNSUITABLE


def test_an_announcement_before_the_images_says_when_they_are_all_here(house: House) -> None:
    house.announce(STUDY, films(1, 2))
    house.take()
    assert house.rows() == []
    house.receive(film(house, 1))
    house.take()
    assert (house.only().state, house.only().expected) == (State.RECEIVED, 2)
    house.receive(film(house, 2))
    house.take()
    assert house.only().state == State.QUEUED


def test_an_announcement_after_the_images_ends_the_quiet_time(house: House) -> None:
    house.receive(film(house, 1))
    house.take()
    assert house.only().state == State.RECEIVED
    house.announce(STUDY, films(1), source="ian")
    house.take()
    assert house.only().state == State.QUEUED


def test_an_announcement_that_comes_late_shows_what_a_numbered_series_lacks(house: House) -> None:
    house.receive(film(house, 1))
    house.assemble()
    house.work()
    house.announce(STUDY, films(1, 2))
    house.take()
    house.assemble()
    numbered, held = house.rows()
    assert (numbered.state, numbered.found, numbered.expected) == (State.ENCODED, 1, 2)
    assert held.state == State.HELD
    house.age_series(LATER_THAN_INCOMPLETE)
    house.take()
    row = house.only()
    assert (row.state, row.revision, row.expected) == (State.ENCODED, 1, 2)


def test_a_corrected_announcement_replaces_the_first(house: House) -> None:
    house.set(incomplete_policy="hold")
    house.announce(STUDY, films(1, 2, 3), by="1.9")
    house.receive(film(house, 1))
    house.assemble()
    house.age_series(LATER_THAN_INCOMPLETE)
    house.take()
    assert house.only().state == State.UNSUITABLE
    house.announce(STUDY, films(1), by="1.9")
    house.take()
    house.take()
    assert (job_row(house).state, job_row(house).expected) == (State.QUEUED, 1)


def test_announcements_of_several_add_up(house: House) -> None:
    house.announce(STUDY, films(1), by="1.8")
    house.announce(STUDY, films(2), by="1.9", source="ian")
    house.receive(film(house, 1))
    house.take()
    assert (house.only().found, house.only().expected) == (1, 2)


def test_an_announcement_taken_twice_changes_nothing(house: House) -> None:
    house.receive(film(house, 1))
    house.announce(STUDY, films(1))
    house.take()
    house.work()
    before = house.rows(superseded=True)
    house.announce(STUDY, films(1))
    house.take()
    house.assemble()
    assert house.rows(superseded=True) == before
    with reading(house.node.engine) as session:
        assert len(session.scalars(select(AnnouncedInstance)).all()) == 1


def test_the_same_announcement_again_does_not_prolong_the_wait(house: House) -> None:
    house.announce(STUDY, films(1, 2))
    house.receive(film(house, 1))
    house.assemble()
    house.announce(STUDY, films(1, 2))
    house.take()
    assert house.only().state == State.HELD
    house.age_series(LATER_THAN_INCOMPLETE)
    house.announce(STUDY, films(1, 2))
    house.take()
    assert house.only().state == State.QUEUED


def test_an_update_is_visible_and_no_new_work(house: House) -> None:
    house.receive(film(house, 1))
    house.assemble()
    house.work()
    house.receive(film(house, 1, PatientName="CORRECTED^NAME"))
    house.assemble()
    row = house.only()
    assert (row.state, row.revision, row.updates) == (State.ENCODED, 1, 1)


def test_another_count_of_its_series_makes_a_film_no_conflict(house: House) -> None:
    house.receive(film(house, 1, NumberOfSeriesRelatedInstances=1))
    assert house.receive(film(house, 1, NumberOfSeriesRelatedInstances=2, RetrieveAETitle="PACS")) is Kept.UPDATED


def test_a_held_film_whose_view_was_filled_in_is_a_conflict_that_says_what_to_do(house: House) -> None:
    unknown = {"view_position": None, "patient_orientation": None, "series_description": None}
    held = film(house, 1, **unknown)
    house.receive(held)
    house.assemble()
    corrected = dcmread(held)
    corrected.ViewPosition = "AP"
    corrected.save_as(house.folder / "corrected.dcm")
    house.receive(house.folder / "corrected.dcm")
    house.assemble()
    first, conflict = house.rows()
    assert (first.state, conflict.state) == (State.HELD, State.QUARANTINED)
    assert conflict.reason is not None
    assert "under a SOP Instance UID of its own" in conflict.reason.text
    corrected.SOPInstanceUID = corrected.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    corrected.save_as(house.folder / "again.dcm")
    house.receive(house.folder / "again.dcm")
    house.assemble()
    house.work()
    assert State.ENCODED in {row.state for row in house.rows()}


def test_a_modality_longer_than_any_is_listed_and_stops_nobody(house: House) -> None:
    house.receive(film(house, 1, Modality="X" * 60))
    house.assemble()
    assert (house.only().state, house.only().modality) == (State.UNSUITABLE, "X" * 16)


class TestAClockThatJumps:
    def test_forward_completes_too_early_and_what_comes_later_reopens(self, house: House, wall: Clock) -> None:
        house.receive(film(house, 1))
        house.take()
        wall.jump(1)
        house.take()
        house.work()
        assert house.only().state == State.ENCODED
        house.receive(film(house, 2))
        house.take()
        wall.jump(1)
        house.take()
        house.work()
        result = house.only().result
        assert result is not None
        assert (result.revision, len(result.sources)) == (2, 2)

    def test_backward_stalls_no_series(self, house: House, wall: Clock) -> None:
        house.receive(film(house, 1))
        house.take()
        wall.jump(-1)
        house.take()
        assert house.only().state == State.RECEIVED
        wall.jump(11 / 3600)  # the quiet time
        house.take()
        assert house.only().state == State.QUEUED

    def test_backward_holds_no_incomplete_series_for_longer(self, house: House, wall: Clock) -> None:
        house.receive(film(house, 1, NumberOfSeriesRelatedInstances=2))
        house.assemble()
        wall.jump(-1)
        house.take()
        assert house.only().state == State.HELD
        wall.jump(LATER_THAN_INCOMPLETE / 3600)
        house.take()
        assert house.only().state == State.QUEUED

    def test_forward_and_back_again_an_incomplete_series_is_numbered_and_then_whole(
        self, house: House, wall: Clock
    ) -> None:
        house.receive(film(house, 1, NumberOfSeriesRelatedInstances=2))
        house.assemble()
        wall.jump(1)
        house.take()
        house.work()
        wall.jump(-1)
        house.receive(film(house, 2))
        house.take()
        house.work()
        result = house.only().result
        assert result is not None
        assert (result.revision, result.findings.quality) == (2, ())

    def test_backward_neither_a_ring_nor_a_back_off_lasts_for_longer(self, house: House, wall: Clock) -> None:
        house.receive(film(house, 1))
        house.assemble()
        job = house.only().job or ""
        with writing(house.node.engine) as session:
            row = session.get_one(Job, job)
            row.not_before = row.rung_at = now() + timedelta(seconds=3)
        wall.jump(-1)
        assert clock.bring_back_from_the_future(house.node) == 1
        assert clock.bring_back_from_the_future(house.node) == 0
        with reading(house.node.engine) as session:
            row = session.get_one(Job, job)
            assert row.not_before is not None
            assert 0 < (row.not_before - now()).total_seconds() <= 3
            assert row.rung_at is not None
            assert row.rung_at <= now() + timedelta(seconds=3)

    def test_backward_a_worker_elsewhere_that_died_keeps_its_job_no_longer(self, house: House, wall: Clock) -> None:
        job = self._claimed(house, worker="elsewhere/1")
        wall.jump(-1)
        sweeper.take_back(house.node)
        clock.bring_back_from_the_future(house.node)
        wall.jump(61 / 3600)
        sweeper.take_back(house.node)
        assert (house.only().job, house.only().state) == (job, State.QUEUED)

    def test_forward_a_job_is_given_to_another_worker_and_done_once(self, house: House, wall: Clock) -> None:
        self._claimed(house, worker=worker_name())
        wall.jump(1)
        sweeper.take_back(house.node)
        assert house.only().state == State.QUEUED
        house.work()
        assert (house.only().state, house.only().revision) == (State.ENCODED, 1)

    def test_backward_a_held_film_is_given_up_in_its_time(self, house: House, wall: Clock) -> None:
        house.set(hold_seconds=1800)
        house.receive(film(house, 1, view_position=None, patient_orientation=None, series_description=None))
        house.assemble()
        wall.jump(-1)
        clock.bring_back_from_the_future(house.node)
        sweeper.release_held(house.node)
        assert house.only().state == State.HELD
        wall.jump(0.6)
        sweeper.release_held(house.node)
        assert house.only().state == State.UNSUITABLE

    @staticmethod
    def _claimed(house: House, worker: str) -> str:
        house.receive(film(house, 1))
        house.assemble()
        job = house.only().job or ""
        assert claim_job(house.node.engine, job, State.QUEUED, 60) is not None
        with writing(house.node.engine) as session:
            session.get_one(Job, job).worker = worker
        return job


class TestOnPostgreSQL:
    """The same where columns have lengths and rows are locked one by one."""

    @pytest.fixture
    def database_url(self) -> Iterator[str]:
        with temporary_postgres() as url:
            yield url

    def test_a_series_is_announced_held_given_up_and_whole(self, house: House) -> None:
        test_by_policy_an_incomplete_series_is_unsuitable_until_the_rest_comes(house)
        house.announce("1.7", {"1.7.1": ["1.7.1.1"]})
        house.receive(house.film(study_uid="1.7", series_uid="1.7.1", sop_uid="1.7.1.1", Modality="X" * 60))
        house.take()
        *_, row = house.rows()
        assert (row.state, row.expected) == (State.UNSUITABLE, 1)
        with reading(house.node.engine) as session:
            assert {row.series_related_instances for row in session.scalars(select(InstanceRow))} == {2, None}


def test_a_series_whose_jobs_cannot_be_made_is_listed_and_stops_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    want_priors, asked = completion.want_priors, []

    def poisoned(session: Session, settings: Settings, study_uid: str) -> None:
        asked.append(study_uid)
        if study_uid == "1.2.3":
            raise KeyError(study_uid)
        want_priors(session, settings, study_uid)

    monkeypatch.setattr(completion, "want_priors", poisoned)
    for study in ("1.2.3", "1.2.4"):
        house.receive(house.film(study_uid=study, series_uid=f"{study}.1", sop_uid=f"{study}.1.1"))
    house.assemble()
    house.assemble()
    by_study = {row.study_instance_uid: row for row in house.rows()}
    assert by_study["1.2.4"].state == State.QUEUED
    poison = by_study["1.2.3"]
    assert (poison.state, poison.reason and poison.reason.code) == (State.QUARANTINED, ReasonCode.INTERNAL_ERROR)
    assert asked.count("1.2.3") == 2

    monkeypatch.undo()
    house.receive(house.film(study_uid="1.2.3", series_uid="1.2.3.1", sop_uid="1.2.3.1.2"))
    house.assemble()
    assert {row.state for row in house.rows()} == {State.QUEUED}  # news tries it again


def test_a_fault_that_passes_quarantines_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    want_priors, faults = completion.want_priors, [KeyError("once")]

    def racing(session: Session, settings: Settings, study_uid: str) -> None:
        if faults:
            raise faults.pop()
        want_priors(session, settings, study_uid)

    monkeypatch.setattr(completion, "want_priors", racing)
    house.receive(house.film())
    house.assemble()
    assert house.only().state == State.QUEUED
