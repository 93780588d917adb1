"""Bodies and pedicles that a network found, as candidates head to foot.

A body is given the left and the right pedicle that lie where its own should. A left and a right pedicle that belong
to no body but to each other stand for a body that the network missed: they make a candidate of their own, at the
place where its body should be.

Coordinates are mm LPS (x left, y posterior, z head). A candidate's own frame has its axes left, posterior and up
along the spine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIDE_MM, BEHIND_MM, ABOVE_MM = 14.0, 21.0, 6.5
"""Where a pedicle lies from its body's centre, in the body's frame: the mean over all levels."""
REACH_MM = 17.0
"""A pedicle farther than this from where it should be is another body's, or none."""
PAIR_REACH_MM = 15.0
"""Pedicles whose separation differs by more than this from the usual one are no pair: wide ones of L5 neither."""
OWN_BODY_MM = 13.0
"""A pair whose body would lie this near to a found one is that one's."""
STRAY_MM = 45.0
"""A point farther than this, across the spine, from the middle of the points at its height lies outside the spine."""
AT_ITS_HEIGHT_MM = 90.0
"""Points within this of a height say where the spine is there."""


@dataclass(frozen=True)
class Detections:
    """What a network found in one scan: ``(n, 3)`` bodies, their ``(n, 3)`` scores for cervical, thoracic and lumbar
    (0…1 each, not normalised), and pedicles, ``(m, 3)`` each, all in mm LPS.
    """

    bodies: NDArray[np.float64]
    segments: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, bodies: ArrayLike, segments: ArrayLike, left: ArrayLike, right: ArrayLike) -> Detections:
        """From anything array-like; ``ValueError`` when the shapes do not fit or a number is not finite."""
        arrays = [np.asarray(value, float).reshape(-1, 3) for value in (bodies, segments, left, right)]
        if len(arrays[0]) != len(arrays[1]):
            raise ValueError(f"{len(arrays[0])} bodies with {len(arrays[1])} segment scores: expected one for each")
        if not all(np.isfinite(value).all() for value in arrays):
            raise ValueError("a coordinate or score is not finite: expected numbers, mm LPS and 0…1")
        return cls(*arrays)


@dataclass(frozen=True)
class Bodies:
    """Candidates head to foot. ``(n, 3)`` centres in mm LPS; ``(n, 3)`` segment scores (NaN where no body was found);
    ``(n, 2, 3)`` left and right pedicle in the candidate's frame (NaN where none); whether a body was found.
    """

    centres: NDArray[np.float64]
    segments: NDArray[np.float64]
    pedicles: NDArray[np.float64]
    found: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.centres)


def bodies_of(detections: Detections) -> Bodies:
    """Bodies with their pedicles, and pairs of pedicles without a body, sorted head to foot; strays left out."""
    detections = without_strays(detections)
    order = np.lexsort((*detections.bodies.T[:2], -detections.bodies[:, 2]))
    centres, segments = detections.bodies[order], detections.segments[order]
    frames = frames_along(centres)
    owners = [_owned(centres, frames, points, side) for points, side in ((detections.left, 1), (detections.right, -1))]
    alone = _pairs(
        np.delete(detections.left, owners[0][owners[0] >= 0], 0),
        np.delete(detections.right, owners[1][owners[1] >= 0], 0),
        centres,
        frames,
    )
    found = np.concatenate([np.ones(len(centres), bool), np.zeros(len(alone), bool)])
    world = np.full((len(found), 2, 3), np.nan)
    for side, points in enumerate((detections.left, detections.right)):
        has = np.flatnonzero(owners[side] >= 0)
        world[has, side] = points[owners[side][has]]
        world[len(centres) :, side] = alone[:, side]
    centres = np.concatenate([centres, alone[:, 2]])
    segments = np.concatenate([segments, np.full((len(alone), 3), np.nan)])
    order = np.lexsort((*centres.T[:2], -centres[:, 2]))
    centres, world = centres[order], world[order]
    pedicles = np.einsum("nij,nsj->nsi", frames_along(centres), world - centres[:, None])
    return Bodies(centres, segments[order], pedicles, found[order])


def without_strays(detections: Detections) -> Detections:
    """The points that lie along one spine: the others are hips, ribs or calcifications."""
    points = np.concatenate([detections.bodies, detections.left, detections.right])
    near = np.abs(points[:, None, 2] - points[None, :, 2]) < AT_ITS_HEIGHT_MM
    middle = np.stack([_median_where(near, points[:, axis]) for axis in (0, 1)], 1)
    kept = np.linalg.norm(points[:, :2] - middle, axis=1) < STRAY_MM
    body, left, _ = np.split(kept, np.cumsum([len(detections.bodies), len(detections.left)]))
    right = kept[len(body) + len(left) :]
    return Detections(
        detections.bodies[body], detections.segments[body], detections.left[left], detections.right[right]
    )


def _median_where(near: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row of ``near`` ``(n, n)`` the lower median of the values that it marks; each row marks at least one."""
    order = np.argsort(values, kind="stable")
    rank = np.cumsum(near[:, order], 1)
    middle = np.argmax(2 * rank >= rank[:, -1:], 1) if len(values) else np.zeros(0, int)
    median: NDArray[np.float64] = values[order][middle]
    return median


def frames_along(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, 3, 3)`` frames (rows: left, posterior, up) of points that lie head to foot along a spine."""
    if len(centres) < 2:
        return np.broadcast_to(np.eye(3), (len(centres), 3, 3))
    ahead = np.concatenate([centres[:1], centres[:-1]]) - np.concatenate([centres[1:], centres[-1:]])
    up = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    left = np.array([1.0, 0, 0]) - up[:, :1] * up
    left /= np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-9)
    return np.stack([left, np.cross(up, left), up], 1)


def _owned(
    centres: NDArray[np.float64], frames: NDArray[np.float64], points: NDArray[np.float64], side: int
) -> NDArray[np.intp]:
    """For each body the pedicle that is its own, or -1: nearest first, each pedicle once."""
    owner = np.full(len(centres), -1)
    if not len(centres) or not len(points):
        return owner
    offsets = np.einsum("nij,nmj->nmi", frames, points[None] - centres[:, None])
    away = np.linalg.norm(offsets - [side * SIDE_MM, BEHIND_MM, ABOVE_MM], axis=2)
    taken = np.zeros(len(points), bool)
    for flat in np.argsort(away, axis=None, kind="stable"):
        body, point = divmod(int(flat), len(points))
        if away[body, point] > REACH_MM:
            break
        if owner[body] < 0 and not taken[point]:
            owner[body], taken[point] = point, True
    return owner


def _pairs(
    left: NDArray[np.float64], right: NDArray[np.float64], centres: NDArray[np.float64], frames: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``(p, 3, 3)``: left pedicle, right pedicle and body centre of each pair that no body owns."""
    pairs: list[NDArray[np.float64]] = []
    if not len(left) or not len(right):
        return np.zeros((0, 3, 3))
    apart = np.linalg.norm(left[:, None] - right[None] - [2 * SIDE_MM, 0, 0], axis=2)
    free = np.ones(apart.shape, bool)
    for flat in np.argsort(apart, axis=None, kind="stable"):
        one, other = divmod(int(flat), len(right))
        if apart[one, other] > PAIR_REACH_MM:
            break
        if not free[one, other]:
            continue
        free[one], free[:, other] = False, False
        middle = (left[one] + right[other]) / 2
        frame = frames[np.argmin(np.linalg.norm(centres - middle, axis=1))] if len(centres) else np.eye(3)
        body = middle - BEHIND_MM * frame[1] - ABOVE_MM * frame[2]
        if not len(centres) or np.linalg.norm(centres - body, axis=1).min() > OWN_BODY_MM:
            pairs.append(np.array([left[one], right[other], body]))
    return np.array(pairs).reshape(-1, 3, 3)
