"""Level checks are filed once, found by their patient, and never changed, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete, text, update
from sqlalchemy.exc import DBAPIError

from numbering.jobs.checks.store import CheckExists, check, checks_of, file_check
from numbering.jobs.record.rows import CheckRow, IdentityRow, RecordRow, StudyRow
from numbering.jobs.store import reading, writing
from numbering.levelcheck import Check, Policy, judge, parse_plan
from numbering.record import PatientRecord
from tests.databases import BOTH, database

UNCHANGEABLE = "never changed nor removed"


@pytest.fixture(scope="module", params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with database(request.param, tmp_path_factory.mktemp("checks")) as engine:
        yield engine


def answer(plan: str = "L4-L5") -> Check:
    """A check without a mark, which cannot confirm anything."""
    return judge(parse_plan(plan), None, PatientRecord(), Policy())


def test_a_check_is_found_again_as_it_was_filed(engine: Engine) -> None:
    filed = file_check(
        engine,
        answer(),
        asked_by="or-2",
        study_uid="1.2.3",
        evidence={"record_version": 4},
        key_images=["checks/1.png"],
    )
    assert check(engine, filed.uid) == filed
    assert (filed.check, filed.evidence, filed.key_images) == (answer(), {"record_version": 4}, ("checks/1.png",))
    assert filed in checks_of(engine, "1.2.3")
    with pytest.raises(LookupError):
        check(engine, "1.2.404")


def test_filing_again_is_the_same_check_and_another_one_is_refused(engine: Engine) -> None:
    first = file_check(engine, answer("L4"), asked_by="or-2", uid="2.25.77", study_uid="1.7")
    assert file_check(engine, answer("L4"), asked_by="or-2", uid="2.25.77", study_uid="1.7") == first
    with pytest.raises(CheckExists):
        file_check(engine, answer("L5"), asked_by="or-2", uid="2.25.77", study_uid="1.7")
    assert checks_of(engine, "1.7") == [first]


def test_the_database_refuses_to_change_or_remove_a_check(engine: Engine) -> None:
    filed = file_check(engine, answer(), asked_by="or-2")
    statements = [update(CheckRow).values(verdict="AGREES"), delete(CheckRow)]
    if engine.dialect.name == "postgresql":
        statements.append(text("TRUNCATE checks"))  # type: ignore[arg-type]
    for statement in statements:
        with pytest.raises(DBAPIError, match=UNCHANGEABLE), writing(engine) as session:
            session.execute(statement)
    with reading(engine) as session:
        assert session.get_one(CheckRow, filed.uid).verdict == "CANNOT CONFIRM"


def test_checks_of_a_patient_are_those_of_all_studies_and_merged_identifiers(engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all([RecordRow(id="r1"), RecordRow(id="r2")])
        session.flush()
        pseudonyms = {"hmac:a": "r1", "hmac:b": "r1", "hmac:c": "r2"}
        session.add_all(IdentityRow(pseudonym=name, record_id=record) for name, record in pseudonyms.items())
        session.flush()
        studies = {"1.21": "hmac:a", "1.22": "hmac:b", "1.23": "hmac:c"}
        session.add_all(StudyRow(study_uid=uid, pseudonym=name) for uid, name in studies.items())
    ours = [file_check(engine, answer(), asked_by="x", study_uid=uid).uid for uid in ("1.21", "1.22")]
    file_check(engine, answer(), asked_by="x", study_uid="1.23")
    assert [one.uid for one in checks_of(engine, "1.21")] == ours
    assert [one.uid for one in checks_of(engine, "1.22")] == ours
