"""A level check against a node: whose plan and mark are, what is kept, the report in the study, the audit trail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from sqlalchemy import text

from numbering.audit import Peer
from numbering.checking.gather import Asked
from numbering.checking.question import Misused
from numbering.jobs.checks.asking import Told, check_level
from numbering.jobs.checks.store import check, checks_of
from numbering.jobs.models import Delivery
from numbering.jobs.parts import LEVEL_CHECK_PART
from numbering.jobs.states import State
from numbering.jobs.store import reading
from numbering.levelcheck import MarkSource, Verdict
from numbering.levelcheck.answer import Why
from numbering.priors.source import Patient
from tests.films import PATIENT_ID, SECRETS, UNEVEN_COLUMNS, UNEVEN_ROWS
from tests.house import House, running_house
from tests.tools import complaints, dumped

MIDDLE = f"{UNEVEN_COLUMNS * 0.5:.1f},{UNEVEN_ROWS * 0.5:.1f}"
"""Where the stub pipeline sees its L5."""
OR = Peer("key or-2", "127.0.0.1")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as running:
        yield running


def numbered_film(house: House, **options: object) -> tuple[str, str]:
    """Study and image of a film that the node has numbered."""
    film = house.film(**options)
    house.receive(film)
    house.assemble()
    house.work()
    header = dcmread(film, stop_before_pixels=True)
    return str(header.StudyInstanceUID), str(header.SOPInstanceUID)


def checked(house: House, image: str, planned: str = "L5", *, report: bool = False, **more: object) -> Told:
    """The check of a plan in the middle of an image."""
    asked = Asked(planned=planned, at=f"{image}:{MIDDLE}", **more)  # type: ignore[arg-type]
    return check_level(house.node, asked, by=OR, report=report)


def audited(house: House) -> list[str]:
    """The messages of the audit journal."""
    files = sorted(house.node.settings.audit.glob("*.jsonl"))
    return [json.loads(line)["message"] for file in files for line in file.read_text().splitlines()]


def test_a_presumed_name_at_the_mark_confirms_nothing(house: House) -> None:
    _, image = numbered_film(house)
    answer = checked(house, image).stored.check
    assert (answer.verdict, answer.reason) == (Verdict.CANNOT_CONFIRM, Why.BASIS_NOT_CONFIRMED)
    assert answer.found is not None
    assert [one.place.sop_instance_uid for one in answer.known] == [image]


def test_every_check_is_kept_with_evidence_policy_statement_and_key_images(house: House) -> None:
    study, image = numbered_film(house)
    stored = checked(house, image).stored
    kept = check(house.node.engine, stored.uid)
    assert kept == stored
    assert [one.uid for one in checks_of(house.node.engine, study)] == [stored.uid]
    assert kept.asked_by == "key or-2"
    assert kept.check.policy.probability == 0.95
    entry = kept.evidence["record"]["series"][0]
    assert (entry["images"], entry["structures"][0]["name"]) == ([image], "L5")
    (picture,) = kept.key_images
    assert house.node.path(picture).is_relative_to(house.node.settings.data / "checks")
    assert list(kept.evidence["key_images"]) == [picture]
    shown = Image.open(house.node.path(picture))
    assert min(shown.size) > 600


def test_the_key_image_shows_the_mark_where_it_was_put(house: House) -> None:
    _, image = numbered_film(house)
    asked = Asked(planned="L5", at=f"{image}:20,31")
    (here,) = check_level(house.node, asked, by=OR).stored.key_images
    (there,) = checked(house, image).stored.key_images
    first, second = (Image.open(house.node.path(each)).convert("RGB") for each in (here, there))
    scale = 1400 / UNEVEN_ROWS
    left = (first.width - UNEVEN_COLUMNS * scale) / 2

    def ring(picture: Image.Image, x: float, y: float) -> tuple[int, ...]:
        """The pixel of the ring right above the mark."""
        at = round(left + (x + 0.5) * scale), round(picture.height - 1400 + (y + 0.5) * scale - 22)
        return picture.getpixel(at)  # type: ignore[return-value]

    amber = (255, 176, 0)
    assert ring(first, 20, 31) == amber
    assert ring(second, UNEVEN_COLUMNS * 0.5, UNEVEN_ROWS * 0.5) == amber
    assert ring(second, 20, 31) != amber


def test_the_plans_patient_is_confirmed_and_another_ones_image_stops_everything(house: House) -> None:
    _, mine = numbered_film(house)
    study, theirs = numbered_film(house, PatientID="OTHER-1", PatientName="OTHER")
    same = checked(house, mine, patient=Patient(PATIENT_ID)).stored.check
    assert same.reason is Why.BASIS_NOT_CONFIRMED
    told = checked(house, theirs, patient=Patient(PATIENT_ID), report=True)
    answer = told.stored.check
    assert (answer.verdict, answer.reason) == (Verdict.CANNOT_CONFIRM, Why.ANOTHER_PATIENT)
    assert answer.statement.startswith("CANNOT CONFIRM. STOP. ")
    assert answer.found is None
    assert {one.place.sop_instance_uid for one in answer.known} == {mine}
    assert told.report is None
    assert "not of one patient" in told.why_no_report
    assert told.stored.study_uid is None  # in doubt whose it is: in neither patient's list
    assert any(study in message for message in audited(house))
    assert len(told.stored.key_images) == 1  # where the plan's own patient has it, and nothing of the other


def test_only_the_record_of_the_plans_own_patient_is_consulted(house: House) -> None:
    _, mine = numbered_film(house)
    _, theirs = numbered_film(house, PatientID="OTHER-1")
    answer = checked(house, mine)
    consulted = {uid for entry in answer.stored.evidence["record"]["series"] for uid in entry["images"]}
    assert consulted == {mine}
    assert theirs not in answer.stored.check.to_json()


def test_a_patient_of_whom_nothing_is_known_is_another_one(house: House) -> None:
    _, image = numbered_film(house)
    answer = checked(house, image, patient=Patient("NEVER-SEEN")).stored.check
    assert (answer.verdict, answer.reason, answer.known) == (Verdict.CANNOT_CONFIRM, Why.ANOTHER_PATIENT, ())


def test_a_plan_made_on_another_patients_study_stops_everything(house: House) -> None:
    _, mine = numbered_film(house)
    study, _ = numbered_film(house, PatientID="OTHER-1")
    answer = checked(house, mine, plan_study=study).stored.check
    assert answer.reason is Why.ANOTHER_PATIENT


def test_an_id_of_two_issuers_needs_its_issuer_named(house: House) -> None:
    _, mine = numbered_film(house, IssuerOfPatientID="NORTH")
    numbered_film(house, IssuerOfPatientID="SOUTH")
    with pytest.raises(Misused, match="issuer"):
        checked(house, mine, patient=Patient(PATIENT_ID))
    assert checked(house, mine, patient=Patient(PATIENT_ID, "NORTH")).stored.check.reason is Why.BASIS_NOT_CONFIRMED
    assert checked(house, mine, patient=Patient(PATIENT_ID, "SOUTH")).stored.check.reason is Why.ANOTHER_PATIENT


def test_an_image_that_never_came_is_not_known(house: House) -> None:
    numbered_film(house)
    answer = checked(house, "1.2.3.4", patient=Patient(PATIENT_ID)).stored.check
    assert (answer.verdict, answer.reason) == (Verdict.CANNOT_CONFIRM, Why.IMAGE_NOT_KNOWN)
    assert len(answer.known) == 1


def test_without_a_mark_the_answer_says_where_the_planned_name_is(house: House) -> None:
    _, image = numbered_film(house)
    asked = Asked(planned="L5", patient=Patient(PATIENT_ID))
    stored = check_level(house.node, asked, by=OR).stored
    assert stored.check.reason is Why.NO_MARK
    assert [one.place.sop_instance_uid for one in stored.check.known] == [image]
    assert len(stored.key_images) == 1


def test_a_plan_that_is_not_understood_is_kept_without_its_text(house: House) -> None:
    _, image = numbered_film(house)
    stored = checked(house, image, planned="SECRET L4?").stored
    assert stored.check.reason is Why.PLAN_NOT_UNDERSTOOD
    with house.node.engine.connect() as connection:
        assert "SECRET" not in str(connection.execute(text("select * from checks")).all())


@pytest.mark.parametrize("at", ["", "L5", "1.2.3", "1.2.3:4", "1.2.3#0:4,5", "1.2.3:nan,5", "../x:1,2", "1.2.3:1e9,2"])
def test_a_mark_that_is_spelt_otherwise_is_misuse_and_nothing_is_kept(house: House, at: str) -> None:
    with pytest.raises(Misused):
        check_level(house.node, Asked(planned="L5", at=at), by=OR)
    assert checks_of(house.node.engine, "1.2.3") == []


def test_the_mark_may_stand_in_a_presentation_state_that_was_received(house: House, tmp_path: Path) -> None:
    _, image = numbered_film(house)
    state = marking(tmp_path / "state.dcm", image, PATIENT_ID)
    house.receive(state)
    house.assemble()
    uid = str(dcmread(state).SOPInstanceUID)
    stored = check_level(house.node, Asked(planned="L5", mark_from=uid), by=OR).stored
    assert stored.check.reason is Why.BASIS_NOT_CONFIRMED
    assert stored.check.mark is not None
    assert (stored.check.mark.source, stored.check.mark.place.sop_instance_uid) == (MarkSource.GSPS, image)
    foreign = marking(tmp_path / "foreign.dcm", image, "OTHER-1")
    house.receive(foreign)
    house.assemble()
    asked = Asked(planned="L5", mark_from=str(dcmread(foreign).SOPInstanceUID))
    assert check_level(house.node, asked, by=OR).stored.check.reason is Why.ANOTHER_PATIENT


def marking(path: Path, image: str, patient: str) -> Path:
    """A presentation state of somebody else's with one point in the middle of a film."""
    point = Dataset()
    point.GraphicAnnotationUnits, point.GraphicDimensions, point.NumberOfGraphicPoints = "PIXEL", 2, 1
    point.GraphicData = [UNEVEN_COLUMNS * 0.5 + 0.5, UNEVEN_ROWS * 0.5 + 0.5]
    point.GraphicType = "POINT"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", image
    annotation = Dataset()
    annotation.ReferencedImageSequence, annotation.GraphicObjectSequence = [reference], [point]
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.11.1", generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality, ds.PatientID, ds.Manufacturer = "PR", patient, "Somebody else"
    ds.GraphicAnnotationSequence = [annotation]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    return path


def test_the_report_goes_into_the_marked_images_study_and_is_delivered_like_any_result(house: House) -> None:
    house.set(archive="ARCHIVE@127.0.0.1:4242")
    study, image = numbered_film(house)
    told = checked(house, image, report=True, side="L")
    folder = house.node.settings.objects / study
    report = folder / f"{told.report}.dcm"
    ds = dcmread(report)
    assert (ds.StudyInstanceUID, ds.Modality, ds.VerificationFlag) == (study, "SR", "UNVERIFIED")
    assert ds.PatientID == PATIENT_ID
    with reading(house.node.engine) as session:
        sent = session.query(Delivery).filter_by(object_uid=told.report).all()
    assert [(each.destination, each.state) for each in sent] == [("archive", "queued")]
    assert ("deliver", "archive") in house.bell.rung
    row = next(row for row in house.rows() if any(uid == told.report for _, uid, _ in row.objects))
    assert (row.state, row.status, row.series_instance_uid) == (State.ENCODED, None, ds.SeriesInstanceUID)


def test_the_report_is_accepted_by_dciodvfy_and_dsrdump_and_says_everything(house: House) -> None:
    study, image = numbered_film(house)
    told = checked(house, image, planned="L5, left", report=True, side="L")
    report = house.node.settings.objects / study / f"{told.report}.dcm"
    assert complaints(report) == []
    shown = dumped(report)
    for words in ("Cannot confirm", "Basis of the name not confirmed", told.stored.check.statement, "L5 vertebra"):
        assert words in shown
    assert '(7771000,SCT,"Left")' in shown
    assert "Least probability 0.95" in shown
    x, y = (float(each) + 0.5 for each in MIDDLE.split(","))
    assert f"(POINT,{x:g}/{y:g})" in shown  # the origin of graphics is the corner of the first pixel
    assert "POLYLINE" in shown


def test_what_is_still_to_be_numbered_is_listed_as_silent(house: House) -> None:
    study, image = numbered_film(house)
    series = generate_uid()
    house.receive(house.film(study_uid=study, series_uid=series))
    house.assemble()
    says = {one.series_instance_uid: one.reason for one in checked(house, image).stored.check.series}
    assert says[series] == "it is still arriving or waits to be numbered"
    house.work()
    says = {one.series_instance_uid: one.reason for one in checked(house, image).stored.check.series}
    assert says[series] != "it is still arriving or waits to be numbered"


def test_a_late_image_does_not_touch_a_checks_report(house: House) -> None:
    study, series = generate_uid(), generate_uid()
    _, image = numbered_film(house, study_uid=study, series_uid=series)
    told = checked(house, image, report=True)
    numbered_film(house, study_uid=study, series_uid=series)
    assert [row.revision for row in house.rows() if row.series_instance_uid == series] == [2]
    jobs = [row for row in house.rows(superseded=True) if any(uid == told.report for _, uid, _ in row.objects)]
    assert [row.state for row in jobs] == [State.ENCODED]
    later = [row for row in house.rows() if row.series_instance_uid == series]
    assert all(row.result is None or row.result.predecessor_sr_uid != told.report for row in later)
    with reading(house.node.engine) as session:
        assert session.execute(text(f"select count(*) from jobs where part='{LEVEL_CHECK_PART}'")).scalar() == 1


def test_a_check_is_in_the_audit_trail_and_no_log_row_or_message_names_the_patient(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    study, image = numbered_film(house)
    told = checked(house, image, patient=Patient(PATIENT_ID), report=True)
    journal = "\n".join(audited(house))
    assert "key or-2" in journal
    assert study in journal
    with house.node.engine.connect() as connection:
        rows = "".join(str(connection.execute(text(f"select * from {table}")).all()) for table in ("checks", "jobs"))
    spoken = "".join(capsys.readouterr()) + rows + journal + json.dumps(dict(told.stored.evidence), default=str)
    for secret in SECRETS:
        assert secret not in spoken


def test_a_wider_policy_of_the_site_is_printed_in_the_verdict(house: House) -> None:
    _, image = numbered_film(house)
    house.set(check_widened_by=("by appearance",), check_probability=0.8)
    answer = checked(house, image).stored.check
    assert answer.policy.widened_by == ("by appearance",)
    assert answer.policy.probability == 0.8
    assert answer.reason is Why.BASIS_NOT_CONFIRMED  # what the stub counts from is not on the list
