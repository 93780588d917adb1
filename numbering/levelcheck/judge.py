"""The verdict: a marked place against a planned name, by what is known of the patient.

AGREES and DISAGREES come after a list of doubts. The first doubt that holds makes it CANNOT CONFIRM, and so does
everything that is not understood before a structure is found at the mark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from numbering.levelcheck.answer import Check, Mark, Verdict, Why
from numbering.levelcheck.evidence import applied, found_of, planned_of, says
from numbering.levelcheck.place import Located, locate
from numbering.levelcheck.plan import NotUnderstood, Plan
from numbering.levelcheck.policy import Policy
from numbering.levelcheck.relation import Relation, known, relate
from numbering.levelcheck.spine import (
    contradictions_about,
    counted_otherwise,
    describe,
    doubtful_at_sacrum,
    names_of,
    unusual,
)
from numbering.levelcheck.statement import ENGLISH, Catalogue, Facts, statement
from numbering.levelcheck.vocabulary import Whose
from numbering.record.model import PatientRecord, Structure


@dataclass(frozen=True, kw_only=True)
class Question:
    """All that a check is asked with."""

    plan: Plan
    mark: Mark
    record: PatientRecord
    policy: Policy
    plan_study: str | None


@dataclass(frozen=True)
class Decision:
    """A verdict, why it does not agree, and what the sentence about that needs."""

    verdict: Verdict
    why: Why | None
    details: Mapping[str, str] = field(default_factory=dict)


def judge(
    plan: Plan | NotUnderstood,
    mark: Mark | None,
    record: PatientRecord,
    policy: Policy,
    *,
    plan_study: str | None = None,
    whose: Whose = Whose.SAME,
    words: Catalogue = ENGLISH,
) -> Check:
    """The check of a plan at a mark. ``plan_study`` is the Study Instance UID of the images that the plan was made on.

    The record must be that of the patient whose plan it is; ``whose`` says whether the mark is that patient's too.
    """
    located = Located()
    if whose is Whose.ANOTHER:
        decision = Decision(Verdict.CANNOT_CONFIRM, Why.ANOTHER_PATIENT)
    elif isinstance(plan, NotUnderstood):
        decision = Decision(Verdict.CANNOT_CONFIRM, Why.PLAN_NOT_UNDERSTOOD, {"unclear": plan.why})
    elif mark is None:
        decision = Decision(Verdict.CANNOT_CONFIRM, Why.NO_MARK)
    else:
        located = locate(mark, record)
        question = Question(plan=plan, mark=mark, record=record, policy=policy, plan_study=plan_study)
        decision = decide(question, located)
    return _check(plan if isinstance(plan, Plan) else None, mark, record, policy, decision, located, whose, words)


def decide(question: Question, located: Located) -> Decision:
    """The verdict on what lies at the mark."""
    structure = located.structure
    if structure is None:
        return Decision(Verdict.CANNOT_CONFIRM, located.why or Why.OUTSIDE, {"near": ", ".join(located.near)})
    details = _details(question, structure)
    for why, holds in DOUBTS.items():
        if holds(question, structure):
            return Decision(Verdict.CANNOT_CONFIRM, why, details)
    plan, mark = question.plan, question.mark
    if relate(structure, plan) is Relation.OTHER:
        return Decision(Verdict.DISAGREES, Why.ANOTHER_LEVEL, details)
    if plan.side is not None and mark.side is not plan.side:
        return Decision(Verdict.DISAGREES, Why.OTHER_SIDE, details)
    return Decision(Verdict.AGREES, None, details)


def _contradicted(question: Question, structure: Structure) -> bool:
    return any(contradictions_about(question.record, names_of(question.plan, structure)))


def _not_confirmed(question: Question, structure: Structure) -> bool:
    return not question.policy.accepts(structure.basis)


def _improbable(question: Question, structure: Structure) -> bool:
    return structure.probability < question.policy.probability


def _transitional(question: Question, structure: Structure) -> bool:
    return doubtful_at_sacrum(question.record, question.plan, structure)


def _range_means_other(question: Question, structure: Structure) -> bool:
    return counted_otherwise(question.record, question.plan, structure, question.policy.probability)


def _borders(question: Question, structure: Structure) -> bool:
    return relate(structure, question.plan) is Relation.BORDERS


def _no_side(question: Question, structure: Structure) -> bool:
    """A side that differs is no doubt; one that is missing is, when the level is the planned one."""
    missing = question.plan.side is not None and question.mark.side is None
    return missing and relate(structure, question.plan) is Relation.SAME


def _plan_study_not_confirmed(question: Question, structure: Structure) -> bool:
    """In an unusual spine, a plan that was made on uncounted images may call its vertebra by another name."""
    record = question.record
    if question.plan_study is None or relate(structure, question.plan) is not Relation.SAME:
        return False
    if not unusual(record) and not record.transition.suspected:
        return False
    entries = [entry for entry in record.series if entry.study_instance_uid == question.plan_study]
    named = [one for entry in entries for one in entry.structures]
    return not named or not all(question.policy.accepts(one.basis) for one in named)


DOUBTS: Mapping[Why, Callable[[Question, Structure], bool]] = {
    Why.CONTRADICTED: _contradicted,
    Why.BASIS_NOT_CONFIRMED: _not_confirmed,
    Why.PROBABILITY_TOO_LOW: _improbable,
    Why.TRANSITION_SUSPECTED: _transitional,
    Why.RANGE_MEANS_OTHER: _range_means_other,
    Why.BORDERS_THE_PLAN: _borders,
    Why.PLAN_STUDY_NOT_CONFIRMED: _plan_study_not_confirmed,
    Why.SIDE_NOT_GIVEN: _no_side,
}
"""In this order: what is doubted of the patient and of the name comes before what is doubted of the plan."""


def _details(question: Question, structure: Structure) -> dict[str, str]:
    record = question.record
    texts = [one.text for one in contradictions_about(record, names_of(question.plan, structure))]
    details = {"contradiction": " ".join(texts), "evidence": "; ".join(record.transition.evidence)}
    return details | ({"spine": describe(record)} if unusual(record) else {})


def _check(
    plan: Plan | None,
    mark: Mark | None,
    record: PatientRecord,
    policy: Policy,
    decision: Decision,
    located: Located,
    whose: Whose,
    words: Catalogue,
) -> Check:
    structure = located.structure
    agrees = decision.verdict is Verdict.AGREES
    places = tuple(found_of(one, policy) for one in known(plan, record)) if plan and not agrees else ()
    facts = Facts(
        verdict=decision.verdict,
        why=decision.why,
        planned=planned_of(plan),
        mark=mark,
        found=found_of(structure, policy) if structure else None,
        basis=structure.basis.kind if structure else None,
        known=bool(places),
        policy=policy,
        whose=whose,
        details=decision.details,
    )
    return Check(
        verdict=facts.verdict,
        reason=facts.why,
        planned=facts.planned,
        mark=mark,
        found=facts.found,
        statement=statement(facts, words),
        known=places,
        series=tuple(says(entry, plan, mark, located, record, policy, words) for entry in record.series),
        policy=applied(policy),
    )
