"""The one function behind the command and the REST call: whose plan and mark are, then what the record says.

Only the record of the plan's own patient is consulted.
"""

from __future__ import annotations

from dataclasses import dataclass

from numbering.checking.known import Known, Owner
from numbering.checking.question import Question
from numbering.levelcheck import Check, Policy, Whose, judge
from numbering.record import PatientRecord


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A check with what it rests on: the record as it was then, and whether plan and mark are one patient's."""

    question: Question
    check: Check
    record: PatientRecord
    whose: Whose

    def evidence(self) -> dict[str, object]:
        """What is kept beside the answer, as JSON. UIDs and names of vertebrae; nothing of the patient."""
        return {
            "record": self.record.model_dump(mode="json"),
            "whose": str(self.whose),
            "plan_source": self.question.plan_source,
            "plan_study": self.question.plan_study,
        }


def ask(question: Question, known: Known, policy: Policy) -> Answered:
    """Check a plan at a mark.

    Whoever is named as the plan's patient must be the marked image's: else nothing is confirmed, and the answer says so
    before all else. Where nobody is named, the marked image's patient is taken, and AGREES says that.
    """
    told = _told(question, known)
    marked = known.of_image(question.mark.place.sop_instance_uid) if question.mark else None
    whose = _whose(told, marked)
    owner = told[0] if told else marked
    record = known.record(owner) if owner is not None else PatientRecord()
    check = judge(question.plan, question.mark, record, policy, plan_study=question.plan_study, whose=whose)
    return Answered(question=question, check=check, record=record, whose=whose)


def _told(question: Question, known: Known) -> list[Owner]:
    """Whose the plan is, by each who tells. A plan's study that is not known here tells nothing."""
    told = [known.patient(patient) for patient in question.patients]
    of_study = known.of_study(question.plan_study) if question.plan_study else None
    return [*told, of_study] if of_study is not None else told


def _whose(told: list[Owner], marked: Owner | None) -> Whose:
    """An image whose patient is not known contradicts nobody; it is then not among the patient's images."""
    if len({*told, *([marked] if marked is not None else [])}) > 1:
        return Whose.ANOTHER
    return Whose.SAME if told else Whose.NOT_TOLD
