"""A person renames one structure, and the rest of its chain shifts with it; that stands through every later run.

It is kept by its place on the image, not by the box that a run happened to find there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import dist

from numbering.anatomy import Level
from numbering.plane import Mm, Plane
from numbering.record.basis import weakness
from numbering.record.draft import Chain, Draft, Named, in_order, renamed
from numbering.record.model import Basis, BasisKind, Contradiction, ContradictionKind, OtherName, Place, levels_of
from numbering.record.shift import assumed, renumber
from numbering.result import Box, Frozen
from numbering.study import View

NEAR = 0.4
"""A place belongs to the structure whose centre is nearest, up to this share of the distance to its neighbour."""


class Correction(Frozen):
    """``name`` is what the structure at ``place`` really is, or that its name is right.

    ``verified``: by an authenticated person of a named organisation; whoever makes it has checked that. ``uid`` tells
    two corrections apart. A correction that was taken back is not in the list any more.
    """

    uid: str
    series_instance_uid: str
    place: Place
    name: str
    verified: bool = False
    at: datetime

    @property
    def levels(self) -> tuple[Level, ...]:
        """The vertebra, or the two about the disc."""
        return levels_of(self.name)


@dataclass(frozen=True)
class Corrected:
    """A series under its corrections, and those of them that cannot all be right."""

    draft: Draft
    contradictions: tuple[Contradiction, ...] = ()


@dataclass
class _Pins:
    """What the corrections of one chain fix: old level to new, and by which of them."""

    levels: dict[Level, Level] = field(default_factory=dict)
    by: dict[Level, Correction] = field(default_factory=dict)
    refused: list[Correction] = field(default_factory=list)


def corrected(draft: Draft, corrections: Iterable[Correction]) -> Corrected:
    """The series under the corrections of its structures."""
    mine = [one for one in corrections if one.series_instance_uid == draft.series and on_images(draft, one.place)]
    across = draft.filed.view is View.AXIAL
    found = {one.uid: find(draft.chains, one, across=across) for one in mine}
    contradictions = []
    for chain in draft.chains:
        pins = _pins(chain, [(one, at[1]) for one in mine if (at := found[one.uid]) is not None and at[0] is chain])
        if pins.levels:
            draft = draft.replaced(chain, _pinned(chain, pins), _cause(pins.by.values()))
        if pins.refused:
            contradictions.append(_refusal(draft, pins))
    for one in sorted((one for one in mine if found[one.uid] is None), key=_strength):
        draft = _alone(draft, one)
    return Corrected(draft, tuple(contradictions))


def on_images(draft: Draft, place: Place) -> bool:
    """Whether this image is one of the series' images that the result rests on."""
    return any(image.sop_instance_uid == place.sop_instance_uid for image in draft.filed.images)


def find(chains: Sequence[Chain], correction: Correction, *, across: bool = False) -> tuple[Chain, Named] | None:
    """The structure that a correction is about: the one whose box holds the place, else the nearest one.

    ``across``: these are slices across the spine, so a place anywhere on a slice is about the one level it shows.
    """
    where = correction.place.sop_instance_uid, correction.place.frame
    point = correction.place.x, correction.place.y
    there = [
        (chain, one)
        for chain in chains
        for one in chain.members
        if (one.sop_instance_uid, one.frame) == where and one.is_disc == (len(correction.levels) == 2)
    ]
    holding = [pair for pair in there if (box := pair[1].box) and _inside(box, point)]
    if holding:
        return min(holding, key=lambda pair: _distance(pair[1], point))
    if len(there) == 1 and across:
        return there[0]
    placed = sorted((pair for pair in there if pair[1].place), key=lambda pair: _distance(pair[1], point))
    if len(placed) < 2:
        return None
    nearest = placed[0]
    spacing = min(_distance(other, _centre(nearest[1])) for _, other in placed[1:])
    return nearest if _distance(nearest[1], point) <= NEAR * spacing else None


def _pins(chain: Chain, corrections: Iterable[tuple[Correction, Named]]) -> _Pins:
    """The strongest first. One that no spine can fulfil together with them is refused; an older one for the same
    structure is superseded.
    """
    pins = _Pins()
    for one, named in sorted(corrections, key=lambda pair: _strength(pair[0]), reverse=True):
        wanted = dict(zip(named.levels, one.levels, strict=True))
        clash = [old for old, new in wanted.items() if pins.levels.get(old, new) != new]
        if clash and all(one.at <= pins.by[old].at for old in clash):
            continue
        if clash or renumber(chain.levels, pins.levels | wanted) is None:
            pins.refused.append(one)
            continue
        for old, new in wanted.items():
            pins.levels.setdefault(old, new)
            pins.by.setdefault(old, one)
    return pins


def _strength(one: Correction) -> tuple[bool, datetime, str]:
    return one.verified, one.at, one.uid


def _pinned(chain: Chain, pins: _Pins) -> Chain:
    renaming = renumber(chain.levels, pins.levels) or {}
    trust = {level: _trusted(level, chain, pins, renaming) for level in chain.levels}
    moved = any(old != new for old, new in renaming.items())
    members = []
    for one in chain.members:
        pinned = all(level in pins.levels for level in one.levels)
        if moved or pinned or not one.basis.confirmed:
            weakest = max((trust[level] for level in one.levels), key=weakness)
            one = replace(_believed(one, renaming, pinned=pinned), basis=weakest)
        members.append(one)
    return renamed(replace(chain, members=tuple(members)), renaming)


def _believed(one: Named, renaming: dict[Level, Level], *, pinned: bool) -> Named:
    """What a person named is sure; what shifted with it is as probable as it was. The old name is the alternative."""
    if not any(renaming[level] != level for level in one.levels):
        return replace(one, probability=1.0, alternative=None) if pinned else one
    probability = 1.0 if pinned else one.probability
    return replace(
        one, probability=probability, alternative=OtherName(name=one.name, probability=min(0.5, 1 - probability))
    )


def _trusted(level: Level, chain: Chain, pins: _Pins, renaming: dict[Level, Level]) -> Basis:
    """The basis of what ``level`` is called now: the best of what it has by each pin."""
    return min((_by_pin(level, pin, chain, pins.by[pin], renaming) for pin in pins.levels), key=weakness)


def _by_pin(level: Level, pin: Level, chain: Chain, by: Correction, renaming: dict[Level, Level]) -> Basis:
    kind = BasisKind.HUMAN_CORRECTION if by.verified else BasisKind.UNVERIFIED_CORRECTION
    assumptions = tuple(assumed(level, pin, chain.runs, renaming))
    return Basis(
        kind=kind,
        counted_from=f"{renaming[pin]}, named by a person",
        confirmed=by.verified and not assumptions,
        assumptions=assumptions,
    )


def _alone(draft: Draft, one: Correction) -> Draft:
    """A name for a place at which this run found no structure.

    Names of the run that do not fit it are given up: the person has seen the image.
    """
    where = one.place.sop_instance_uid, one.place.frame
    index = next((i for i, chain in enumerate(draft.chains) if _shows(chain, where)), None)
    named = _named(draft, one)
    if index is None:
        chain = Chain((named,))
        return replace(draft, chains=(*draft.chains, chain), why=draft.why | {_cause([one])})
    chain = draft.chains[index]
    together = Chain((*chain.members, named), chain.space)
    fits = not set(named.levels) & set(chain.levels) and in_order(together)
    return draft.replaced(chain, together if fits else Chain((named,)), _cause([one]))


def _shows(chain: Chain, where: tuple[str, int | None]) -> bool:
    return any((member.sop_instance_uid, member.frame) == where for member in chain.members)


def _named(draft: Draft, one: Correction) -> Named:
    """With the box of a candidate that the run saw there, if it saw one; none is made up."""
    result = draft.filed.result
    where = one.place.sop_instance_uid, one.place.frame
    point = one.place.x, one.place.y
    seen = [] if result is None or len(one.levels) == 2 else result.findings.candidates
    there = [found.box for found in seen if (found.sop_instance_uid, found.frame) == where]
    boxes = [box for box in there if _inside(box, point)]
    kind = BasisKind.HUMAN_CORRECTION if one.verified else BasisKind.UNVERIFIED_CORRECTION
    plane = draft.filed.plane(*where)
    return Named(
        own=None,
        levels=one.levels,
        probability=1.0,
        basis=Basis(kind=kind, counted_from=f"{one.name}, named by a person", confirmed=one.verified),
        sop_instance_uid=where[0],
        frame=where[1],
        place=one.place,
        box=min(boxes, key=_area, default=None),
        centre_mm=_in_space(plane, point) if plane else None,
    )


def _in_space(plane: Plane, point: tuple[float, float]) -> Mm:
    left, back, up = plane.to_mm(point).tolist()
    return left, back, up


def _cause(corrections: Iterable[Correction]) -> str:
    names = ", ".join(sorted(one.name for one in set(corrections)))
    return f"a person named {names}"


def _refusal(draft: Draft, pins: _Pins) -> Contradiction:
    said = sorted({one.name for one in (*pins.by.values(), *pins.refused)})
    return Contradiction(
        kind=ContradictionKind.CORRECTION,
        series=(draft.series,),
        text=f"Corrections of one series cannot all be right: {', '.join(said)}.",
    )


def _centre(one: Named) -> tuple[float, float]:
    return (one.place.x, one.place.y) if one.place else (0.0, 0.0)


def _distance(one: Named, point: tuple[float, float]) -> float:
    return dist(_centre(one), point)


def _inside(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
