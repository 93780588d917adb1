"""How far a numbered structure reaches on an image: an outline, or a circle where only centres are known.

Lengths in pixels. Distances are signed: positive outside, negative inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import dist, hypot

from numbering.anatomy import VARIANTS, Disc, Level
from numbering.geometry import Point, corners_of
from numbering.record.model import Basis, BasisKind, OtherName, Structure

DISC_TALLEST = 0.75
"""A gap between two bodies taller than this share of their height is no disc: a vertebra may lie in it unseen."""
CENTRES = {False: 0.3, True: 0.1}
"""Radius of a vertebra (False) or disc (True) of which only the centre is known, as a share of the bodies' spacing."""

DISCS = frozenset((disc.upper, disc.lower) for variant in VARIANTS for disc in variant.discs())

Corners = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Region:
    """A structure and where it reaches: ``outline`` closed, or a circle about its place. ``height`` of a body there."""

    structure: Structure
    height: float
    outline: Sequence[Point] = ()
    radius: float = 0.0

    def distance(self, point: Point) -> float:
        """From a point to the edge of this region, negative inside; far outside it may be too small."""
        from_centre = dist(point, _centre(self.structure))
        if not self.outline:
            return from_centre - self.radius
        if from_centre > 2 * (reach := max(dist(_centre(self.structure), corner) for corner in self.outline)):
            return from_centre - reach  # far outside: a lower bound will do
        edges = list(_edges(self.outline))
        nearest = min(_to_segment(point, *edge) for edge in edges)
        return -nearest if _inside(point, edges) else nearest

    @property
    def thickness(self) -> float:
        """Its smallest extent from head to foot."""
        if not self.outline:
            return 2 * self.radius
        a, b, c, d = self.outline
        return min(dist(a, d), dist(b, c))


def regions(structures: Sequence[Structure]) -> list[Region]:
    """The regions of one result's structures on one image; a structure whose extent cannot be told has none."""
    vertebrae = {one.levels[0]: one for one in structures if not one.is_disc}
    listed = {one.levels: one for one in structures if one.is_disc}
    implied = [_implied(*pair) for pair in _neighbours(vertebrae.values()) if _between(*pair) not in listed]
    discs = (_disc(one, vertebrae) for one in (*listed.values(), *implied))
    bodies = (_vertebra(one, vertebrae.values()) for one in vertebrae.values())
    return [region for region in (*bodies, *discs) if region is not None]


def in_order(structures: Iterable[Structure]) -> bool:
    """Whether the vertebrae follow one another along the spine as their names do, and no name stands twice."""
    chain = sorted((one for one in structures if not one.is_disc), key=lambda one: one.levels)
    if len({one.name for one in chain}) < len(chain):
        return False
    if len(chain) < 3:
        return True
    (x0, y0), (x1, y1) = _centre(chain[0]), _centre(chain[-1])
    along = [(x1 - x0) * x + (y1 - y0) * y for x, y in map(_centre, chain)]
    return all(above < below for above, below in pairwise(along))


def _vertebra(one: Structure, vertebrae: Iterable[Structure]) -> Region | None:
    if one.endplate:
        return None  # where it begins is known, and not where it ends
    corners = _corners(one)
    if corners:
        return Region(one, _height(corners), corners) if _convex(corners) else None
    return _circle(one, vertebrae)


def _disc(one: Structure, vertebrae: Mapping[Level, Structure]) -> Region | None:
    upper, lower = (vertebrae.get(level) for level in one.levels)
    above, below = upper and _corners(upper), lower and _corners(lower)
    own, top = _corners(one), (lower and lower.endplate) or below
    if own:
        beside = [_height(corners) for corners in (above, below) if corners]
        return Region(one, min(beside, default=_height(own)), own) if _convex(own) else None
    if not above or not top:
        return _circle(one, vertebrae.values())
    outline = (above[3], above[2], top[1], top[0])
    height = min(_height(body) for body in (above, below) if body)
    fits = _height(outline) <= DISC_TALLEST * height and _convex(outline) and _same_turn(outline, above)
    return Region(one, height, outline) if fits else None


def _circle(one: Structure, vertebrae: Iterable[Structure]) -> Region | None:
    """Where only centres are known: within a share of the spacing of the vertebrae about it."""
    pairs = [pair for pair in _neighbours(vertebrae) if set(_between(*pair)) & set(one.levels)]
    gaps = [dist(_centre(upper), _centre(lower)) for upper, lower in pairs]
    if not gaps or min(gaps) <= 0:
        return None
    return Region(one, min(gaps), radius=CENTRES[one.is_disc] * min(gaps))


def _implied(upper: Structure, lower: Structure) -> Structure:
    """The disc between two neighbours, where the result lists none: right only when both names are (Fréchet)."""
    (x0, y0), (x1, y1) = _centre(upper), _centre(lower)
    centre = {"x": (x0 + x1) / 2, "y": (y0 + y1) / 2}
    changed = {
        "name": f"{upper.name}-{lower.name}",
        "probability": max(0.0, upper.probability + lower.probability - 1),
        "place": upper.place.model_copy(update=centre),
        "basis": _weaker(upper.basis, lower.basis),
        "alternative": _other_disc(upper.alternative, lower.alternative),
        "box": None,
        "corners": None,
        "endplate": None,
        "centre_mm": None,
        "carried_from": upper.carried_from or lower.carried_from,
    }
    return upper.model_copy(update=changed)


def _weaker(upper: Basis, lower: Basis) -> Basis:
    """The basis of two names together: that of the one that is not confirmed; of two kinds of presumption, none."""
    if upper.confirmed or lower.confirmed or upper.kind is lower.kind:
        return lower if upper.confirmed else upper
    return Basis(kind=BasisKind.UNKNOWN, counted_from=f"{upper.counted_from}; {lower.counted_from}")


def _other_disc(upper: OtherName | None, lower: OtherName | None) -> OtherName | None:
    if upper is None or lower is None:
        return None
    try:
        name = str(Disc.parse(f"{upper.name}-{lower.name}"))
    except ValueError:
        return None
    return OtherName(name=name, probability=min(upper.probability, lower.probability))


def _neighbours(vertebrae: Iterable[Structure]) -> list[tuple[Structure, Structure]]:
    ordered = sorted(vertebrae, key=lambda one: one.levels)
    return [pair for pair in pairwise(ordered) if _between(*pair) in DISCS]


def _between(upper: Structure, lower: Structure) -> tuple[Level, Level]:
    return upper.levels[0], lower.levels[0]


def _centre(one: Structure) -> Point:
    return one.place.x, one.place.y


def _corners(one: Structure) -> Corners | None:
    return one.corners or (corners_of(one.box) if one.box else None)


def _height(corners: Corners) -> float:
    """Mean of the two sides that run from head to foot."""
    return (dist(corners[0], corners[3]) + dist(corners[1], corners[2])) / 2


def _edges(outline: Sequence[Point]) -> Iterable[tuple[Point, Point]]:
    return pairwise([*outline, outline[0]])


def _turns(outline: Sequence[Point]) -> list[float]:
    """Cross products at the corners: all of one sign in a convex outline that does not cross itself."""
    ring = [*outline, *outline[:2]]
    return [
        (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
        for a, b, c in zip(ring, ring[1:], ring[2:], strict=False)
    ]


def _convex(outline: Sequence[Point]) -> bool:
    turns = _turns(outline)
    return all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)


def _same_turn(outline: Sequence[Point], other: Sequence[Point]) -> bool:
    """Whether both run the same way round: a disc whose bodies overlap is turned inside out."""
    return _turns(outline)[0] * _turns(other)[0] > 0


def _to_segment(point: Point, start: Point, end: Point) -> float:
    (px, py), (x0, y0), (x1, y1) = point, start, end
    length = hypot(x1 - x0, y1 - y0)
    along = ((px - x0) * (x1 - x0) + (py - y0) * (y1 - y0)) / (length * length)
    share = min(max(along, 0.0), 1.0)
    return dist(point, (x0 + share * (x1 - x0), y0 + share * (y1 - y0)))


def _inside(point: Point, edges: Iterable[tuple[Point, Point]]) -> bool:
    """Whether a ray to the right leaves through an odd number of edges."""
    x, y = point
    crossings = 0
    for (x0, y0), (x1, y1) in edges:
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            crossings += 1
    return crossings % 2 == 1
