"""The discs on sagittal images, whatever they are called: bright or dark, their edges cross the column at even steps.

Nothing is learnt here, and levels are not told apart. Along the line that the axial slices give, the column is drawn
straight; two endplates close together every 30 to 40 mm make discs, on any weighting. How far in front of or behind
that line the column lies is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates

from numbering.pipelines.axial_mr.reading.course import Course
from numbering.stack import Stack

Array = NDArray[np.float64]

STEP_MM = 1.0
"""Along the line."""
ACROSS_MM = np.arange(-8.0, 8.1, 4.0)
"""From right to left: the width of a body in which its endplates are flat."""
DEPTH_STEP_MM = 1.5
DEPTH = 13
"""So many steps from front to back: half of a body's depth."""
AHEAD_MM = np.arange(-24.0, 24.1, 4.0)
"""How far in front of or behind the line the middle of the column may lie …"""
BENT_MM = (0.0, 12.0, 24.0)
"""… and how much further back its ends: a block of slices gives a straight line, a lumbar spine is hollow-backed."""
AS_CLEAR = 0.4
"""Discs are as deep as the column: lines this little less clear than the clearest one run through it too."""
TILTS = np.tan(np.radians([-18.0, -12.0, -6.0, 0.0, 6.0, 12.0, 18.0]))
"""Of endplates against the line."""
FINE_MM, DISC_MM = 1.0, 4.0
"""An endplate is about so thick; two of them about a disc lie so far from its middle."""
NEAREST_MM, USUAL_MM, FARTHEST_MM, SPREAD_MM = 24, 35.0, 48, 5.0
"""From one disc to the next."""
CLEAR = 1.9
"""So much more of edges at the discs than between them, in standard deviations along the line, makes a column …"""
UNEVEN = 0.085
"""… if the distances of its discs differ by no more than this share of their mean (a standard deviation), …"""
WORST = 0.0
"""… and so much more of edges is at every disc than at any place between two."""


@dataclass(frozen=True, eq=False)
class Column:
    """Where one sagittal stack shows discs. ``course`` runs through the middle of the column; ``discs`` ``(n,)`` are mm
    along it. There is ``clear`` more of edges at them than between them, ``worst`` more at the least of them.
    """

    course: Course
    discs: Array
    clear: float
    worst: float

    @property
    def sure(self) -> bool:
        """Whether these are discs rather than what chance lets look like some."""
        steps = np.diff(self.discs)
        return bool(self.clear >= CLEAR and self.worst >= WORST and steps.std() <= UNEVEN * steps.mean())


@dataclass(frozen=True, eq=False)
class _Chain:
    """Evenly spaced places, as indices, and by how much more of edges there is at them than between them."""

    places: NDArray[np.intp]
    clear: float
    worst: float


def clearest(stacks: Sequence[Stack], course: Course, first_mm: float, last_mm: float) -> Column | None:
    """The column between two places along the line, by the stack that shows it most clearly; None where none does."""
    found = [one for one in (column(stack, course, first_mm, last_mm) for stack in stacks) if one is not None]
    return max((one for one in found if one.sure), key=lambda one: one.clear, default=None)


def column(stack: Stack, course: Course, first_mm: float, last_mm: float) -> Column | None:
    """The column between two places along the line as this stack shows it, clearly or not; None where there is none."""
    along = np.arange(first_mm, last_mm, STEP_MM)
    reach = DEPTH_STEP_MM * (DEPTH - 1) / 2
    depths = np.arange(-AHEAD_MM.max() - reach, AHEAD_MM.max() + max(BENT_MM) + reach + 1e-6, DEPTH_STEP_MM)
    straight = straightened(stack, course, along, depths)
    shown: list[tuple[float, float, _Chain]] = []
    for bent in BENT_MM:
        behind = bent * np.linspace(-1, 1, len(along)) ** 2
        for ahead in AHEAD_MM:
            found = _chain(_edges(_band(straight, behind - ahead, depths)))
            if found is not None:
                shown.append((float(ahead), bent, found))
    if not shown:
        return None
    top = max(chain.clear for _, _, chain in shown)
    bent = next(bent for _, bent, chain in shown if chain.clear == top)
    shown = [one for one in shown if one[1] == bent and one[2].clear >= top - AS_CLEAR]
    middle = np.mean([ahead for ahead, _, _ in shown])
    ahead, _, chain = min(shown, key=lambda one: abs(one[0] - middle))
    share = np.clip((course.along_mm - first_mm) / (along[-1] - first_mm), 0, 1)
    off = ahead - bent * (2 * share - 1) ** 2
    moved = Course(course.points + off[:, None] * _forward(course))
    places = moved.points[np.searchsorted(course.along_mm, along[chain.places])]
    return Column(moved, np.array([moved.nearest(place) for place in places]), chain.clear, chain.worst)


def _band(straight: Array, behind: Array, depths: Array) -> Array:
    """``(along, DEPTH)``: the part of a straightened column about a line so far ``behind`` (mm at each place), drawn
    straight in its turn."""
    rows = np.arange(len(straight))[:, None]
    within = (np.arange(DEPTH) - (DEPTH - 1) / 2) * DEPTH_STEP_MM
    slope = np.gradient(behind)[:, None]
    column = (behind[:, None] + within - depths[0]) / DEPTH_STEP_MM
    places = [rows - slope * within / STEP_MM, column]
    return np.asarray(map_coordinates(straight, np.broadcast_arrays(*places), order=1, mode="nearest"))


def _forward(course: Course) -> Array:
    """Unit vectors ``(n, 3)`` square to the line, towards the front."""
    front = np.array([0.0, -1.0, 0.0]) + course.tangents * course.tangents[:, 1:2]
    return np.asarray(front / np.linalg.norm(front, axis=1, keepdims=True))


def straightened(stack: Stack, course: Course, along: Array, depths: Array) -> Array:
    """Values ``(along, depths)`` about the line drawn straight, front first, over the column's width; nan where no
    image lies. ``depths`` are mm behind the line.
    """
    index = np.clip(np.searchsorted(course.along_mm, along), 0, len(course.points) - 1)
    down, front = course.tangents[index], _forward(course)[index]
    left = np.cross(front, down)
    places = (
        course.points[index][:, None, None]
        - depths[None, :, None, None] * front[:, None, None]
        + ACROSS_MM[None, None, :, None] * left[:, None, None]
    )
    values = _sampled(stack, places.reshape(-1, 3)).reshape(places.shape[:3])
    seen = np.isfinite(values)
    total = np.where(seen, values, 0).sum(2)
    return np.where(seen.any(2), total / np.maximum(seen.sum(2), 1), np.nan)


def _sampled(stack: Stack, places: Array) -> Array:
    """The image's values ``(n,)`` at places ``(n, 3)`` mm, each from the slice nearest to it; nan beyond the images."""
    off = np.stack([np.abs(plane.off_mm(places)) for plane in stack.planes])
    nearest = off.argmin(0)
    reach = max(stack.spacing_mm or 0.0, *(plane.thickness_mm for plane in stack.planes), 1.0)
    values = np.full(len(places), np.nan)
    for index in np.unique(nearest):
        plane = stack.planes[index]
        here = np.flatnonzero((nearest == index) & (off[index] <= reach))
        if not len(here):
            continue
        x, y = plane.to_pixel(places[here]).T
        sampled = map_coordinates(stack.pixels(int(index)), [y, x], order=1, cval=np.nan)
        values[here] = sampled
    return values


def _edges(straight: Array) -> Array:
    """``(along,)``: how strongly lines cross the column about each place, at the tilt that they have there, in standard
    deviations along it; nan where it is not seen.
    """
    known = np.isfinite(straight)
    if known.all(1).sum() < NEAREST_MM:
        return np.full(len(straight), np.nan)
    rows = np.arange(len(straight))
    smooth = gaussian_filter1d(np.where(known, straight, np.nanmean(straight)), FINE_MM, axis=0)
    depths = (np.arange(straight.shape[1]) - (straight.shape[1] - 1) / 2) * DEPTH_STEP_MM
    strongest = np.zeros(len(straight))
    for tilt in TILTS:
        tilted = [np.interp(rows + depth * tilt, rows, smooth[:, k]) for k, depth in enumerate(depths)]
        strongest = np.maximum(strongest, np.abs(np.gradient(np.mean(tilted, 0))))
    level = gaussian_filter1d(strongest, DISC_MM)
    level[~known.all(1)] = np.nan
    spread = float(np.nanstd(level))
    return np.asarray((level - np.nanmean(level)) / spread) if spread > 0 else np.full(len(straight), np.nan)


def _chain(edges: Array) -> _Chain | None:
    """The evenly spaced places with the most edges, from end to end of what is seen, and how clear they are."""
    seen = np.flatnonzero(np.isfinite(edges))
    if len(seen) < 2 * NEAREST_MM:
        return None
    start, stop = int(seen[0]), int(seen[-1]) + 1
    value = np.nan_to_num(edges[start:stop], nan=-1.0)
    steps = np.arange(NEAREST_MM, FARTHEST_MM + 1)
    cost = 0.5 * ((steps - USUAL_MM) / SPREAD_MM) ** 2
    total, before = np.full(len(value), -np.inf), np.full(len(value), -1)
    for place in range(len(value)):
        if place < FARTHEST_MM:
            total[place] = value[place]
        back = place - steps
        ways = np.where(back >= 0, total[np.maximum(back, 0)] - 0.5 * cost, -np.inf)
        step = int(np.argmax(ways))
        if ways[step] + value[place] > total[place]:
            total[place], before[place] = ways[step] + value[place], back[step]
    last = len(value) - FARTHEST_MM + int(np.argmax(total[-FARTHEST_MM:]))
    chain = [last]
    while before[chain[-1]] >= 0:
        chain.append(int(before[chain[-1]]))
    discs = np.array(chain[::-1])
    if len(discs) < 2:
        return None
    between = value[((discs[:-1] + discs[1:]) / 2).astype(int)]
    at = value[discs]
    return _Chain(discs + start, float(at.mean() - between.mean()), float(at.min() - between.max()))
