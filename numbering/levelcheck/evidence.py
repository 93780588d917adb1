"""The parts of an answer that only tell what was asked and known: no verdict is made here."""

from __future__ import annotations

from numbering.levelcheck.answer import (
    AppliedPolicy,
    Found,
    FoundBasis,
    Mark,
    OtherName,
    Place,
    Planned,
    Says,
    SeriesSays,
)
from numbering.levelcheck.place import Located, locate
from numbering.levelcheck.plan import Plan
from numbering.levelcheck.policy import Policy
from numbering.levelcheck.relation import Relation, relate
from numbering.levelcheck.spine import contradictions_about, names_of
from numbering.levelcheck.statement import Catalogue
from numbering.record.model import CONFIRMABLE, PatientRecord, SeriesEntry, Structure


def planned_of(plan: Plan | None) -> Planned:
    """A plan that was not understood names nothing."""
    if plan is None:
        return Planned(name=None, kind=None, levels=(), side=None)
    return Planned(name=plan.name, kind=plan.kind, levels=tuple(map(str, plan.levels)), side=plan.side)


def found_of(structure: Structure, policy: Policy) -> Found:
    """A structure as printed; whether its basis counts is for the policy to say."""
    other = structure.alternative
    return Found(
        name=structure.name,
        probability=structure.probability,
        place=Place(**structure.place.model_dump()),
        basis=FoundBasis(
            counted_from=structure.basis.counted_from,
            confirmed=policy.accepts(structure.basis),
            assumptions=structure.basis.assumptions,
        ),
        alternative=OtherName(name=other.name, probability=other.probability) if other else None,
    )


def applied(policy: Policy) -> AppliedPolicy:
    """The policy as printed."""
    widened = tuple(map(str, policy.widened_by))
    return AppliedPolicy(
        probability=policy.probability,
        confirmed_bases=(*map(str, CONFIRMABLE), *widened),
        widened_by=widened,
    )


def says(
    entry: SeriesEntry,
    plan: Plan | None,
    mark: Mark | None,
    located: Located,
    record: PatientRecord,
    policy: Policy,
    words: Catalogue,
) -> SeriesSays:
    """What one series, taken by itself, says of the plan at the mark. ``located`` is what all of them say together."""
    verdict, reason = Says.SILENT, words["series-not-asked"]
    if plan is not None and mark is not None:
        own = located if located.entry is entry else locate(mark, PatientRecord(series=(entry,)))
        verdict, reason = _at_mark(entry, plan, own.structure, record, policy, words)
    return SeriesSays(
        series_instance_uid=entry.series_instance_uid,
        says=verdict,
        reason=reason or None,
    )


def _at_mark(
    entry: SeriesEntry,
    plan: Plan,
    structure: Structure | None,
    record: PatientRecord,
    policy: Policy,
    words: Catalogue,
) -> tuple[Says, str]:
    for contradiction in contradictions_about(record, names_of(plan, structure)):
        if entry.series_instance_uid in contradiction.series:
            return Says.DISAGREES, contradiction.text
    if not entry.structures:
        return Says.SILENT, entry.reason or words["series-unnumbered"]
    if structure is None:
        return Says.SILENT, words["series-elsewhere"]
    if not policy.accepts(structure.basis) or structure.probability < policy.probability:
        return Says.SILENT, words["series-unsure"].format(found=structure.name)
    relation = relate(structure, plan)
    if relation is Relation.BORDERS:
        return Says.SILENT, words["series-borders"].format(found=structure.name)
    return (Says.AGREES, "") if relation is Relation.SAME else (Says.DISAGREES, structure.name)
