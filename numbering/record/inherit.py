"""Names carried over by geometry within a frame of reference: to another result's structures, and to bare images.

Nothing is stored of this: when the source goes, so do the names that came from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import dist

import numpy as np

from numbering.anatomy import Level
from numbering.record.basis import weakness
from numbering.record.draft import DISCS, Chain, Draft, Named, in_order, renamed
from numbering.record.filed import FiledImage
from numbering.record.model import Basis, BasisKind, Contradiction, ContradictionKind, OtherName, Place
from numbering.record.plane import Mm, Plane
from numbering.record.shift import assumed, renumber
from numbering.study import View

SAME_SHARE = 0.35
"""Two centres are of one structure when they are nearer than this share of the distance to the next vertebra."""
LEAST_SPACING_MM = 15.0
"""That distance, where only one vertebra is known: about a cervical one's."""
ACROSS_MM = 8.0
"""A slice along the spine shows a structure when it passes its centre this near; bodies are three times as wide."""
ALONG_SHARE = {False: 0.25, True: 0.08}
"""The same for a slice across the spine, of a vertebra (False) and a disc (True), as a share of the distance to the
next vertebra: well inside the body's height, and inside the disc's."""
HUMAN = (BasisKind.HUMAN_CORRECTION, BasisKind.UNVERIFIED_CORRECTION)


@dataclass(frozen=True)
class Aligned:
    """Drafts that were compared within their frames of reference, and where they cannot both be right."""

    drafts: tuple[Draft, ...]
    contradictions: tuple[Contradiction, ...] = ()


@dataclass(frozen=True)
class _Part:
    """One chain of one draft."""

    draft: Draft
    chain: Chain

    @property
    def order(self) -> tuple[object, ...]:
        """Strongest first; the rest only makes the order the same every time."""
        return (weakness(self.chain.strongest), -_mean(self.chain), self.draft.filed.key, *map(str, self.chain.levels))


def align(drafts: Sequence[Draft]) -> Aligned:
    """Each chain takes the names of the strongest chain that shows the same vertebrae, where that one is stronger.

    A count holds in the whole frame of reference, so a name that agrees with a stronger one takes its basis too. What a
    person named keeps its name.
    """
    result = {draft.filed.key: draft for draft in drafts}
    done: list[_Part] = []
    contradictions: list[Contradiction] = []
    for part in sorted(_in_space(drafts), key=lambda one: one.order):
        sources = [source for source in done if source.chain.space == part.chain.space]
        sources = [source for source in sources if source.draft.filed.key != part.draft.filed.key]
        for source in sources:
            new = adopt(source, part)
            if new is not part.chain:
                draft = result[part.draft.filed.key]
                why = f"names carried over from series {source.draft.series}"
                result[part.draft.filed.key] = draft.replaced(part.chain, new, why)
                part = _Part(part.draft, new)
                break
        contradictions += [found for source in sources if (found := differing(source, part))]
        done.append(part)
    return Aligned(tuple(result[draft.filed.key] for draft in drafts), tuple(contradictions))


def _in_space(drafts: Sequence[Draft]) -> Iterator[_Part]:
    for draft in drafts:
        yield from (_Part(draft, chain) for chain in draft.chains if chain.space and chain.members)


def matches(source: Chain, target: Chain) -> list[tuple[Named, Named]]:
    """Pairs (of the source, of the target) that are one structure by place: each the other's nearest, and near."""
    pairs = []
    for is_disc in (False, True):
        theirs = [one for one in _with_discs(source) if one.is_disc is is_disc]
        ours = [one for one in target.members if one.is_disc is is_disc]
        for one in ours:
            near = min(theirs, key=lambda other: _apart(one, other), default=None)
            if near is None or _apart(one, near) > SAME_SHARE * _spacing(source, near):
                continue
            if min(ours, key=lambda other: _apart(near, other)) is one:
                pairs.append((near, one))
    return pairs


def adopt(source: _Part, target: _Part) -> Chain:
    """The target's chain under the names of a stronger source; the same chain when it is not stronger or none fit."""
    chain = target.chain
    pairs = matches(source.chain, chain)
    pins: dict[Level, Level] = {}
    for theirs, ours in pairs:
        if not weakness(theirs.basis) < weakness(ours.basis) or ours.basis.kind in HUMAN:
            return chain
        for old, new in zip(ours.levels, theirs.levels, strict=True):
            if pins.setdefault(old, new) != new:
                return chain
    renaming = renumber(chain.levels, pins) if pins else None
    if renaming is None:
        return chain
    by_level = {level: theirs for theirs, ours in pairs for level in ours.levels}
    matched = {id(ours): theirs for theirs, ours in pairs}
    members = []
    for one in chain.members:
        same = matched.get(id(one))
        basis = same.basis if same else _extended(one, by_level, chain, renaming)
        members.append(_named_by(one, same, basis, renaming, source.draft.series))
    return renamed(replace(chain, members=tuple(members)), renaming)


def _extended(one: Named, by_level: dict[Level, Named], chain: Chain, renaming: dict[Level, Level]) -> Basis:
    """Counted on from the matched ones in the same frame of reference, with what that takes for granted."""
    found = []
    for level in one.levels:
        options = []
        for pin, theirs in by_level.items():
            added = tuple(assumed(level, pin, chain.runs, renaming))
            basis = theirs.basis
            kind = BasisKind.INTERRUPTED_COUNT if added and basis.confirmed else basis.kind
            options.append(
                Basis(
                    kind=kind,
                    counted_from=basis.counted_from,
                    confirmed=basis.confirmed and not added,
                    assumptions=(*basis.assumptions, *added),
                )
            )
        found.append(min(options, key=weakness))
    return max(found, key=weakness)


def _named_by(one: Named, theirs: Named | None, basis: Basis, renaming: dict[Level, Level], series: str) -> Named:
    probability = theirs.probability if theirs else one.probability
    name = "-".join(str(renaming[level]) for level in one.levels)
    other = theirs.alternative if theirs else one.alternative
    if name != one.name and (other is None or other.name == name):
        other = OtherName(name=one.name, probability=min(0.5, 1 - probability))
    return replace(one, probability=probability, basis=basis, alternative=other, carried_from=series)


def differing(source: _Part, target: _Part) -> Contradiction | None:
    """Where two chains name one place differently."""
    wrong = [(theirs, ours) for theirs, ours in matches(source.chain, target.chain) if theirs.levels != ours.levels]
    if not wrong:
        return None
    views = {source.draft.filed.view, target.draft.filed.view}
    human = any(one.basis.kind in HUMAN for pair in wrong for one in pair)
    kind = ContradictionKind.PLANES if {View.AXIAL, View.SAGITTAL} <= views else ContradictionKind.SAME_PLACE
    levels = sorted({level for pair in wrong for one in pair for level in one.levels})
    theirs, ours = wrong[0]
    return Contradiction(
        kind=ContradictionKind.CORRECTION if human else kind,
        series=tuple(sorted({source.draft.series, target.draft.series})),
        levels=tuple(map(str, levels)),
        text=f"One place in space is {min(theirs.name, ours.name)} in one series and {max(theirs.name, ours.name)} "
        "in another.",
    )


def carry(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """Names for images without any, from the strongest chain of their frame of reference that reaches them."""
    wanted = {draft.filed.frame_of_reference_uid for draft in drafts if any(_bare(draft))}
    parts = (part for part in _in_space(drafts) if part.chain.space in wanted and in_order(part.chain))
    sources = [(part, _extents(part.chain)) for part in sorted(parts, key=lambda one: one.order)]
    return tuple(_onto(draft, [source for source in sources if _same_space(source[0], draft)]) for draft in drafts)


def _bare(draft: Draft) -> Iterator[tuple[FiledImage, Plane]]:
    """Images in space on which nothing is named."""
    named = {(one.sop_instance_uid, one.frame) for chain in draft.chains for one in chain.members}
    for image in draft.filed.images:
        if image.plane is not None and (image.sop_instance_uid, image.frame) not in named:
            yield image, image.plane


def _same_space(part: _Part, draft: Draft) -> bool:
    return part.chain.space == draft.filed.frame_of_reference_uid


@dataclass(frozen=True)
class _Extent:
    """A structure, the direction of the spine there (unit vector), and how far from its centre along the spine a slice
    still shows it, mm.
    """

    named: Named
    centre_mm: Mm
    axis: Mm
    reach_mm: float


def _extents(chain: Chain) -> list[_Extent]:
    found = []
    for one in _with_discs(chain):
        axis = _axis(chain, one)
        if one.centre_mm is not None and axis is not None:
            found.append(_Extent(one, one.centre_mm, axis, ALONG_SHARE[one.is_disc] * _spacing(chain, one)))
    return found


def _onto(draft: Draft, sources: Sequence[tuple[_Part, Sequence[_Extent]]]) -> Draft:
    added = []
    for image, plane in _bare(draft):
        for source, extents in sources:
            shown = tuple(_shown(extents, image, plane, source.draft.series))
            if shown:
                added.append(Chain(shown))
                break
    return replace(draft, chains=(*draft.chains, *added))


def _shown(extents: Sequence[_Extent], image: FiledImage, plane: Plane, series: str) -> Iterator[Named]:
    """The structures that this image cuts; across the spine only the nearest one."""
    across: list[tuple[float, Named]] = []
    for extent in extents:
        x, y, off = plane.seen(extent.centre_mm)
        if not plane.shows(x, y):
            continue
        here = _projected(extent.named, image, x, y, series)
        if abs(float(np.dot(plane.normal, extent.axis))) > np.sqrt(0.5):
            reach = extent.reach_mm + plane.thickness_mm / 2
            if abs(off) <= reach:
                across.append((abs(off) / reach, here))
        elif abs(off) <= ACROSS_MM:
            yield here
    if across:
        yield min(across, key=lambda pair: pair[0])[1]


def _projected(one: Named, image: FiledImage, x: float, y: float, series: str) -> Named:
    """Its centre alone: how far it reaches on this image is not known."""
    return replace(
        one,
        own=None,
        sop_instance_uid=image.sop_instance_uid,
        frame=image.frame,
        place=Place(sop_instance_uid=image.sop_instance_uid, frame=image.frame, x=x, y=y),
        box=None,
        corners=None,
        carried_from=series,
    )


def _with_discs(chain: Chain) -> list[Named]:
    """The structures and, between two neighbouring vertebrae without a named disc, the middle of the two."""
    listed = {one.levels for one in chain.members if one.is_disc}
    found = list(chain.members)
    runs = chain.runs
    for upper, lower in pairwise(chain.vertebrae):
        levels = (*upper.levels, *lower.levels)
        if levels in listed or levels not in DISCS or not any(set(levels) <= set(run) for run in runs):
            continue
        if upper.centre_mm is None or lower.centre_mm is None:
            continue
        weaker = max(upper, lower, key=lambda one: weakness(one.basis))
        middle: Mm = tuple((a + b) / 2 for a, b in zip(upper.centre_mm, lower.centre_mm, strict=True))  # type: ignore[assignment]
        probability = min(upper.probability, lower.probability)
        found.append(
            replace(
                weaker,
                own=None,
                levels=levels,
                probability=probability,
                centre_mm=middle,
                alternative=None,
                box=None,
                corners=None,
            )
        )
    return found


def _axis(chain: Chain, one: Named) -> Mm | None:
    """Unit vector along the spine there; None where only one structure is known."""
    others = [other for other in chain.members if other is not one and _apart(one, other) > 0]
    if not others or one.centre_mm is None:
        return None
    nearest = min(others, key=lambda other: _apart(one, other))
    step = np.subtract(nearest.centre_mm or one.centre_mm, one.centre_mm)
    x, y, z = step / np.linalg.norm(step)
    return float(x), float(y), float(z)


def _apart(one: Named, other: Named) -> float:
    if one.centre_mm is None or other.centre_mm is None:
        return float("inf")
    return dist(one.centre_mm, other.centre_mm)


def _spacing(chain: Chain, one: Named) -> float:
    """From one vertebra to the next, about there."""
    centres = [other.centre_mm for other in chain.vertebrae if other.centre_mm is not None]
    steps = [(dist(a, b), min(_to(one, a), _to(one, b))) for a, b in pairwise(centres)]
    return min(steps, key=lambda step: step[1])[0] if steps else LEAST_SPACING_MM


def _to(one: Named, point: Mm) -> float:
    return dist(one.centre_mm, point) if one.centre_mm else float("inf")


def _mean(chain: Chain) -> float:
    return sum(one.probability for one in chain.members) / len(chain.members)
