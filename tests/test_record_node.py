"""One record a patient on a node: corrections, better anchors, merges, crashes; the objects that come of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import delete, select, text

from numbering.anatomy import Variant
from numbering.jobs import steps
from numbering.jobs.record.concluding import conclude_due
from numbering.jobs.record.corrections import By, Said, corrections, file_corrections, withdraw
from numbering.jobs.record.filing import record
from numbering.jobs.record.identities import (
    SeveralPatients,
    file_known_studies,
    merge,
    record_of_patient,
    record_of_study,
    split,
)
from numbering.jobs.record.rows import RecordRow, StudyRow
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from numbering.priors.source import Patient
from numbering.record.model import BasisKind, SeriesEntry
from numbering.result import Findings, NumberingBasis, Status, Vertebra
from numbering.study import Radiograph
from tests.house import House, running_house
from tests.postgres import temporary_postgres
from tests.records import jobs, middle, names, numbered, objects, settle
from tests.stub_pipeline import Stub
from tests.tools import complaints, dumped

READER = By(source="rest", account="reading-room", person="Reader^Rita", organisation="Example Hospital")
SOMEBODY = By(source="command", account="root")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as house:
        yield house


def correct(house: House, film: Path, name: str, by: By = READER) -> str:
    (filed,) = file_corrections(house.node.engine, [Said(place=middle(film), name=name)], by)
    settle(house)
    return filed.uid


def test_a_correction_supersedes_the_report_and_retires_its_objects(house: House) -> None:
    film = numbered(house)
    correct(house, film, "L6")
    first, second = jobs(house)
    assert (first.state, first.superseded_by, second.state) == (State.SUPERSEDED, second.id, State.ENCODED)
    assert (names(first), names(second)) == (["L5"], ["L6"])
    old, new = objects(house, first), objects(house, second)
    assert (sorted(old), sorted(new)) == (["PR", "SR"], ["KO", "PR", "SR"])
    report = dcmread(new["SR"])
    (study,) = report.PredecessorDocumentsSequence
    assert (
        study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.objects[0].sop_uid
    )
    retired = dcmread(new["KO"])
    named = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in retired.ContentSequence
        if item.ValueType == "COMPOSITE"
    }
    assert named == {row.sop_uid for row in first.objects}
    assert retired.ConceptNameCodeSequence[0].CodeValue == "113037"
    for path in new.values():
        assert complaints(path) == []
    assert "L6" in dumped(new["SR"])
    dumped(new["KO"])


def test_only_an_authenticated_person_of_an_organisation_makes_a_verified_report(house: House) -> None:
    film, other = numbered(house), numbered(house)
    correct(house, film, "L6", READER)
    correct(house, other, "L6", SOMEBODY)
    by_study = {job.study_uid: dcmread(objects(house, job)["SR"]) for job in jobs(house) if job.revision == 2}
    verified, unverified = (by_study[dcmread(path).StudyInstanceUID] for path in (film, other))
    (observer,) = verified.VerifyingObserverSequence
    assert (str(observer.VerifyingObserverName), observer.VerifyingOrganization) == (READER.person, READER.organisation)
    assert (verified.VerificationFlag, verified.PreliminaryFlag) == ("VERIFIED", "FINAL")
    assert "unverified" not in verified.SeriesDescription
    assert (unverified.VerificationFlag, "VerifyingObserverSequence" in unverified) == ("UNVERIFIED", False)
    assert "unverified" in unverified.SeriesDescription


def test_a_correction_stands_when_the_film_is_numbered_again(house: House) -> None:
    film = numbered(house)
    correct(house, film, "L6")
    header = dcmread(film)
    late = house.film(StudyInstanceUID=header.StudyInstanceUID, SeriesInstanceUID=header.SeriesInstanceUID)
    house.receive(late)
    house.assemble()
    house.work()
    latest = max(jobs(house), key=lambda job: job.revision)
    found = {one["sop_instance_uid"]: one["level"] for one in json.loads(latest.result or "")["findings"]["vertebrae"]}
    assert found == {header.SOPInstanceUID: "L6", dcmread(late).SOPInstanceUID: "L5"}
    assert latest.state == State.ENCODED
    report = dcmread(objects(house, latest)["SR"])
    assert report.VerificationFlag == "UNVERIFIED"  # of this run, nobody has verified anything


def test_a_correction_that_is_taken_back_leaves_no_trace_in_the_names(house: House) -> None:
    film = numbered(house)
    uid = correct(house, film, "L6")
    withdraw(house.node.engine, uid, READER)
    settle(house)
    assert [names(job) for job in jobs(house)] == [["L5"], ["L6"], ["L5"]]
    assert corrections(house.node.engine) == []
    assert [row.uid for row in corrections(house.node.engine, withdrawn=True)] == [uid]


def test_a_crash_before_the_conclusion_is_healed_by_the_sweeper(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    film = numbered(house)
    with monkeypatch.context() as crash:
        crash.setattr(steps, "conclude_study", killed)
        file_corrections(house.node.engine, [Said(place=middle(film), name="L6")], READER)
        assert [names(job) for job in jobs(house)] == [["L5"]]
    settle(house)
    assert [names(job) for job in jobs(house)] == [["L5"], ["L6"]]
    with reading(house.node.engine) as session:
        assert [row.version - row.concluded for row in session.scalars(select(RecordRow))] == [0]


def killed(*_: object) -> None:
    raise SystemExit("killed")


def test_a_worker_killed_between_storing_and_concluding_loses_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = numbered(house)
    correct(house, film, "L6")
    header = dcmread(film)
    house.receive(house.film(StudyInstanceUID=header.StudyInstanceUID, SeriesInstanceUID=header.SeriesInstanceUID))
    house.assemble()
    with monkeypatch.context() as crash:
        crash.setattr(steps, "conclude_study", killed)
        with pytest.raises(SystemExit):
            house.work()
    stored = max(jobs(house), key=lambda job: job.revision)
    assert (stored.state, names(stored), objects(house, stored)) == (State.INFERRED, ["L5", "L5"], {})
    settle(house)
    latest = max(jobs(house), key=lambda job: job.revision)
    assert sorted(names(latest)) == ["L5", "L6"]
    assert [bool(job.objects) for job in jobs(house)] == [True, True, False, True]


def test_concluding_again_changes_nothing(house: House) -> None:
    film = numbered(house)
    correct(house, film, "L6")
    with writing(house.node.engine) as session:
        for row in session.scalars(select(RecordRow)):
            row.version += 1
    assert conclude_due(house.node.engine) == []
    assert len(jobs(house)) == 2


def test_no_row_holds_anything_of_the_patient(house: House) -> None:
    film = numbered(house)
    correct(house, film, "L6")
    secrets = [str(dcmread(film).PatientID), "SECRET", "19010203", "1901-02-03"]
    assert "SECRET" in secrets[0]
    dump = house.folder / "dump"
    with reading(house.node.engine) as session:
        tables = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
        dump.write_text(
            "\n".join(str(row) for table in tables for row in session.execute(text(f"SELECT * FROM {table}")))
        )
    told = dump.read_text()
    assert "hmac:" in told
    assert [secret for secret in secrets if secret in told] == []


SIX_LUMBAR = [str(level) for level in Variant(12, 6).levels() if level.region in "CTL"] + ["S1"]


def findings(monkeypatch: pytest.MonkeyPatch, levels: list[str], counted_from: str) -> None:
    """Have the pipeline find these vertebrae, one below the other. No pipeline that is installed counts from C2."""

    def number(_: object, images: Sequence[Radiograph]) -> Findings:
        (image,) = images
        height = image.pixels.shape[0] / (len(levels) + 1)
        return Findings(
            status=Status.NUMBERED,
            vertebrae=tuple(
                Vertebra(
                    level=level,
                    probability=0.999,
                    sop_instance_uid=image.sop_instance_uid,
                    box=(20.0, height * (index + 0.1), 60.0, height * (index + 0.9)),
                )
                for index, level in enumerate(levels)
            ),
            basis=NumberingBasis(counted_from=counted_from, statement="as the test says"),
        )

    monkeypatch.setattr(Stub, "number", number)


def test_a_better_anchor_re_issues_what_was_presumed_before(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    findings(monkeypatch, ["L3", "L4", "L5"], "L5 by appearance")
    lumbar = numbered(house)
    findings(monkeypatch, SIX_LUMBAR, "C2")
    whole = numbered(house)
    settle(house)
    of_lumbar = [job for job in jobs(house) if job.study_uid == dcmread(lumbar).StudyInstanceUID]
    assert [names(job) for job in of_lumbar] == [["L3", "L4", "L5"], ["L4", "L5", "L6"]]
    new = objects(house, of_lumbar[-1])
    assert sorted(new) == ["KO", "PR", "SR"]
    assert [complaints(path) for path in new.values()] == [[], [], []]
    told = dumped(new["SR"])
    assert "6 lumbar-type vertebrae counted in another series" in told
    assert "Alternative numbering" in told
    assert dcmread(new["SR"]).VerificationFlag == "UNVERIFIED"
    here = entries(house, whole)
    assert {one.basis.kind for one in here[dcmread(lumbar).SeriesInstanceUID].structures} == {BasisKind.PRIOR}


def entries(house: House, film: Path) -> dict[str, SeriesEntry]:
    """The patient's record by series."""
    with reading(house.node.engine) as session:
        record_id = record_of_study(session, str(dcmread(film).StudyInstanceUID))
    assert record_id is not None
    return {entry.series_instance_uid: entry for entry in record(house.node.engine, record_id).series}


def test_another_patients_anchor_changes_nothing_until_the_two_are_said_to_be_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings(monkeypatch, ["L3", "L4", "L5"], "L5 by appearance")
    lumbar = numbered(house)
    findings(monkeypatch, SIX_LUMBAR, "C2")
    numbered(house, PatientID="OTHER-7")
    settle(house)
    study = dcmread(lumbar).StudyInstanceUID
    assert [names(job) for job in jobs(house) if job.study_uid == study] == [["L3", "L4", "L5"]]
    node = house.node
    one, other = Patient(str(dcmread(lumbar).PatientID)), Patient("OTHER-7")
    assert merge(node.engine, node.settings, other, one, told_by="test")
    settle(house)
    assert names([job for job in jobs(house) if job.study_uid == study][-1]) == ["L4", "L5", "L6"]
    assert split(node.engine, node.settings, other, told_by="test")
    settle(house)
    assert names([job for job in jobs(house) if job.study_uid == study][-1]) == ["L3", "L4", "L5"]


def test_the_same_id_of_two_issuers_is_two_patients(house: House) -> None:
    first, second = numbered(house, IssuerOfPatientID="A"), numbered(house, IssuerOfPatientID="B")
    nobody = [numbered(house, PatientID="") for _ in range(2)]
    with reading(house.node.engine) as session:
        studies = [str(dcmread(film).StudyInstanceUID) for film in (first, second, *nobody)]
        assert len({record_of_study(session, uid) for uid in studies}) == 4
        with pytest.raises(SeveralPatients):
            record_of_patient(session, house.node.settings, Patient(str(dcmread(first).PatientID)))


def test_a_study_that_comes_again_with_another_patient_id_is_that_patients(house: House) -> None:
    film, other = numbered(house), numbered(house, PatientID="OTHER-7")
    header = dcmread(film)
    header.PatientID = "OTHER-7"
    again = house.folder / "again.dcm"
    header.save_as(again)
    house.receive(again)
    house.assemble()
    with reading(house.node.engine) as session:
        records = {record_of_study(session, str(dcmread(path).StudyInstanceUID)) for path in (film, other)}
    assert len(records) == 1


def test_studies_that_an_earlier_version_numbered_are_filed_at_the_start(house: House) -> None:
    film = numbered(house)
    with writing(house.node.engine) as session:
        session.execute(delete(StudyRow))
    assert file_known_studies(house.node) == 1
    assert file_known_studies(house.node) == 0
    assert [one.name for one in entries(house, film)[dcmread(film).SeriesInstanceUID].structures] == ["L5"]


def test_a_fault_of_the_conclusion_withholds_no_result(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ArithmeticError("SECRET^NAME")

    with monkeypatch.context() as fault:
        fault.setattr("numbering.jobs.record.concluding.reissues", broken)
        film = numbered(house)
    assert [job.state for job in jobs(house)] == [State.ENCODED]
    with writing(house.node.engine) as session:
        (row,) = session.scalars(select(RecordRow))
        assert (row.failures, row.concluded < row.version, row.not_before is not None) == (1, True, True)
        row.not_before = None
    correct(house, film, "L6")
    assert [names(job) for job in jobs(house)] == [["L5"], ["L6"]]


def test_the_same_on_a_real_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_postgres() as url, running_house(tmp_path, monkeypatch, url) as house:
        film = numbered(house)
        correct(house, film, "L6")
        assert [(names(job), job.state) for job in jobs(house)] == [
            (["L5"], State.SUPERSEDED),
            (["L6"], State.ENCODED),
        ]
