"""Which numbered structure lies at a marked place, or why none can be named there.

A mark counts as on a structure when it lies clearly inside it: a mark on the edge, or where two names reach, is on
neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numbering.anatomy import Level
from numbering.levelcheck.answer import Mark, Why
from numbering.levelcheck.regions import Region, in_order, regions
from numbering.record.model import PatientRecord, SeriesEntry, Structure

EDGE = 0.04
"""A mark nearer to an edge than this share of a body's height (about 1 mm) is on the edge…"""
CORE = 0.25
"""…or than this share of the thickness of a thin disc."""


@dataclass(frozen=True)
class Located:
    """The structure at a mark and the result that names it; or why there is none, and the names that lie near."""

    structure: Structure | None = None
    entry: SeriesEntry | None = None
    why: Why | None = None
    near: tuple[str, ...] = ()


def locate(mark: Mark, record: PatientRecord) -> Located:
    """What the record knows of the marked place."""
    entries = [entry for entry in record.series if mark.place.sop_instance_uid in entry.images]
    if not entries:
        return Located(why=Why.IMAGE_NOT_KNOWN)
    on_image = [(entry, _on_image(entry, mark)) for entry in entries]
    if not any(structures for _, structures in on_image):
        return Located(why=Why.NOTHING_NUMBERED)
    if not all(in_order(structures) for _, structures in on_image):
        return Located(why=Why.OUT_OF_ORDER)
    reached = [(entry, region) for entry, structures in on_image for region in regions(structures)]
    return _decide((mark.place.x, mark.place.y), reached)


def _on_image(entry: SeriesEntry, mark: Mark) -> Sequence[Structure]:
    where = mark.place.sop_instance_uid, mark.place.frame
    return [one for one in entry.structures if (one.place.sop_instance_uid, one.place.frame) == where]


def _decide(point: tuple[float, float], reached: Sequence[tuple[SeriesEntry, Region]]) -> Located:
    touched = [(entry, region) for entry, region in reached if region.distance(point) < _edge(region)]
    names = sorted({region.structure.name for _, region in touched}, key=_head_to_foot)
    if not touched or all(region.distance(point) > 0 for _, region in touched):
        return Located(why=Why.OUTSIDE, near=tuple(names))
    if len(names) > 1:
        results = {id(entry) for entry, _ in touched}
        return Located(why=Why.BETWEEN if len(results) == 1 else Why.TWO_NAMES, near=tuple(names))
    inside = [(entry, region) for entry, region in touched if region.distance(point) <= -_edge(region)]
    if not inside:
        return Located(why=Why.BETWEEN, near=tuple(names))
    entry, region = max(inside, key=lambda one: _strength(one[1].structure))
    return Located(region.structure, entry)


def _edge(region: Region) -> float:
    return min(EDGE * region.height, CORE * region.thickness)


def _strength(structure: Structure) -> tuple[bool, float]:
    return structure.basis.confirmed, structure.probability


def _head_to_foot(name: str) -> tuple[int, ...]:
    order = list(Level)
    return tuple(order.index(Level.parse(part)) for part in name.split("-"))
