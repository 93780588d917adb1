"""What is peculiar in this patient: contradictions, a spine that is not the usual one, doubt at the sacrum."""

from __future__ import annotations

from collections.abc import Iterator

from numbering.anatomy import USUAL, Level
from numbering.levelcheck.plan import Plan, levels_between
from numbering.levelcheck.vocabulary import Kind
from numbering.record.model import BasisKind, Contradiction, PatientRecord, Structure

RARE = frozenset({Level.T13, Level.L6})


def contradictions_about(record: PatientRecord, levels: set[str]) -> Iterator[Contradiction]:
    """The contradictions that put any of these vertebrae in doubt."""
    for contradiction in record.contradictions:
        doubted = {part for name in contradiction.levels for part in name.split("-")}
        if not doubted or doubted & levels:
            yield contradiction


def names_of(plan: Plan, structure: Structure | None) -> set[str]:
    """The vertebrae that a check is about."""
    return {str(level) for level in (*plan.levels, *(structure.levels if structure else ()))}


def unusual(record: PatientRecord) -> bool:
    """Whether this spine is more likely than not another than seven cervical, twelve thoracic, five lumbar."""
    named = {level for entry in record.series for one in entry.structures for level in one.levels}
    return bool(named & RARE) or (bool(record.variants) and _likeliest(record) != USUAL)


def describe(record: PatientRecord) -> str:
    """The likeliest variant: ``7C+12T+6L``; or, where none is known, the unusual vertebrae by name."""
    if record.variants:
        return str(_likeliest(record))
    named = {level for entry in record.series for one in entry.structures for level in one.levels}
    return ", ".join(str(level) for level in sorted(named & RARE))


def counted_otherwise(record: PatientRecord, plan: Plan, structure: Structure, least: float) -> bool:
    """Whether a range, marked within its ends, may hold other vertebrae in this spine than the plan spells out.

    A variant counts when it is not excluded with the probability that the policy asks for.
    """
    first, last = plan.levels[0], plan.levels[-1]
    if plan.kind is not Kind.RANGE or not any(first <= level <= last for level in structure.levels):
        return False
    named = {level for entry in record.series for one in entry.structures for level in one.levels}
    if any(first < level < last and level not in plan.levels for level in named):
        return True
    possible = [one.variant for one in record.variants if one.probability > 1 - least]
    return any(levels_between(first, last, variant) != plan.levels for variant in possible)


def doubtful_at_sacrum(record: PatientRecord, plan: Plan, structure: Structure) -> bool:
    """Whether a suspected transitional vertebra leaves open what a planner calls this place or the planned one.

    A verified human correction has settled it.
    """
    if not record.transition.suspected or structure.basis.kind is BasisKind.HUMAN_CORRECTION:
        return False
    planned = plan.levels if plan.kind is not Kind.RANGE else ()
    return structure.levels[-1] >= Level.L5 and max(*structure.levels, *planned, Level.C1) >= Level.L6


def _likeliest(record: PatientRecord) -> object:
    return max(record.variants, key=lambda share: share.probability).variant
