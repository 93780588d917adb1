"""Where the slices of a series lie: one `Grid` of a single slice each, in the order of acquisition's numbering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numbering.anatomy import Disc
from numbering.phantom.imaging.mr.levels import DiscPlace, discs
from numbering.phantom.imaging.mr.protocol import Plane, Protocol
from numbering.phantom.pose import Array, Skeleton
from numbering.phantom.scene.structure import Grid

CANAL_BEHIND_DISC_MM = 22.0
"""From the disc's middle to the canal, on which axial fields of view are centred."""
_WORTH_A_STACK = ("L1-", "L2-", "L3-", "L4-", "L5-", "L6-")


@dataclass(frozen=True)
class Planned:
    """One slice: its pixels' lattice ``(1, rows, columns)`` and what it was aimed at."""

    grid: Grid
    plane: Plane
    aimed_at: Disc | None = None
    stack: int = 0
    """Counts the stacks of the series from 0."""

    @property
    def normal(self) -> Array:
        """Unit vector across the slice, in the direction of ascending slices."""
        return np.asarray(self.grid.affine[:3, 0] / np.linalg.norm(self.grid.affine[:3, 0]))

    @property
    def centre(self) -> Array:
        """mm ``(3,)`` of the middle of the image."""
        _, rows, columns = self.grid.shape
        return np.asarray((self.grid.affine @ np.array([0, (rows - 1) / 2, (columns - 1) / 2, 1]))[:3])


def plan(skeleton: Skeleton, protocol: Protocol, rng: np.random.Generator) -> tuple[Planned, ...]:
    """The slices of a series, as a technologist places them: nearly parallel, nearly centred."""
    if protocol.weighting == "localizer":
        return _localizer(skeleton, protocol, rng)
    if protocol.plane == "axial":
        return _parallel(skeleton, protocol, rng) if protocol.layout == "parallel" else _block(skeleton, protocol, rng)
    return _upright(skeleton, protocol, rng, protocol.plane)


def single(
    skeleton: Skeleton, protocol: Protocol, place: DiscPlace, rng: np.random.Generator, offset_mm: float = 0.0
) -> Planned:
    """One axial slice at a disc, ``offset_mm`` above its middle, placed as those of a stack are."""
    axes, centre = _aim(place, rng)
    return _stack(protocol, centre + axes[:, 2] * offset_mm, axes, 1, "axial", aimed_at=place.disc)[0]


def _parallel(skeleton: Skeleton, protocol: Protocol, rng: np.random.Generator) -> tuple[Planned, ...]:
    """A stack along each disc from L1-L2 to the last; often from L2-L3 or L3-L4."""
    wanted = [place for place in discs(skeleton) if str(place.disc).startswith(_WORTH_A_STACK) and not place.fused]
    first = int(rng.choice([0, 0, 0, 1, 2]))
    return stacks(protocol, wanted[min(first, len(wanted) - 1) :], rng)


def stacks(protocol: Protocol, places: Sequence[DiscPlace], rng: np.random.Generator) -> tuple[Planned, ...]:
    """An axial stack along each of these discs."""
    planned: list[Planned] = []
    for stack, place in enumerate(places):
        axes, centre = _aim(place, rng)
        planned += _stack(protocol, centre, axes, protocol.slices, "axial", aimed_at=place.disc, stack=stack)
    return tuple(planned)


def _aim(place: DiscPlace, rng: np.random.Generator) -> tuple[Array, Array]:
    """Axes and centre of a stack: parallel but for a few degrees, on the canal but for a few millimetres."""
    forward, sideways, turn = rng.normal(0, (2.0, 1.2, 1.5))
    axes = place.axes @ small_turn(forward, sideways, turn)
    shift = axes @ np.array([rng.normal(0, 4), CANAL_BEHIND_DISC_MM + rng.normal(0, 7), rng.normal(0, 0.8)])
    return axes, place.centre + shift


def _block(skeleton: Skeleton, protocol: Protocol, rng: np.random.Generator) -> tuple[Planned, ...]:
    """Contiguous slices over the lower lumbar spine, tilted as one of its discs or not at all."""
    places = [place for place in discs(skeleton) if str(place.disc).startswith(_WORTH_A_STACK)]
    return block(protocol, places[-3] if rng.random() < 0.7 else places[-2], rng)


def block(protocol: Protocol, middle: DiscPlace, rng: np.random.Generator) -> tuple[Planned, ...]:
    """Axial slices about one disc, tilted as it is or not at all."""
    axes, centre = _aim(middle, rng)
    if rng.random() < 0.4:
        upright = np.eye(3) @ small_turn(float(rng.normal(0, 5)), 0.0, 0.0)
        centre, axes = centre + (upright - axes) @ np.array([0, 0, 1.0]), upright
    extent = (protocol.thickness_mm + protocol.gap_mm) * protocol.slices
    centre = centre + axes[:, 2] * rng.normal(0, 0.1 * extent)
    return _stack(protocol, centre, axes, protocol.slices, "axial")


def _upright(skeleton: Skeleton, protocol: Protocol, rng: np.random.Generator, plane: Plane) -> tuple[Planned, ...]:
    places = discs(skeleton)
    low, high = skeleton.sacrum.centre, places[-6].centre
    across = (high - low)[:2] / (high - low)[2]
    # The slices follow the coronal lean of the lumbar spine, and its mean turn.
    lean = float(np.degrees(np.arctan(across[0]))) + rng.normal(0, 0.7)
    axes = small_turn(0.0, lean, float(rng.normal(0, 2)))
    centre = skeleton.at(21.8) + np.array([rng.normal(0, 1.5), 0, rng.normal(0, 12)])
    back = rng.normal(18, 8)
    centre = centre + (np.array([0, back, 0]) if plane == "sagittal" else np.array([0, 10, 0]))
    return _stack(protocol, centre, axes, protocol.slices, plane)


def _localizer(skeleton: Skeleton, protocol: Protocol, rng: np.random.Generator) -> tuple[Planned, ...]:
    """Three planes across each other, square to the scanner."""
    centre = skeleton.at(22.0) + rng.normal(0, (12, 12, 20))
    planned: list[Planned] = []
    planes: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
    for stack, plane in enumerate(planes):
        planned += _stack(protocol, centre, np.eye(3), protocol.slices, plane, stack=stack)
    return tuple(planned)


def _stack(
    protocol: Protocol,
    centre: Array,
    axes: Array,
    count: int,
    plane: Plane,
    *,
    aimed_at: Disc | None = None,
    stack: int = 0,
) -> tuple[Planned, ...]:
    """``count`` slices around ``centre``; ``axes`` columns are left, back and up of the tilted patient.

    Axial slices run from the head down with the patient's right on the left of the image; sagittal ones from the right
    to the left with the front on the left; coronal ones from front to back with the patient's right on the left.
    """
    left, back, up = axes.T
    along_columns, along_rows, across = {
        "axial": (left, back, -up),
        "sagittal": (back, -up, left),
        "coronal": (left, -up, back),
    }[plane]
    rows, columns = protocol.size
    pixel, step = protocol.pixel_mm, protocol.thickness_mm + protocol.gap_mm
    planned = []
    for index in range(count):
        middle = centre + across * step * (index - (count - 1) / 2)
        affine = np.eye(4)
        affine[:3, 0] = across * protocol.thickness_mm
        affine[:3, 1], affine[:3, 2] = along_rows * pixel, along_columns * pixel
        affine[:3, 3] = middle - affine[:3, 1] * (rows - 1) / 2 - affine[:3, 2] * (columns - 1) / 2
        planned.append(Planned(Grid(affine, (1, rows, columns)), plane, aimed_at, stack))
    return tuple(planned)


def small_turn(forward: float, sideways: float, turn: float) -> Array:
    """Rotation by angles in degrees, signs as in `numbering.phantom.pose.rotation`."""
    from numbering.phantom.pose import rotation

    return rotation(forward, sideways, turn)
