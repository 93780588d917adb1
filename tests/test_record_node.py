"""One record a patient on a node: corrections, better anchors, merges, crashes; the objects that come of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select, text

from numbering.jobs import steps
from numbering.jobs.concluding import conclude_due
from numbering.jobs.corrections import By, Said, corrections, file_corrections, withdraw
from numbering.jobs.record_models import RecordRow
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from tests.house import House, running_house
from tests.records import jobs, middle, names, numbered, objects, settle
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
