"""What is known of each candidate and its neighbours, as one row of numbers.

Nothing here depends on where the scan lies in the room: places enter as distances, and directions against the
patient's axes. What is missing is zero, with a flag beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration.detections import Bodies

WINDOW = 3
"""Neighbours on either side that a candidate's row tells of."""
MOST_COUNTED = 12
"""More candidates than this above or below are counted as this many."""
OWN = 15
BETWEEN = 4


def features(bodies: Bodies) -> NDArray[np.float64]:
    """Rows ``(n, WIDTH)``: each candidate, its neighbours, the ways between them, and how many lie on either side."""
    count = len(bodies)
    own = np.concatenate([np.zeros((WINDOW, OWN)), _own(bodies), np.zeros((WINDOW, OWN))])
    ways = np.concatenate([np.zeros((WINDOW, BETWEEN)), _between(bodies.centres), np.zeros((WINDOW, BETWEEN))])
    rank = np.arange(count)
    sides = np.stack([rank, count - 1 - rank], 1)
    ends = np.concatenate([np.minimum(sides, MOST_COUNTED) / MOST_COUNTED, sides == 0, sides == 1], 1)
    rows = [own[shift : shift + count] for shift in range(2 * WINDOW + 1)]
    rows += [ways[shift : shift + count] for shift in range(2 * WINDOW)]
    return np.concatenate([*rows, ends], 1)


WIDTH = OWN * (2 * WINDOW + 1) + BETWEEN * 2 * WINDOW + 6


def _own(bodies: Bodies) -> NDArray[np.float64]:
    """``(n, OWN)``: segments as log-odds, and the pedicles against the body."""
    scores = np.clip(bodies.segments, 0.005, 0.995)
    segments = np.log(scores / (1 - scores)) / 4
    pedicles = bodies.pedicles / 10
    has = np.isfinite(pedicles[:, :, 0])
    mirrored = pedicles[:, ::-1] * [-1, 1, 1]
    left, right = np.where(has[:, :, None], pedicles, mirrored).transpose(1, 0, 2)
    known = has.any(1, keepdims=True)
    parts = [np.ones((len(bodies), 1)), bodies.found[:, None], segments, has, known]
    parts += [(left - right)[:, :1] / 2, (left + right)[:, 1:] / 2, left - right, (left + right)[:, :1]]
    own: NDArray[np.float64] = np.nan_to_num(np.concatenate(parts, 1), nan=0.0)
    return own


def _between(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, BETWEEN)``: the way from each candidate to the next one below; its length and direction; the last is 0."""
    ways = np.diff(centres, axis=0)
    length = np.linalg.norm(ways, axis=1, keepdims=True)
    rows = np.concatenate([np.ones_like(length), length / 30, ways[:, :2] / np.maximum(length, 1e-9)], 1)
    return np.concatenate([rows, np.zeros((1, BETWEEN))])[: len(centres)]
