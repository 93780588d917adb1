"""Where the discs lie, and which of them a slice passes through: from the pose alone, never from pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from numbering.anatomy import Disc, Level
from numbering.phantom.pose import Array, Placed, Skeleton


@dataclass(frozen=True)
class DiscPlace:
    """A disc in the patient's frame; ``axes`` columns are its left, its back and its upward normal."""

    disc: Disc
    centre: Array
    axes: Array
    height_mm: float
    """At its middle."""
    width: float
    depth: float
    worn: float
    """Degeneration, 0 healthy … 1 black and collapsed."""
    fused: bool

    @property
    def normal(self) -> Array:
        """Unit vector square to the disc, upwards."""
        return np.asarray(self.axes[:, 2])


def discs(skeleton: Skeleton) -> tuple[DiscPlace, ...]:
    """Every disc, head to foot; the last one lies on the sacrum."""
    placed = skeleton.vertebrae
    between = [_between(above, below) for above, below in pairwise(placed)]
    return (*between, _on_sacrum(placed[-1], skeleton))


def _between(above: Placed, below: Placed) -> DiscPlace:
    upper, lower = above.sagittal_corners()[[3, 2]], below.sagittal_corners()[[0, 1]]
    left = above.frame.rotation[:, 0] + below.frame.rotation[:, 0]
    return _place(above, below.vertebra.level, upper, lower, left)


def _on_sacrum(above: Placed, skeleton: Skeleton) -> DiscPlace:
    left = above.frame.rotation[:, 0] + skeleton.sacrum.rotation[:, 0]
    return _place(above, Level.S1, above.sagittal_corners()[[3, 2]], skeleton.s1_corners(), left)


def _place(above: Placed, lower_level: Level, upper: Array, lower: Array, left: Array) -> DiscPlace:
    centre = (upper.mean(0) + lower.mean(0)) / 2
    back = _unit(upper[1] - upper[0]) + _unit(lower[1] - lower[0])
    up = _unit(np.cross(left, back))
    left = _unit(left - up * (up @ left))
    below = above.vertebra.disc
    # What separates the two endplates as placed: the anatomy's height, or what posing made of it.
    height = float(up @ (upper.mean(0) - lower.mean(0)))
    axes = np.stack([left, np.cross(up, left), up], axis=1)
    size = above.vertebra.size
    return DiscPlace(
        disc=Disc(above.vertebra.level, lower_level),
        centre=centre,
        axes=axes,
        height_mm=height,
        width=size.lower_width,
        depth=size.lower_depth,
        worn=below.degeneration,
        fused=below.fused,
    )


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


@dataclass(frozen=True)
class SliceLevel:
    """What one slice shows of the spine.

    ``disc`` is the disc it passes through on the spine's axis, None elsewhere; ``vertebra`` the body it passes through
    there, None in a disc. ``nearest`` is the disc whose centre is nearest to ``spine``, the point (mm, patient frame)
    where the slice cuts the axis; ``distance_mm`` is signed along that disc's normal, positive towards the head;
    ``tilt`` is the angle between slice and nearest disc, degrees. All None or nan where the slice misses the spine.
    """

    disc: Disc | None
    vertebra: Level | None
    nearest: Disc | None
    distance_mm: float
    tilt: float
    spine: Array | None


def level_of(skeleton: Skeleton, point: Array, normal: Array) -> SliceLevel:
    """The level of the plane through ``point`` (mm, patient frame) with this unit normal."""
    places = discs(skeleton)
    axis = _axis(skeleton, places)
    side = (axis - point) @ normal
    cuts = np.flatnonzero(side[:-1] * side[1:] <= 0)
    if cuts.size == 0 or abs(normal[2]) < 0.3:
        return SliceLevel(None, None, None, float("nan"), float("nan"), None)
    first = cuts[-1]
    share = side[first] / (side[first] - side[first + 1])
    spine = axis[first] + share * (axis[first + 1] - axis[first])
    # The axis runs: top, (centre, lower endplate, disc, upper endplate of the next) for each vertebra, then S1 and S2.
    nearest = min(places, key=lambda place: float(np.linalg.norm(place.centre - spine)))
    distance = float(nearest.normal @ (spine - nearest.centre))
    cosine = min(1.0, abs(float(nearest.normal @ normal)))
    segment = first % _STEPS
    index = first // _STEPS
    in_disc = segment in _IN_DISC and not places[index].fused
    return SliceLevel(
        disc=places[index].disc if in_disc else None,
        vertebra=None if in_disc else _body(skeleton, index, int(segment)),
        nearest=nearest.disc,
        distance_mm=distance,
        tilt=float(np.degrees(np.arccos(cosine))),
        spine=spine,
    )


_STEPS = 5
_IN_DISC = (2, 3)
_SACRUM_DEPTH_MM = 60.0


def _axis(skeleton: Skeleton, places: Sequence[DiscPlace]) -> Array:
    """Points ``(n, 3)`` down the middle of the bodies: per vertebra its upper endplate, its centre, its lower
    endplate, the disc's centre and the endplate below the disc; then down into the sacrum."""
    points: list[Array] = []
    following = [placed.sagittal_corners()[:2].mean(0) for placed in skeleton.vertebrae[1:]]
    following.append(skeleton.s1_corners().mean(0))
    for placed, place, after in zip(skeleton.vertebrae, places, following, strict=True):
        corners = placed.sagittal_corners()
        points += [corners[:2].mean(0), placed.frame.centre, corners[2:].mean(0), place.centre, after]
    points.append(skeleton.sacrum.place(np.array([[0, 6.0, -_SACRUM_DEPTH_MM]]))[0])
    return np.array(points)


def _body(skeleton: Skeleton, index: int, segment: int) -> Level:
    """Segments 0 and 1 lie in the body of this vertebra, 2 and 3 in the disc below, 4 at the next one's endplate."""
    below = index if segment < 3 else index + 1
    return skeleton.vertebrae[below].vertebra.level if below < len(skeleton.vertebrae) else Level.S1
