"""MPPS and Instance Availability Notification over a socket, and what is left of them for the assembler."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.association import Association

from numbering.dicom.incoming import limits
from numbering.dicom.incoming.announce import INSTANCE_AVAILABILITY, MPPS
from numbering.dicom.incoming.announced import Announcement, Announcements, Step
from numbering.dicom.incoming.receive import Receiver, start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.settings import Settings
from tests.films import NAME, SECRETS

FILM = "1.2.840.10008.5.1.4.1.1.1.1"
STATE = "1.2.840.10008.5.1.4.1.1.11.1"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Receiver]:
    settings = Settings(data=tmp_path / "data", port=0)
    receiver = start_receiver(settings, Spool(settings.spool))
    yield receiver
    receiver.stop()


@pytest.fixture
def told(tmp_path: Path) -> Callable[[], list[Announcement]]:
    return lambda: [each for _, each in Announcements(tmp_path / "data" / "spool").waiting()]


@pytest.fixture
def assoc(node: Receiver) -> Iterator[Association]:
    ae = AE("MODALITY")
    ae.add_requested_context(MPPS)
    ae.add_requested_context(INSTANCE_AVAILABILITY)
    assoc = ae.associate("127.0.0.1", node.port, ae_title="NUMBERING")
    assert len(assoc.accepted_contexts) == 2
    yield assoc
    if assoc.is_established:
        assoc.release()


def items(keyword: str, uids: Sequence[str], **more: str) -> list[Dataset]:
    return [dataset(**{keyword: uid}, **more) for uid in uids]


def dataset(**elements: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def beginning(*studies: str) -> Dataset:
    return dataset(
        PatientName=NAME,
        PerformedProcedureStepStatus="IN PROGRESS",
        ScheduledStepAttributesSequence=items("StudyInstanceUID", studies),
        PerformedSeriesSequence=[],
    )


def performed(series: Mapping[str, Sequence[str]], status: str | None = "COMPLETED") -> Dataset:
    ds = dataset(
        PerformedSeriesSequence=[
            dataset(
                SeriesInstanceUID=uid,
                ReferencedImageSequence=items("ReferencedSOPInstanceUID", films, ReferencedSOPClassUID=FILM),
                ReferencedNonImageCompositeSOPInstanceSequence=[],
            )
            for uid, films in series.items()
        ]
    )
    if status:
        ds.PerformedProcedureStepStatus = status
    return ds


def availability(study: str, series: Mapping[str, Sequence[str]]) -> Dataset:
    return dataset(
        StudyInstanceUID=study,
        ReferencedPerformedProcedureStepSequence=[],
        ReferencedSeriesSequence=[
            dataset(
                SeriesInstanceUID=uid,
                ReferencedSOPSequence=items(
                    "ReferencedSOPInstanceUID",
                    films,
                    ReferencedSOPClassUID=FILM,
                    InstanceAvailability="ONLINE",
                    RetrieveAETitle="ARCHIVE",
                ),
            )
            for uid, films in series.items()
        ],
    )


def create(assoc: Association, ds: Dataset, uid: str | None) -> int:
    return int(assoc.send_n_create(ds, MPPS, uid)[0].Status)


def change(assoc: Association, ds: Dataset, uid: str) -> int:
    return int(assoc.send_n_set(ds, MPPS, uid)[0].Status)


def test_a_step_that_ends_announces_the_instances_of_its_series(
    assoc: Association, told: Callable[[], list[Announcement]]
) -> None:
    step = generate_uid()
    assert create(assoc, beginning("1.2"), step) == 0
    assert told() == []
    assert change(assoc, performed({"1.2.1": ["1.2.1.1", "1.2.1.2"], "1.2.2": ["1.2.2.1"]}), step) == 0
    (announcement,) = told()
    assert announcement == Announcement(
        study="1.2", instances={"1.2.1": ["1.2.1.1", "1.2.1.2"], "1.2.2": ["1.2.2.1"]}, source="mpps", by=step
    )


def test_what_a_step_said_of_its_series_before_it_ended_counts(
    assoc: Association, told: Callable[[], list[Announcement]]
) -> None:
    step = generate_uid()
    assert create(assoc, beginning("1.2"), step) == 0
    assert change(assoc, performed({"1.2.1": ["1.2.1.1"]}, status=None), step) == 0
    assert told() == []
    assert change(assoc, dataset(PerformedProcedureStepStatus="DISCONTINUED"), step) == 0
    assert [each.instances for each in told()] == [{"1.2.1": ["1.2.1.1"]}]


def test_other_objects_of_a_series_are_announced_with_its_images(
    assoc: Association, told: Callable[[], list[Announcement]]
) -> None:
    step = generate_uid()
    ds = performed({"1.2.1": ["1.2.1.1"]})
    ds.PerformedSeriesSequence[0].ReferencedNonImageCompositeSOPInstanceSequence = items(
        "ReferencedSOPInstanceUID", ["1.2.1.9"], ReferencedSOPClassUID=STATE
    )
    assert [create(assoc, beginning("1.2"), step), change(assoc, ds, step)] == [0, 0]
    assert told()[0].instances == {"1.2.1": ["1.2.1.1", "1.2.1.9"]}


def test_a_step_for_two_requests_announces_its_series_in_both_studies(
    assoc: Association, told: Callable[[], list[Announcement]]
) -> None:
    step = generate_uid()
    assert create(assoc, beginning("1.2", "1.3"), step) == 0
    assert change(assoc, performed({"1.2.1": ["1.2.1.1"]}), step) == 0
    assert [each.study for each in told()] == ["1.2", "1.3"]


def test_an_archive_tells_what_it_holds(assoc: Association, told: Callable[[], list[Announcement]]) -> None:
    status, _ = assoc.send_n_create(availability("1.2", {"1.2.1": ["1.2.1.1"]}), INSTANCE_AVAILABILITY, "1.9")
    assert status.Status == 0
    assert told() == [Announcement(study="1.2", instances={"1.2.1": ["1.2.1.1"]}, source="ian", by="1.9")]


def test_a_notification_without_a_uid_is_given_one(assoc: Association, told: Callable[[], list[Announcement]]) -> None:
    status, _ = assoc.send_n_create(availability("1.2", {"1.2.1": ["1.2.1.1"]}), INSTANCE_AVAILABILITY, None)
    assert status.Status == 0
    (announcement,) = told()
    assert announcement.by.startswith("2.25.")


REFUSED: dict[str, tuple[int, Callable[[Association, str], int]]] = {
    "a step that is not known": (0x0112, lambda assoc, uid: change(assoc, performed({}), uid)),
    "a step that begins at its end": (0x0106, lambda assoc, uid: create(assoc, performed({}), uid)),
    "a step without a study": (0x0120, lambda assoc, uid: create(assoc, beginning(), uid)),
    "a notification without a series": (
        0x0120,
        lambda assoc, uid: assoc.send_n_create(availability("1.2", {}), INSTANCE_AVAILABILITY, uid)[0].Status,
    ),
    "a notification without a study": (
        0x0120,
        lambda assoc, uid: (
            assoc.send_n_create(dataset(ReferencedSeriesSequence=[]), INSTANCE_AVAILABILITY, uid)[0].Status
        ),
    ),
    "nothing at all": (
        0x0120,
        lambda assoc, uid: assoc.send_n_create(None, INSTANCE_AVAILABILITY, uid)[0].Status,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_says_nothing_is_refused_with_its_status(
    assoc: Association, told: Callable[[], list[Announcement]], what: str
) -> None:
    status, ask = REFUSED[what]
    assert ask(assoc, generate_uid()) == status
    assert told() == []
    assert assoc.is_established


def test_a_path_in_place_of_a_series_uid_is_refused(
    assoc: Association, told: Callable[[], list[Announcement]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    status, _ = assoc.send_n_create(availability("1.2", {"../../etc": ["1.2.1"]}), INSTANCE_AVAILABILITY, "1.9")
    assert status.Status == 0x0106
    assert told() == []


def test_a_step_is_begun_once_and_ended_once(assoc: Association, told: Callable[[], list[Announcement]]) -> None:
    step = generate_uid()
    assert [create(assoc, beginning("1.2"), step) for _ in range(2)] == [0, 0x0111]
    assert change(assoc, performed({"1.2.1": ["1.2.1.1"]}), step) == 0
    status, _ = assoc.send_n_set(performed({"1.2.1": ["1.2.1.2"]}), MPPS, step)
    assert (status.Status, status.ErrorID) == (0x0110, 0xA710)
    assert [each.instances for each in told()] == [{"1.2.1": ["1.2.1.1"]}]


def test_a_full_disk_is_said_and_the_step_may_be_ended_again(
    assoc: Association, told: Callable[[], list[Announcement]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    step = generate_uid()
    assert create(assoc, beginning("1.2"), step) == 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert change(assoc, performed({"1.2.1": ["1.2.1.1"]}), step) == 0x0213
    assert told() == []
    assert change(assoc, performed({"1.2.1": ["1.2.1.1"]}), step) == 0
    assert len(told()) == 1


def test_below_the_watermark_nothing_is_announced(
    assoc: Association, told: Callable[[], list[Announcement]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = generate_uid()
    assert create(assoc, beginning("1.2"), step) == 0
    usage = limits.shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(limits.shutil, "disk_usage", lambda _: usage._replace(free=0))
        assert create(assoc, beginning("1.2"), generate_uid()) == 0x0213
        assert change(assoc, performed({"1.2.1": ["1.2.1.1"]}), step) == 0x0213
    assert told() == []
    assert change(assoc, performed({"1.2.1": ["1.2.1.1"]}), step) == 0
    assert len(told()) == 1


def test_nothing_of_the_patient_is_kept(assoc: Association, tmp_path: Path) -> None:
    step = generate_uid()
    create(assoc, beginning("1.2"), step)
    change(assoc, performed({"1.2.1": ["1.2.1.1"]}), step)
    kept = [path.read_text() for path in (tmp_path / "data" / "spool").rglob("*.json")]
    assert len(kept) == 2
    assert not any(secret in text for secret in SECRETS for text in kept)


def test_an_announcement_waits_until_it_is_done_and_old_steps_are_forgotten(tmp_path: Path) -> None:
    announcements = Announcements(tmp_path)
    announcement = Announcement(study="1.2", instances={"1.2.1": ["1.2.1.1"]}, source="ian", by="1.9")
    announcements.leave(announcement)
    ((marker, waiting),) = Announcements(tmp_path).waiting()
    assert waiting == announcement
    announcements.done(marker)
    announcements.done(marker)
    assert announcements.waiting() == []
    (tmp_path / ".announced" / "1.part").write_text("half")
    assert announcements.begin_step("1.8", Step(studies=["1.2"], status="IN PROGRESS", instances={}))
    assert announcements.forget_old(3600) == 0
    assert announcements.forget_old(-1) == 2
    assert list((tmp_path / ".announced").iterdir()) == []
    assert announcements.step("1.8") is None


def test_an_announcement_that_the_disk_has_spoilt_stops_no_other(tmp_path: Path) -> None:
    announcements = Announcements(tmp_path)
    (tmp_path / ".announced" / "0.json").write_bytes(b"\0\0")
    announcements.leave(Announcement(study="1.2", instances={}, source="ian", by="1.9"))
    assert [each.study for _, each in announcements.waiting()] == ["1.2"]
    assert [each.study for _, each in announcements.waiting()] == ["1.2"]
