"""The walk along the spine: one vertebra after the other, each looked at until it is in the middle (Methods 2.3).

A walk goes down or up. It begins at the bone of the first two slices, and where no vertebra is there it looks across
the volume in strides. Each vertebra is centred until its middle moves by less than 2 mm, five times at most; then it is
remembered, and the next one is looked for a step further. The walk only ever goes on in its direction. It ends at the
end of the volume, at a level beyond the spine, where nothing new is found, or after a bound that no spine reaches.

Ours: after a vertebra that does not stand on the sacrum one step more is tried before the walk ends, for a vertebra
that the network does not see must not hide the rest; the solver is told the distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.ct.levels import LAST_LUMBAR
from numbering.pipelines.ct.model.preprocess import Direction
from numbering.pipelines.ct.reading.eyes import Eyes
from numbering.pipelines.ct.reading.found import Found, found_in, remembered
from numbering.pipelines.ct.reading.working import Working, overlap

Array = NDArray[np.float64]

BONE_HU = 200
"""Bone, for finding where to begin."""
LEAST_MM3 = 1000.0
"""Less than 1 cm³ of vertebra is none."""
CENTRED_MM, MOST_LOOKS = 2.0, 5
"""A vertebra is centred when its middle moves by less, or after so many looks."""
MOST_FIRST_LOOKS = 30
"""So many for the first one, which may lead from vertebra to vertebra along all of the spine."""
STRIDE = 0.5
"""Of the search across the volume, in sides of a patch."""
FIRST_STEP_MM = 28.0
"""From one vertebra to the next, before two are known."""
LEAST_STEP_MM, MOST_STEP_MM = 8.0, 55.0
"""Along the walk, from one vertebra's middle to the next's: nearer it is a piece of the same, further another one has
been passed over twice."""
PAST_SACRUM = 0.5
"""Probability of standing on the sacrum from which nothing below is looked for."""
BEYOND = 1.0
"""A level so far below the lowest lumbar one, or above the atlas, is no vertebra's (the paper: above 24)."""
MOST_VERTEBRAE = 28
MOST_SEARCHED = 80
"""Patches looked at in search of the first vertebra."""


@dataclass(frozen=True, eq=False)
class Walk:
    """What one walk found, in the order in which it went; why it ended, and how often it looked."""

    direction: Direction
    found: tuple[Found, ...]
    ended: str
    looks: int


@dataclass(eq=False)
class _Walker:
    working: Working
    eyes: Eyes
    direction: Direction
    found: list[Found] = field(default_factory=list)
    looks: int = 0

    @property
    def sign(self) -> int:
        return 1 if self.direction == "down" else -1

    def look(self, centre: Array) -> Found | None:
        """The next vertebra of the patch around ``centre``, if there is enough of it and it lies further on."""
        side = self.eyes.size.side
        corner = np.rint(centre - (side - 1) / 2).astype(np.intp)
        memory = remembered(self.found, corner, side)
        self.looks += 1
        seen = self.eyes.patch(self.working, corner, memory, self.direction)
        one = found_in(seen, corner, self.working.hu.shape, memory, self.direction)
        if one is None or one.voxels * self.working.spacing_mm**3 < LEAST_MM3:
            return None
        return one if self._further(one) else None

    def _further(self, one: Found) -> bool:
        if not self.found:
            return True
        step = self.sign * (one.centre[0] - self.found[-1].centre[0]) * self.working.spacing_mm
        return bool(step >= LEAST_STEP_MM)

    def centred(self, centre: Array) -> Found | None:
        """Looks until the vertebra stays in the middle; the middle never goes back beyond the last vertebra's.

        The network answers with the first vertebra of the patch, so the first of a walk is followed up to the beginning
        of the spine, wherever the walk met it.
        """
        one = None
        for _ in range(MOST_LOOKS if self.found else MOST_FIRST_LOOKS):
            seen = self.look(centre)
            if seen is None:
                return one
            one, before = seen, centre
            centre = self._onwards(one.centre)
            if np.linalg.norm(centre - before) * self.working.spacing_mm < CENTRED_MM:
                break
        return one

    def _onwards(self, centre: Array) -> Array:
        if not self.found:
            return centre
        last = self.found[-1].centre[0]
        height = max(centre[0], last) if self.sign > 0 else min(centre[0], last)
        return np.array([height, *centre[1:]])

    def step(self) -> Array:
        """From the last vertebra to where the next one is expected, voxels."""
        if len(self.found) < 2:
            return np.array([self.sign * FIRST_STEP_MM / self.working.spacing_mm, 0.0, 0.0])
        step = self.found[-1].centre - self.found[-2].centre
        length = float(np.linalg.norm(step)) * self.working.spacing_mm
        return np.asarray(step * min(1.0, MOST_STEP_MM / max(length, 1e-6)))

    def next(self) -> Found | None:
        """The vertebra after the last one: where it is expected, from the last one's own place, or one step further."""
        last, step = self.found[-1].centre, self.step()
        ahead = [last + step, last]
        if not (self.sign > 0 and self.found[-1].sacrum >= PAST_SACRUM):
            ahead.append(last + 2 * step)
        for centre in ahead:
            if self.beyond(centre):
                continue
            one = self.centred(centre)
            if one is not None:
                return one
        return None

    def beyond(self, centre: Array) -> bool:
        """Whether so little of the volume is left there that the walk has reached its end."""
        reach = LEAST_STEP_MM / self.working.spacing_mm
        return bool(centre[0] < -reach or centre[0] > len(self.working.hu) - 1 + reach)


def walk(working: Working, eyes: Eyes, direction: Direction, hints: tuple[Array, ...] = ()) -> Walk:
    """All vertebrae that can be reached in this direction.

    ``hints`` are indices where a vertebra may be, tried when neither the paper's beginning nor the search finds one.
    """
    walker = _Walker(working, eyes, direction)
    first = _first(walker, hints)
    if first is None:
        return Walk(direction, (), "no vertebra was found to begin with", walker.looks)
    one: Found | None = first
    ended = f"more than {MOST_VERTEBRAE} vertebrae"
    while len(walker.found) < MOST_VERTEBRAE:
        if one is None:
            last = walker.found[-1].centre
            ended = "end of the volume" if walker.beyond(last + walker.step()) else "nothing new was found"
            break
        if one.level > LAST_LUMBAR + BEYOND or one.level < 1 - BEYOND:
            ended = "a level beyond the spine"
            break
        walker.found.append(one)
        one = walker.next()
    return Walk(direction, tuple(walker.found), ended, walker.looks)


def _first(walker: _Walker, hints: tuple[Array, ...]) -> Found | None:
    for number, centre in enumerate(_beginnings(walker.working, walker.eyes.size.side, walker.sign, hints)):
        if number > MOST_SEARCHED:
            return None
        one = walker.centred(centre)
        if one is not None:
            return one
    return None


def _beginnings(working: Working, side: int, sign: int, hints: tuple[Array, ...]) -> Iterator[Array]:
    """Where to look for the first vertebra, best first."""
    bone = working.hu >= BONE_HU
    slices = np.flatnonzero(bone.any((1, 2)))
    if not len(slices):
        return
    first = slices[0] if sign > 0 else slices[-1]
    near = slice(max(first - (sign < 0), 0), first + 1 + (sign > 0))
    at = np.argwhere(bone[near]).mean(0)
    yield np.array([float(first), at[1], at[2]])
    yield from _search(working, bone, side, sign)
    yield from hints


def _search(working: Working, bone: NDArray[np.bool_], side: int, sign: int) -> Iterator[Array]:
    """Layer after layer in the direction of the walk, in strides; within a layer the richest in bone first."""
    stride = max(1, round(STRIDE * side))
    least = LEAST_MM3 / working.spacing_mm**3
    slices, rows, columns = bone.shape
    heights = range(stride // 2, slices + stride // 2, stride)
    for height in heights if sign > 0 else [slices - 1 - one for one in heights]:
        layer = []
        for row in range(stride // 2, rows + stride // 2, stride):
            for column in range(stride // 2, columns + stride // 2, stride):
                corner = np.array([height, row, column]) - stride // 2
                inner, _ = overlap(bone.shape, corner, (stride,) * 3)
                amount = int(np.count_nonzero(bone[inner]))
                if amount >= least:
                    layer.append((-amount, height, row, column))
        for _, *centre in sorted(layer):
            yield np.array(centre, float)
