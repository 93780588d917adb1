"""What is asked: plans that are right and plans that are wrong, and marks where a person would set them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.level_checks.layout import PIXEL_MM, Spine
from benchmarks.level_checks.views import IMAGE, FieldOfView
from numbering.anatomy import USUAL, Level
from numbering.levelcheck import Kind, Mark, Plan, Side
from numbering.levelcheck.answer import Place

KINDS = {Kind.VERTEBRA: 0.3, Kind.DISC: 0.55, Kind.RANGE: 0.15}
SIDED, TRAPPED, WRONG_SIDE = 0.4, 0.5, 0.1
MARK_MM = 1.0
"""Standard deviation of a mark about the middle of what is meant, in either direction: a click on a viewer."""
STEPS = {1: 0.45, -1: 0.4, 2: 0.1, -2: 0.05}
"""By how many levels a wrong plan is off, towards the foot."""


@dataclass(frozen=True)
class Asked:
    """A plan and a mark, and whether the plan names what the mark is on."""

    plan: Plan
    mark: Mark
    right: bool
    error: Literal["", "level", "planner's count", "side"] = ""


def ask(rng: np.random.Generator, spine: Spine, view: FieldOfView, right: bool) -> Asked:
    """One question about a structure in view."""
    kind = Kind(rng.choice(list(KINDS), p=list(KINDS.values())))
    index = _index(rng, spine, view, kind)
    side = Side(rng.choice(list(Side))) if rng.random() < SIDED else None
    centre = spine.disc(index) if kind is Kind.DISC else spine.body(index)
    names = spine.levels
    if right:
        return Asked(_plan(rng, names, index, kind, side), _mark(rng, centre, side), True)
    if side and rng.random() < WRONG_SIDE / SIDED:
        other = Side.RIGHT if side is Side.LEFT else Side.LEFT
        return Asked(_plan(rng, names, index, kind, side), _mark(rng, centre, other), False, "side")
    if not spine.usual and rng.random() < TRAPPED:
        told = _counted_from_below(spine)
        trapped = _plan(rng, told, index, kind, side)
        if not _names_it(trapped, spine, index, kind):
            return Asked(trapped, _mark(rng, centre, side), False, "planner's count")
    return Asked(_off(rng, spine, index, kind, side), _mark(rng, centre, side), False, "level")


def _index(rng: np.random.Generator, spine: Spine, view: FieldOfView, kind: Kind) -> int:
    """Most operations are lumbar: a structure's weight grows towards the sacrum, as far as it is in view."""
    places = np.arange(view.first(spine), len(spine.levels) - (0 if kind is Kind.VERTEBRA else 1))
    weights = np.where(np.array([spine.levels[place] >= Level.L1 for place in places]), 4.0, 1.0)
    return int(rng.choice(places, p=weights / weights.sum()))


def _plan(rng: np.random.Generator, names: tuple[Level, ...], index: int, kind: Kind, side: Side | None) -> Plan:
    if kind is Kind.VERTEBRA:
        return Plan(kind, (names[index],), side)
    if kind is Kind.DISC:
        return Plan(kind, (names[index], names[index + 1]), side)
    first = max(0, index - int(rng.integers(0, 3)))
    last = min(len(names) - 1, max(first + 2, index + int(rng.integers(0, 3))))
    return Plan(kind, _spelt_out(names[first], names[last]), side)


def _spelt_out(first: Level, last: Level) -> tuple[Level, ...]:
    """As the grammar spells a range out: by the usual spine, with the T13 or L6 that is named."""
    ends = {first, last}
    return tuple(level for level in Level if first <= level <= last and (level in USUAL.levels() or level in ends))


def _off(rng: np.random.Generator, spine: Spine, index: int, kind: Kind, side: Side | None) -> Plan:
    """The plan of another structure of this spine, by `STEPS`; a range that does not reach the marked one."""
    size = len(spine.levels) - (0 if kind is Kind.VERTEBRA else 1)
    step = int(rng.choice(list(STEPS), p=list(STEPS.values())))
    other = index + step if 0 <= index + step < size else index - step
    other = min(max(other, 0), size - 1)
    if kind is not Kind.RANGE:
        return _plan(rng, spine.levels, other, kind, side)
    below = index + abs(step) + 2 < len(spine.levels)
    first, last = (index + abs(step), index + abs(step) + 2) if below else (index - abs(step) - 2, index - abs(step))
    return Plan(kind, _spelt_out(spine.levels[first], spine.levels[last]), side)


def _counted_from_below(spine: Spine) -> tuple[Level, ...]:
    """What a planner says who counts up from the sacrum and expects the usual spine."""
    usual = USUAL.levels()
    sacrum = usual.index(Level.S1)
    return tuple(usual[max(0, sacrum - (len(spine.levels) - 1 - index))] for index in range(len(spine.levels)))


def _names_it(plan: Plan, spine: Spine, index: int, kind: Kind) -> bool:
    """Whether a plan names the marked structure all the same."""
    marked = spine.levels[index : index + (2 if kind is Kind.DISC else 1)]
    return set(marked) <= set(plan.levels) if kind is Kind.RANGE else tuple(marked) == plan.levels


def _mark(rng: np.random.Generator, centre: tuple[float, float], side: Side | None) -> Mark:
    x, y = np.array(centre) + rng.normal(0, MARK_MM / PIXEL_MM, 2)
    return Mark(place=Place(sop_instance_uid=IMAGE, frame=None, x=float(x), y=float(y)), side=side)
