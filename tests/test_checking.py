"""Whose plan and mark are: every way of telling the plan's patient, against every patient of the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from numbering.checking import Question, ask, marked, side_of
from numbering.checking.question import Misused
from numbering.levelcheck import Policy, Side, Verdict, Whose, parse_plan
from numbering.levelcheck.answer import Why
from numbering.priors.source import Patient
from numbering.record import PatientRecord
from tests import spines

ANNA, BEN = Patient("ANNA"), Patient("BEN")
STUDIES = {spines.STUDY: "ANNA", "1.2.77": "BEN"}


@dataclass
class TwoPatients:
    """Anna's image is counted from C2; Ben has a study and nothing numbered."""

    image_of: str | None = "ANNA"
    read: list[str] = field(default_factory=list)

    def patient(self, patient: Patient) -> str:
        return patient.patient_id

    def of_image(self, sop_instance_uid: str) -> str | None:
        return self.image_of

    def of_study(self, study_instance_uid: str) -> str | None:
        return STUDIES.get(study_instance_uid)

    def record(self, owner: str) -> PatientRecord:
        self.read.append(owner)
        return spines.record(spines.entry(spines.structures())) if owner == "ANNA" else PatientRecord()

    def file(self, sop_instance_uid: str) -> Path | None:
        return None


def question(*patients: Patient, plan_study: str | None = None, planned: str = "L4") -> Question:
    return Question(plan=parse_plan(planned), mark=spines.mark("L4"), patients=patients, plan_study=plan_study)


def test_plan_patient_and_mark_must_all_be_one_patients() -> None:
    told = [(), (ANNA,), (BEN,), (ANNA, ANNA), (ANNA, BEN), (BEN, ANNA)]
    agreed = 0
    for patients, study, image_of in product(told, (None, spines.STUDY, "1.2.77", "1.2.88"), ("ANNA", "BEN", None)):
        known = TwoPatients(image_of)
        answered = ask(question(*patients, plan_study=study), known, Policy())
        everyone = {one.patient_id for one in patients} | {STUDIES.get(study or ""), image_of}
        if len(everyone - {None}) > 1:
            assert answered.whose is Whose.ANOTHER
            assert answered.check.reason is Why.ANOTHER_PATIENT
            assert answered.check.statement.startswith("CANNOT CONFIRM. STOP.")
        if answered.check.verdict is Verdict.AGREES:
            assert everyone - {None} == {"ANNA"}
            agreed += 1
        assert set(known.read) <= everyone
        assert len(known.read) <= 1
    assert agreed


def test_the_record_that_is_read_is_that_of_the_plans_patient() -> None:
    known = TwoPatients("ANNA")
    ask(question(BEN), known, Policy())
    assert known.read == ["BEN"]


def test_without_a_patient_agreement_says_that_nobody_told() -> None:
    answered = ask(question(), TwoPatients(), Policy())
    assert (answered.whose, answered.check.verdict) == (Whose.NOT_TOLD, Verdict.AGREES)
    assert "Nobody said whose plan it is: make sure that it is this patient's." in answered.check.statement
    told = ask(question(ANNA), TwoPatients(), Policy())
    assert (told.whose, told.check.verdict) == (Whose.SAME, Verdict.AGREES)
    assert "Nobody said" not in told.check.statement


def test_the_evidence_is_the_record_as_it_was_and_names_no_patient() -> None:
    evidence = ask(question(ANNA, plan_study=spines.STUDY), TwoPatients(), Policy()).evidence()
    assert PatientRecord.model_validate(evidence["record"]) == TwoPatients().record("ANNA")
    assert "ANNA" not in str(evidence)


def test_a_mark_keeps_the_place_to_the_digit() -> None:
    mark = marked(" 1.2.3#12:310.5,-0.25 ", side_of("l"))
    assert mark.place.model_dump() == {"sop_instance_uid": "1.2.3", "frame": 12, "x": 310.5, "y": -0.25}
    assert mark.side is Side.LEFT


@pytest.mark.parametrize("text", ["left", "", "LR", "B"])
def test_a_side_is_l_or_r(text: str) -> None:
    with pytest.raises(Misused):
        side_of(text)
