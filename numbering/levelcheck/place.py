"""Which numbered structure lies at a marked place, or why none can be named there.

A mark counts as on a structure when it lies clearly inside it: a mark on the edge, or where two names reach, is on
neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numbering.levelcheck.answer import Mark, Why
from numbering.levelcheck.regions import Region, in_order, regions
from numbering.record.model import PatientRecord, SeriesEntry, Structure, levels_of

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
    if len(entries) > 1 and (odds := _at_odds(reached)):
        return Located(why=Why.TWO_NAMES, near=odds)
    return _decide((mark.place.x, mark.place.y), reached)


def _at_odds(reached: Sequence[tuple[SeriesEntry, Region]]) -> tuple[str, ...]:
    """Two names that different results give to one body or disc, anywhere on the image; none is the usual answer."""
    for entry, region in reached:
        for other, theirs in reached:
            one, another = region.structure, theirs.structure
            if entry is other or one.name == another.name or one.is_disc != another.is_disc:
                continue
            if region.distance((another.place.x, another.place.y)) < 0:
                return one.name, another.name
    return ()


def _on_image(entry: SeriesEntry, mark: Mark) -> Sequence[Structure]:
    where = mark.place.sop_instance_uid, mark.place.frame
    return [one for one in entry.structures if (one.place.sop_instance_uid, one.place.frame) == where]


def _decide(point: tuple[float, float], reached: Sequence[tuple[SeriesEntry, Region]]) -> Located:
    reaches = [_Reach(entry, region, region.distance(point)) for entry, region in reached]
    touched = [one for one in reaches if one.distance < one.edge]
    names = sorted({one.region.structure.name for one in touched}, key=levels_of)
    if all(one.distance > 0 for one in touched):
        return Located(why=Why.OUTSIDE, near=tuple(names))
    if len(names) > 1:
        results = {id(one.entry) for one in touched}
        return Located(why=Why.BETWEEN if len(results) == 1 else Why.TWO_NAMES, near=tuple(names))
    inside = [one for one in touched if one.distance <= -one.edge]
    if not inside:
        return Located(why=Why.BETWEEN, near=tuple(names))
    best = max(inside, key=lambda one: one.strength)
    return Located(best.region.structure, best.entry)


@dataclass(frozen=True)
class _Reach:
    """A region, whose result it is of, and how far the mark is from its edge."""

    entry: SeriesEntry
    region: Region
    distance: float

    @property
    def edge(self) -> float:
        return min(EDGE * self.region.height, CORE * self.region.thickness)

    @property
    def strength(self) -> tuple[bool, float]:
        structure = self.region.structure
        return structure.basis.confirmed, structure.probability
