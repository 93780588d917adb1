"""A result on its way through the conclusion: chains of named structures whose names may still change.

A chain is what was counted in one go: all structures of a result in one frame of reference, or on one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from numbering.anatomy import VARIANTS, Level
from numbering.geometry import corners_of
from numbering.record.basis import basis_of, runs, weakness
from numbering.record.filed import Filed
from numbering.record.model import Basis, BasisKind, OtherName, Place, Structure, levels_of
from numbering.result import Box, Findings, Line, NumberedDisc, NumberingBasis, Point

Corners = tuple[Point, Point, Point, Point]
DISCS = frozenset((disc.upper, disc.lower) for variant in VARIANTS for disc in variant.discs())


@dataclass(frozen=True, kw_only=True)
class Named:
    """One vertebra or disc. ``own`` is its number among the result's vertebrae or discs, None when it is not its own.

    ``levels`` are the vertebra, or the two about the disc. ``place`` is None where it cannot be told.
    """

    own: int | None
    levels: tuple[Level, ...]
    probability: float
    basis: Basis
    sop_instance_uid: str
    frame: int | None = None
    place: Place | None = None
    box: Box | None = None
    corners: Corners | None = None
    endplate: Line | None = None
    centre_mm: tuple[float, float, float] | None = None
    alternative: OtherName | None = None
    carried_from: str | None = None

    @property
    def is_disc(self) -> bool:
        """Whether this is a disc."""
        return len(self.levels) == 2

    @property
    def name(self) -> str:
        """As JSON spells it."""
        return "-".join(map(str, self.levels))

    @property
    def outline(self) -> Corners | None:
        """Its corners, or those of its box."""
        return self.corners or (corners_of(self.box) if self.box else None)

    def structure(self) -> Structure | None:
        """As it stands in a record; None without a place."""
        if self.place is None:
            return None
        return Structure(
            name=self.name,
            probability=self.probability,
            place=self.place,
            basis=self.basis,
            alternative=self.alternative,
            box=self.box,
            corners=self.corners,
            endplate=self.endplate,
            centre_mm=self.centre_mm,
            carried_from=self.carried_from,
        )


@dataclass(frozen=True)
class Chain:
    """Structures that were counted in one go. ``space``: their frame of reference, None when it is one image."""

    members: tuple[Named, ...]
    space: str | None = None

    @cached_property
    def levels(self) -> list[Level]:
        """All vertebrae that it names, head to foot; those about a disc are named too."""
        return sorted({level for one in self.members for level in one.levels})

    @cached_property
    def vertebrae(self) -> list[Named]:
        """Head to foot by name."""
        return sorted((one for one in self.members if not one.is_disc), key=lambda one: one.levels)

    @cached_property
    def strongest(self) -> Basis:
        """The strongest basis of its names."""
        return min((one.basis for one in self.members), key=weakness)

    @cached_property
    def runs(self) -> list[list[Level]]:
        """Its levels, cut where the count is interrupted."""
        vertebrae = self.vertebrae
        if [one.levels[0] for one in vertebrae] != self.levels:
            return runs(self.levels)
        positions = self.positions(vertebrae)
        return runs(self.levels, positions if len(positions) == len(vertebrae) else None)

    def positions(self, members: Iterable[Named]) -> list[tuple[float, ...]]:
        """Where these lie: mm in space, else pixels on the image. What has no place is left out."""
        if self.space:
            return [one.centre_mm for one in members if one.centre_mm is not None]
        return [(one.place.x, one.place.y) for one in members if one.place is not None]


@dataclass(frozen=True)
class Draft:
    """One filed series with its chains. ``why``: what changed its names or bases, empty when they are its own."""

    filed: Filed
    chains: tuple[Chain, ...] = ()
    why: frozenset[str] = frozenset()

    @property
    def series(self) -> str:
        """Its UID."""
        return self.filed.series_instance_uid

    def replaced(self, old: Chain, new: Chain, why: str) -> Draft:
        """The same with ``new`` in the place of ``old``, and why."""
        chains = tuple(new if chain is old else chain for chain in self.chains)
        return replace(self, chains=chains, why=self.why | {why})


def renamed(chain: Chain, renaming: Mapping[Level, Level]) -> Chain:
    """The same chain under other names. A disc whose two vertebrae would not be neighbours is left out."""
    members = []
    for one in chain.members:
        levels = tuple(renaming.get(level, level) for level in one.levels)
        if len(levels) == 1 or levels in DISCS:
            members.append(replace(one, levels=levels))
    return replace(chain, members=tuple(members))


def in_order(chain: Chain) -> bool:
    """Whether the vertebrae follow one another along the spine as their names do, and no name stands twice."""
    vertebrae = chain.vertebrae
    if len({one.levels for one in vertebrae}) < len(vertebrae):
        return False
    positions = chain.positions(vertebrae)
    if len(positions) < 2:
        return True
    if chain.space and positions[0][2] <= positions[-1][2]:
        return False
    axis = [last - first for first, last in zip(positions[0], positions[-1], strict=True)]
    along = [sum(a * x for a, x in zip(axis, position, strict=True)) for position in positions]
    return all(above < below for above, below in pairwise(along))


def draft_of(filed: Filed) -> Draft:
    """The names as the pipeline gave them, each with its basis."""
    if filed.result is None or filed.result.findings.basis is None:
        return Draft(filed)
    findings = filed.result.findings
    vertebrae = [_vertebra(findings, index) for index in range(len(findings.vertebrae))]
    discs = [_disc(filed, findings, index, vertebrae) for index in range(len(findings.discs))]
    groups: dict[tuple[str, int], list[Named]] = {}
    for one in (*vertebrae, *discs):
        in_space = filed.frame_of_reference_uid is not None and one.centre_mm is not None
        groups.setdefault(("", 0) if in_space else (one.sop_instance_uid, one.frame or 0), []).append(one)
    space = filed.frame_of_reference_uid
    chains = (Chain(tuple(groups[key]), None if key[0] else space) for key in sorted(groups))
    return Draft(filed, tuple(_based(chain, filed.result.findings.basis) for chain in chains))


def _based(chain: Chain, stated: NumberingBasis) -> Chain:
    found = chain.runs
    members = []
    for one in chain.members:
        bases = [basis_of(stated, level, found) for level in one.levels]
        members.append(replace(one, basis=max(bases, key=weakness)))
    return replace(chain, members=tuple(members))


_UNBASED = Basis(kind=BasisKind.UNKNOWN, counted_from="")


def _vertebra(findings: Findings, index: int) -> Named:
    vertebra = findings.vertebrae[index]
    x, y = _middle(vertebra.corners or corners_of(vertebra.box))
    return Named(
        own=index,
        levels=levels_of(vertebra.level),
        probability=vertebra.probability,
        basis=_UNBASED,
        sop_instance_uid=vertebra.sop_instance_uid,
        frame=vertebra.frame,
        place=Place(sop_instance_uid=vertebra.sop_instance_uid, frame=vertebra.frame, x=x, y=y),
        box=None if vertebra.endplate else vertebra.box,  # a box about an endplate covers what lies above and below it
        corners=vertebra.corners,
        endplate=vertebra.endplate,
        centre_mm=vertebra.centre_mm,
        alternative=_alternative(findings, index, vertebra.level),
    )


def _alternative(findings: Findings, index: int, level: str) -> OtherName | None:
    other = findings.alternative
    if other is None or index >= len(other.levels) or other.levels[index] == level:
        return None
    try:
        levels_of(other.levels[index])
    except ValueError:
        return None
    return OtherName(name=other.levels[index], probability=other.probability)


def _disc(filed: Filed, findings: Findings, index: int, vertebrae: Sequence[Named]) -> Named:
    disc = findings.discs[index]
    levels = levels_of(disc.level)
    return Named(
        own=index,
        levels=levels,
        probability=disc.probability,
        basis=_UNBASED,
        sop_instance_uid=disc.sop_instance_uid,
        frame=disc.frame,
        place=_disc_place(filed, disc, vertebrae),
        centre_mm=disc.centre_mm,
        alternative=None if vertebrae else _alternative(findings, index, disc.level),
    )


def _disc_place(filed: Filed, disc: NumberedDisc, vertebrae: Sequence[Named]) -> Place | None:
    """The middle of its box, else its centre projected onto its image, else the middle between the bodies about it."""
    where = disc.sop_instance_uid, disc.frame
    if disc.box is not None:
        x, y = _middle(corners_of(disc.box))
        return Place(sop_instance_uid=where[0], frame=where[1], x=x, y=y)
    plane = filed.plane(*where)
    if disc.centre_mm is not None and plane is not None:
        x, y = plane.to_pixel(disc.centre_mm).tolist()
        return Place(sop_instance_uid=where[0], frame=where[1], x=x, y=y)
    about = {one.levels[0]: one.outline for one in vertebrae if (one.sop_instance_uid, one.frame) == where}
    upper, lower = (about.get(level) for level in levels_of(disc.level))
    if upper is None or lower is None:
        return None
    x, y = _middle((upper[2], upper[3], lower[0], lower[1]))
    return Place(sop_instance_uid=where[0], frame=where[1], x=x, y=y)


def _middle(points: Corners) -> Point:
    return sum(x for x, _ in points) / 4, sum(y for _, y in points) / 4
