"""The numbering that a reader with one field of view alone could justify. Pure: no pixels, no files.

A count from C2 without a gap is confirmed: it needs no presumption. Everything else presumes the usual spine at the
anchor in view: that the last rib-bearing vertebra is T12, or that the lowest lumbar-type one is L5. Where both anchors
are in view and do not agree (four or six lumbar-type vertebrae between them), the count from the ribs leads and the
count from the sacrum is the alternative: without the vertebrae above nobody can tell which is right.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from numbering.anatomy import Level
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.truth.base import TruthModel

Basis = Literal["counted-from-c2", "presumed-by-last-rib", "presumed-by-sacrum", "region-only", "nothing"]
Anchor = Literal["C2", "last-rib", "sacrum"]

SHORT_RIB_MM = 38.0
"""A last rib shorter than this may as well be a long transverse process of L1: the other reading stays open."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One vertebra of the patient and whether this field of view shows it whole. ``rib_mm``: its longer rib."""

    ordinal: int
    level: str
    rib_mm: float
    in_view: bool
    transitional: bool = False


class Reading(TruthModel):
    """Names for consecutive vertebrae in view."""

    ordinals: tuple[int, ...] = Field(description="counted from C1 = 1, head to foot: which vertebrae are named")
    levels: tuple[str, ...] = Field(description="the name of each, parallel to `ordinals`")


class Justified(TruthModel):
    """What a reader of this series alone can say. ``correct`` compares its names with the truth."""

    basis: Basis
    anchors_in_view: tuple[Anchor, ...]
    reading: Reading | None = Field(description="null where only the region can be told, or nothing")
    alternative: Reading | None = Field(description="the other reading that these anchors leave open")
    correct: bool | None = Field(description="whether the reading's names are the true ones; null without a reading")


def justify(vertebrae: Sequence[Seen], *, sacrum_in_view: bool) -> Justified:
    """What can be said from ``vertebrae`` (the patient's, head to foot) and whether the sacrum's top is in view."""
    run = _lowest_run(vertebrae)
    anchors = _anchors(run, vertebrae, sacrum_in_view)
    if not run:
        return Justified(basis="nothing", anchors_in_view=(), reading=None, alternative=None, correct=None)
    if "C2" in anchors:
        return _conclusion("counted-from-c2", anchors, run, _reading(run, [one.level for one in run]), None)
    by_rib = _from_rib(run) if "last-rib" in anchors else None
    by_sacrum = _from_sacrum(run) if "sacrum" in anchors else None
    if by_rib:
        others = [by_sacrum, _short_rib(run), _transitional(run) if by_sacrum else None]
        differing = [other for other in others if other is not None and other.levels != by_rib.levels]
        return _conclusion("presumed-by-last-rib", anchors, run, by_rib, differing[0] if differing else None)
    if by_sacrum:
        return _conclusion("presumed-by-sacrum", anchors, run, by_sacrum, _transitional(run))
    return _conclusion("region-only", anchors, run, None, None)


def justified(patient: Patient, in_view: Collection[int], *, sacrum_in_view: bool) -> Justified:
    """`justify` for the ordinals that a series shows whole. Call it from every view's truth."""
    seen = [
        Seen(
            ordinal=one.ordinal,
            level=str(one.level),
            rib_mm=max(one.rib_mm),
            in_view=one.ordinal in in_view,
            transitional=one.castellvi != ("none", "none"),
        )
        for one in patient.vertebrae
    ]
    return justify(seen, sacrum_in_view=sacrum_in_view)


def _lowest_run(vertebrae: Sequence[Seen]) -> list[Seen]:
    """The vertebrae in view without a gap between them, from the lowest upwards: no count crosses a gap."""
    run: list[Seen] = []
    for one in reversed(vertebrae):
        if one.in_view:
            run.insert(0, one)
        elif run:
            break
    return run


def _anchors(run: Sequence[Seen], vertebrae: Sequence[Seen], sacrum_in_view: bool) -> tuple[Anchor, ...]:
    """What this run touches: C2 at its head; a rib-bearing vertebra with a rib-free one below; the sacrum below."""
    found: list[Anchor] = []
    if any(one.level == str(Level.C2) for one in run):
        found.append("C2")
    bearing = [index for index, one in enumerate(run) if one.rib_mm > 0]
    if bearing and bearing[-1] + 1 < len(run):
        found.append("last-rib")
    if sacrum_in_view and run and run[-1] is vertebrae[-1]:
        found.append("sacrum")
    return tuple(found)


def _from_rib(run: Sequence[Seen], shift: int = 0) -> Reading | None:
    """T12 is the last rib-bearing vertebra (``shift`` 1: the one above it)."""
    last = max(index for index, one in enumerate(run) if one.rib_mm > 0) - shift
    return _named(run, last, _usual(Level.T12))


def _from_sacrum(run: Sequence[Seen], shift: int = 0) -> Reading | None:
    """L5 is the lowest lumbar-type vertebra (``shift`` 1: the one above it, and the lowest is counted as S1)."""
    return _named(run, len(run) - 1 - shift, _usual(Level.L5), Level.S1)


def _short_rib(run: Sequence[Seen]) -> Reading | None:
    last = [one for one in run if one.rib_mm > 0][-1]
    return _from_rib(run, 1) if last.rib_mm < SHORT_RIB_MM else None


def _transitional(run: Sequence[Seen]) -> Reading | None:
    """A lowest vertebra that is partly sacral may be counted with the sacrum."""
    return _from_sacrum(run, 1) if run[-1].transitional else None


_USUAL: list[Level] = [level for level in Level if level not in (Level.T13, Level.L6)]


def _usual(level: Level) -> int:
    return _USUAL.index(level)


def _named(run: Sequence[Seen], anchor: int, place: int, sixth: Level = Level.L6) -> Reading | None:
    """Names of the usual spine when the vertebra at ``anchor`` stands at ``place`` of it; below L5 comes ``sixth``."""
    below_l5 = _usual(Level.L5) + 1
    names = [*_USUAL[:below_l5], sixth, *(level for level in _USUAL[below_l5:] if level is not sixth)]
    first = place - anchor
    return _reading(run, [str(level) for level in names[first : first + len(run)]]) if first >= 0 else None


def _reading(run: Sequence[Seen], names: Sequence[str]) -> Reading:
    return Reading(ordinals=tuple(one.ordinal for one in run), levels=tuple(names))


def _conclusion(
    basis: Basis, anchors: Collection[Anchor], run: Sequence[Seen], reading: Reading | None, other: Reading | None
) -> Justified:
    correct = None if reading is None else reading.levels == tuple(one.level for one in run)
    return Justified(basis=basis, anchors_in_view=tuple(anchors), reading=reading, alternative=other, correct=correct)
