"""How a numbered structure stands to a plan: the planned one, beside it, or another."""

from __future__ import annotations

from enum import Enum

from numbering.levelcheck.plan import Plan
from numbering.levelcheck.vocabulary import Kind
from numbering.record.model import PatientRecord, Structure


class Relation(Enum):
    """A disc borders the vertebra that is planned, and a vertebra the disc: a mark there is neither right nor wrong."""

    SAME = "same"
    BORDERS = "borders"
    OTHER = "other"


def relate(structure: Structure, plan: Plan) -> Relation:
    """By name alone. In a range lie its vertebrae and the discs between two of them."""
    shared = set(structure.levels) & set(plan.levels)
    if plan.kind is Kind.RANGE:
        if len(shared) == len(structure.levels):
            return Relation.SAME
        return Relation.BORDERS if shared else Relation.OTHER
    if structure.is_disc == (plan.kind is Kind.DISC):
        return Relation.SAME if structure.levels == plan.levels else Relation.OTHER
    return Relation.BORDERS if shared else Relation.OTHER


def known(plan: Plan, record: PatientRecord) -> list[Structure]:
    """Where the planned name is on this patient's images, confirmed places first; of a disc also its two vertebrae."""
    structures = [one for entry in record.series for one in entry.structures]
    named = [one for one in structures if relate(one, plan) is Relation.SAME]
    if not named and plan.kind is Kind.DISC:
        named = [one for one in structures if relate(one, plan) is Relation.BORDERS]
    return sorted(named, key=lambda one: (not one.basis.confirmed, -one.probability))
