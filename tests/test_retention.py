"""Retention: what goes and what stays, when the disk runs full, after days, after a crash, and when a study returns."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from numbering import durable
from numbering.audit import trail
from numbering.audit.journal import files
from numbering.dicom.incoming.announced import Announcements
from numbering.dicom.incoming.spool import Kept
from numbering.dicom.part10 import compose, split
from numbering.jobs import retention
from numbering.jobs.claims import claim_job
from numbering.jobs.disk import Disk, disk_of, marks
from numbering.jobs.models import AnnouncedInstance, Delivery, InstanceRow, Job, ObjectRow, PriorRow, SeriesRow, now
from numbering.jobs.retention import Retention
from numbering.jobs.states import DeliveryState, Removal, State
from numbering.jobs.store import reading, writing
from numbering.settings import Settings
from tests.films import SECRETS, uneven
from tests.house import Clock, House, running_house
from tests.logged import logged
from tests.postgres import temporary_postgres

GIB = 2**30


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch, database_url) as running:
        running.set(keep_received_days=30.0)
        yield running


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def days(wall: Clock, number: float) -> None:
    wall.jump(24 * number)


def film(house: House, study: str, number: int = 1, **options: object) -> Path:
    return house.film(study_uid=study, series_uid=f"{study}.1", sop_uid=f"{study}.1.{number}", **options)


def finished(house: House, study: str, **options: object) -> Path:
    """A study that was received and numbered; there is nowhere to deliver it to."""
    path = film(house, study, **options)
    house.receive(path)
    house.assemble()
    house.work()
    return path


def delivery(house: House, study: str, state: DeliveryState, *, wants_commitment: bool = False) -> None:
    """Give each object of the study a delivery in this state, and its job the state that goes with it."""
    with writing(house.node.engine) as session:
        for job in session.scalars(select(Job).where(Job.study_uid == study)):
            if state in (DeliveryState.DELIVERED, DeliveryState.COMMITTED):
                job.state = state.value
            for row in session.scalars(select(ObjectRow).where(ObjectRow.job_id == job.id)):
                session.add(
                    Delivery(
                        object_uid=row.sop_uid,
                        job_id=job.id,
                        destination="ARCHIVE",
                        state=state.value,
                        wants_commitment=wants_commitment,
                    )
                )


def received(house: House) -> set[str]:
    """SOP Instance UIDs of the files in the spool, whichever name they have there."""
    return {path.stem for path in house.node.spool.root.rglob("*.dcm")}


def names(house: House, sop: str) -> int:
    return len(list(house.node.spool.root.rglob(f"{sop}.dcm")))


def objects(house: House) -> list[Path]:
    return sorted(house.node.settings.objects.rglob("*.dcm"))


def clean(house: House) -> None:
    keeper = Retention(house.node, lambda _: Disk(total=1000 * GIB, free=900 * GIB))
    while keeper.clean():
        pass


class FullDisk:
    """A disk of ten GiB that a mark lies above, until files went."""

    def __init__(self, house: House, room_when: int) -> None:
        self.house, self.room_when = house, room_when

    def __call__(self, folder: Path) -> Disk:
        assert folder == self.house.node.spool.root
        few = len(received(self.house)) <= self.room_when
        return Disk(total=10 * GIB, free=9 * GIB if few else GIB // 2)


def test_received_files_of_finished_work_go_after_their_days_with_every_name(house: House, wall: Clock) -> None:
    finished(house, "1.2")
    days(wall, 29)
    clean(house)
    assert names(house, "1.2.1.1") == 2
    days(wall, 2)
    clean(house)
    assert received(house) == set()
    assert not (house.node.spool.root / "1.2").exists()
    assert len(objects(house)) == 2
    row = house.only()
    assert (row.state, row.result is not None) == (State.ENCODED, True)


def test_zero_days_are_for_ever(house: House, wall: Clock) -> None:
    house.set(keep_received_days=0.0)
    finished(house, "1.2")
    delivery(house, "1.2", DeliveryState.DELIVERED)
    days(wall, 10000)
    clean(house)
    assert names(house, "1.2.1.1") == 2
    assert len(objects(house)) == 2


def test_later_versions_and_quarantined_ones_go_with_their_study(house: House, wall: Clock) -> None:
    finished(house, "1.2")
    assert house.receive(film(house, "1.2", PatientName="OTHER^NAME")) is Kept.UPDATED
    assert house.receive(film(house, "1.2", pixels=uneven()[::-1].copy())) is Kept.CONFLICT
    house.assemble()
    assert len(received(house)) == 3
    days(wall, 31)
    clean(house)
    assert received(house) == set()
    assert list((house.node.spool.root / ".quarantine").iterdir()) == []


def unfinished(house: House, what: str) -> None:
    """A study 1.2 about which something is still to be done."""
    match what:
        case "arriving":
            house.receive(film(house, "1.2"))
            house.take()
        case "incomplete":
            house.receive(film(house, "1.2", NumberOfSeriesRelatedInstances=2))
            house.assemble()
        case "held":
            unknown = {"view_position": None, "patient_orientation": None, "series_description": None}
            finished(house, "1.2", **unknown)
        case "queued" | "running" | "failed":
            house.receive(film(house, "1.2"))
            house.assemble()
        case "quarantined":
            path = film(house, "1.2")
            path.write_bytes(path.read_bytes()[:-5000])
            house.receive(path)
            house.assemble()
            house.work()
        case _:
            finished(house, "1.2")
    job = house.only().job or ""
    if what == "running":
        claim_job(house.node.engine, job, State.QUEUED, 10**9)
    if what == "failed":
        with writing(house.node.engine) as session:
            session.get_one(Job, job).state = State.FAILED.value
    states = {
        "undelivered": DeliveryState.QUEUED,
        "being delivered": DeliveryState.SENDING,
        "undeliverable": DeliveryState.FAILED,
    }
    if what in states:
        delivery(house, "1.2", states[what])
    if what == "asking for priors":
        with writing(house.node.engine) as session:
            session.add(PriorRow(kind="search", study_uid="1.2", asked_by="1.2"))
    if what == "not committed":
        delivery(house, "1.2", DeliveryState.DELIVERED, wants_commitment=True)


@pytest.mark.parametrize(
    "what",
    [
        "arriving",
        "incomplete",
        "held",
        "queued",
        "running",
        "failed",
        "quarantined",
        "undelivered",
        "being delivered",
        "undeliverable",
        "not committed",
        "asking for priors",
    ],
)
def test_what_is_not_finished_stays_however_old_and_however_full_the_disk(house: House, wall: Clock, what: str) -> None:
    unfinished(house, what)
    house.set(keep_objects_days=1.0)
    written = objects(house)
    days(wall, 1000)
    clean(house)
    Retention(house.node, FullDisk(house, room_when=0)).clean()
    assert names(house, "1.2.1.1") == 2
    assert objects(house) == written


def test_a_full_disk_is_emptied_of_the_oldest_finished_studies_until_there_is_room(house: House) -> None:
    house.set(keep_received_days=0.0)
    for study in ("1.2", "1.3", "1.4"):
        finished(house, study)
        delivery(house, study, DeliveryState.DELIVERED)
    house.receive(film(house, "1.1"))
    house.take()
    keeper = Retention(house.node, FullDisk(house, room_when=2))
    removed = [keeper.clean() for _ in range(4)]
    assert removed == [1, 1, 0, 0]
    assert received(house) == {"1.1.1.1", "1.4.1.1"}


def test_a_full_disk_spares_what_conflicts(house: House) -> None:
    finished(house, "1.2")
    house.receive(film(house, "1.2", pixels=uneven()[::-1].copy()))
    house.assemble()
    Retention(house.node, FullDisk(house, room_when=0)).clean()
    assert len(received(house)) == 2


def test_clean_up_goes_on_from_its_mark_to_its_aim_and_not_before(house: House) -> None:
    free = 16.0
    for study in ("1.2", "1.3", "1.4"):
        finished(house, study)
    keeper = Retention(house.node, lambda _: Disk(total=100 * GIB, free=int(free * GIB)))
    assert keeper.clean() == 0
    free = 14
    assert keeper.clean() == 1
    free = 17
    assert keeper.clean() == 1
    free = 21
    assert keeper.clean() == 0
    free = 17
    assert keeper.clean() == 0


def test_clean_up_begins_above_the_mark_at_which_the_receiver_refuses(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    small, large = Disk(total=4 * GIB, free=GIB), Disk(total=1000 * GIB, free=GIB)
    assert marks(settings, small).begin > settings.disk_minimum_mib * 2**20
    assert marks(settings, large).begin == 150 * GIB
    assert marks(settings, large).enough == 200 * GIB
    never = settings.model_copy(update={"clean_below_percent": 0.0})
    assert (marks(never, small).begin, marks(never, small).enough) == (0, 0)
    assert 0 < disk_of(tmp_path).free < disk_of(tmp_path).total


def test_an_aim_below_its_mark_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected at least clean_below_percent"):
        Settings(data=tmp_path, clean_below_percent=30, clean_to_percent=20)


def test_objects_go_after_their_days_once_they_are_where_they_shall_be(house: House, wall: Clock) -> None:
    house.set(keep_objects_days=10.0)
    for study, state, wants in (
        ("1.2", DeliveryState.DELIVERED, False),
        ("1.3", DeliveryState.COMMITTED, True),
        ("1.4", DeliveryState.QUEUED, False),
    ):
        finished(house, study)
        delivery(house, study, state, wants_commitment=wants)
    finished(house, "1.5")  # there was nowhere to deliver it to: the only copy
    days(wall, 9)
    clean(house)
    assert len(objects(house)) == 8
    days(wall, 2)
    clean(house)
    assert {path.parent.name for path in objects(house)} == {"1.4", "1.5"}
    assert [len(row.objects) for row in house.rows()] == [2, 2, 2, 2]


def test_a_forgotten_delivery_holds_no_study_up_and_its_objects_stay(house: House, wall: Clock) -> None:
    house.set(keep_objects_days=10.0)
    for study in ("1.2", "1.3"):
        finished(house, study)
    delivery(house, "1.2", DeliveryState.FORGOTTEN)
    delivery(house, "1.3", DeliveryState.DELIVERED)
    with writing(house.node.engine) as session:  # as where another object of the same job arrived somewhere
        session.scalars(select(Job).where(Job.study_uid == "1.2")).one().state = State.DELIVERED.value
    days(wall, 31)
    clean(house)
    assert received(house) == set()
    assert {path.parent.name for path in objects(house)} == {"1.2"}  # the only copy


def test_a_crash_between_row_and_file_is_made_good(house: House, wall: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(house, "1.2")
    delivery(house, "1.2", DeliveryState.DELIVERED)
    house.set(keep_objects_days=1.0)
    days(wall, 31)

    def killed(_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retention, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            retention.remove_oldest_study(house.node, before=now(), conflicts_too=True)
        with pytest.raises(KeyboardInterrupt):
            retention._remove_objects(house.node, now())
    assert names(house, "1.2.1.1") == 2
    assert len(objects(house)) == 2
    assert removals(house) == {Removal.MARKED}
    clean(house)
    assert received(house) == set()
    assert objects(house) == []
    assert removals(house) == {Removal.DONE}


def test_a_crash_between_the_names_of_a_file_is_made_good(house: House, wall: Clock) -> None:
    finished(house, "1.2")
    days(wall, 31)
    (path,) = house.node.spool.root.glob(".instances/*/*.dcm")
    path.unlink()
    clean(house)
    assert received(house) == set()


def removals(house: House) -> set[str | None]:
    with reading(house.node.engine) as session:
        return {*session.scalars(select(InstanceRow.removal)), *session.scalars(select(ObjectRow.removal))}


def sent_by(house: House, path: Path, ae_title: str) -> Path:
    """The same object as another sender's association would have it stored."""
    ds, part = dcmread(path, stop_before_pixels=True), split(path.read_bytes())
    whole = compose(
        sop_class=ds.SOPClassUID,
        sop_instance=ds.SOPInstanceUID,
        transfer_syntax=part.transfer_syntax,
        source_ae_title=ae_title,
        data_set=part.data_set,
    )
    other = house.folder / f"{generate_uid()}.dcm"
    other.write_bytes(whole)
    return other


@pytest.mark.parametrize("ae_title", ["", "ANOTHER"])
def test_a_study_that_returns_is_kept_anew_and_is_no_new_work(house: House, wall: Clock, ae_title: str) -> None:
    film_path = finished(house, "1.2")
    before = house.only()
    days(wall, 31)
    clean(house)
    assert house.receive(sent_by(house, film_path, ae_title) if ae_title else film_path) is Kept.STORED
    house.assemble()
    house.work()
    assert house.receive(film_path) is Kept.ALREADY_STORED
    house.assemble()
    house.work()
    assert house.rows(superseded=True) == [before]
    assert names(house, "1.2.1.1") == 2
    days(wall, 29)
    clean(house)
    assert names(house, "1.2.1.1") == 2
    days(wall, 2)
    clean(house)
    assert received(house) == set()


def test_an_announcement_of_a_removed_series_is_no_reason_to_wait_for_it(house: House, wall: Clock) -> None:
    finished(house, "1.2")
    days(wall, 31)
    clean(house)
    house.announce("1.2", {"1.2.1": ["1.2.1.1", "1.2.1.2"]}, source="ian")
    house.take()
    assert house.only().state == State.ENCODED


def test_a_returning_object_with_other_content_is_a_new_revision(house: House, wall: Clock) -> None:
    finished(house, "1.2")
    before = house.only()
    days(wall, 31)
    clean(house)
    house.receive(film(house, "1.2", PatientName="CORRECTED^NAME"))
    house.assemble()
    house.work()
    row = house.only()
    assert row.result is not None
    assert (row.revision, row.result.predecessor_sr_uid) == (2, before.objects[0][1])


def test_a_late_image_of_a_removed_series_waits_for_the_others_and_harms_no_result(house: House, wall: Clock) -> None:
    first = finished(house, "1.2")
    days(wall, 31)
    clean(house)
    house.receive(film(house, "1.2", number=2))
    house.assemble()
    numbered, held = house.rows()
    assert (numbered.state, held.state, held.found, held.expected) == (State.ENCODED, State.HELD, 1, 2)
    assert held.reason is not None
    assert "before retention removed it" in held.reason.text
    house.age_series(1000)
    house.take()
    numbered, given_up = house.rows()
    assert (numbered.state, given_up.state) == (State.ENCODED, State.UNSUITABLE)
    house.receive(first)
    house.assemble()
    house.work()
    row = house.only()
    assert row.result is not None
    assert (row.revision, len(row.result.sources)) == (2, 2)


def test_an_object_received_while_it_is_removed_stays(
    house: House, wall: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = finished(house, "1.2")
    days(wall, 31)
    remove, kept = durable.remove, []

    def remove_and_receive(name: Path) -> None:
        remove(name)
        if ".instances" in name.parts and not kept:
            kept.append(house.receive(path))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "remove", remove_and_receive)
        clean(house)
    assert kept == [Kept.ALREADY_STORED]  # of its two names the one is still there
    assert names(house, "1.2.1.1") == 2
    before = house.only()
    house.assemble()
    assert house.only() == before
    assert removals(house) == {None}


def test_an_arrival_whose_file_was_removed_meanwhile_is_no_work(house: House, wall: Clock) -> None:
    path = finished(house, "1.2")
    days(wall, 31)
    assert house.receive(path) is Kept.ALREADY_STORED
    clean(house)
    house.assemble()
    assert house.only().state == State.ENCODED
    assert removals(house) == {Removal.DONE, None}


def test_a_file_that_the_disk_has_spoilt_goes_with_its_study_and_holds_up_no_other(
    house: House, wall: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(house, "1.2.3")
    finished(house, "1.2.4")

    def spoilt(path: Path) -> str:
        raise OSError(errno.EIO, "a bad sector", str(path))

    monkeypatch.setattr(retention, "content_digest", spoilt)
    days(wall, 31)
    clean(house)
    assert received(house) == set()


def test_what_conflicted_and_returns_as_the_first_is_removed_again_in_its_time(house: House, wall: Clock) -> None:
    finished(house, "1.2.3")
    other = film(house, "1.2.3", pixels=uneven()[::-1].copy())
    assert house.receive(other) is Kept.CONFLICT
    house.assemble()
    days(wall, 31)
    clean(house)
    assert received(house) == set()
    assert house.receive(other) is Kept.STORED
    house.assemble()
    days(wall, 31)
    clean(house)
    assert received(house) == set()


def test_many_files_go_in_small_batches(house: House, wall: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        house.receive(film(house, "1.2", number=number))
    house.assemble()
    house.work()
    days(wall, 31)
    keeper = Retention(house.node, lambda _: Disk(total=1000 * GIB, free=900 * GIB))
    assert [keeper.clean() for _ in range(4)] == [2, 2, 1, 0]
    assert received(house) == set()


def test_what_was_removed_is_logged_by_uid_and_bytes_alone(house: House, wall: Clock) -> None:
    size = finished(house, "1.2").stat().st_size
    days(wall, 31)
    with logged() as told:
        clean(house)
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert [line["study_instance_uid"] for line in lines if "study_instance_uid" in line] == ["1.2"]
    assert [line["freed_bytes"] for line in lines if "freed_bytes" in line] == [size]
    assert not any(secret in told.getvalue() for secret in SECRETS)


def test_announcements_of_what_never_came_are_forgotten_after_a_week(house: House, wall: Clock) -> None:
    finished(house, "1.2")
    house.announce("1.2", {"1.2.1": ["1.2.1.1"]})
    house.announce("1.9", {"1.9.1": ["1.9.1.1"]})
    house.take()
    clean(house)
    days(wall, 8)
    clean(house)
    with reading(house.node.engine) as session:
        assert session.scalars(select(AnnouncedInstance.study_uid)).all() == ["1.2"]
    assert Announcements(house.node.spool.root).waiting() == []


def test_announcements_of_what_came_are_forgotten_when_it_is_long_complete(house: House, wall: Clock) -> None:
    finished(house, "1.2")
    for study in ("1.2", "1.3"):
        house.announce(study, {f"{study}.1": [f"{study}.1.1", f"{study}.1.2"]})
    house.take()
    house.receive(film(house, "1.3"))
    with writing(house.node.engine) as session:
        session.add(SeriesRow(study_uid="1.3", series_uid="1.3.1", state=State.HELD.value))  # still waits for more
        session.get_one(SeriesRow, ("1.2", "1.2.1")).state = State.COMPLETE.value
    days(wall, 89)
    clean(house)
    with reading(house.node.engine) as session:
        assert set(session.scalars(select(AnnouncedInstance.study_uid))) == {"1.2", "1.3"}
    days(wall, 2)
    clean(house)
    with reading(house.node.engine) as session:
        assert set(session.scalars(select(AnnouncedInstance.study_uid))) == {"1.3"}


def test_audit_records_go_after_their_days_and_stay_where_none_are_set(house: House) -> None:
    folder = house.node.settings.audit
    trail(house.node.settings).started("assemble")
    old = folder / "2001-01-01.jsonl"
    old.touch()
    clean(house)
    assert old.exists()
    house.set(keep_audit_days=30)
    clean(house)
    assert [path.exists() for path in (old, *files(folder)[-1:])] == [False, True]


class TestOnPostgreSQL:
    @pytest.fixture
    def database_url(self) -> Iterator[str]:
        with temporary_postgres() as url:
            yield url

    def test_a_finished_study_goes_and_an_undelivered_one_stays(self, house: House, wall: Clock) -> None:
        house.set(keep_objects_days=10.0)
        for study, state in (("1.2", DeliveryState.DELIVERED), ("1.3", DeliveryState.QUEUED)):
            finished(house, study)
            delivery(house, study, state)
        days(wall, 31)
        clean(house)
        assert received(house) == {"1.3.1.1"}
        assert {path.parent.name for path in objects(house)} == {"1.3"}
        with reading(house.node.engine) as session:
            assert {row.state for row in session.scalars(select(SeriesRow))} == {State.COMPLETE}
