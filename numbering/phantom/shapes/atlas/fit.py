"""Where the landmarks of a template must come to lie in a sampled vertebra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.anatomy.patient import Size, Vertebra
from numbering.phantom.pose import body_corners, body_edges
from numbering.phantom.shapes.atlas.landmarks import NAMES

Array = NDArray[np.float64]
AT = {name: index for index, name in enumerate(NAMES)}
SLACK = np.array([0.0] * 8 + [4.0] * (len(NAMES) - 8))
"""Corners and edges are met exactly, the arch within a millimetre or two: a mesh's arch is no scaled copy of another's,
and a warp that forced it would fold."""
TAIL = 0.75
"""The part of the spinous process behind the canal keeps at least this share of its length in proportion."""


def targets(vertebra: Vertebra, found: Array) -> Array:
    """Landmarks ``(len(NAMES), 3)`` of the sampled vertebra, given those found on the template.

    Corners and edges are the anatomy's, so is what it gives of canal, pedicles and processes; the rest (how high a
    process stands, how far a facet reaches) is the template's, in proportion.
    """
    size = vertebra.size
    goal = np.vstack([body_corners(vertebra), body_edges(vertebra), _arch(size, found)])
    wall = float(goal[1:3, 1].mean())
    half = size.canal_width / 2
    for side, sign in (("right", -1.0), ("left", 1.0)):
        outer, top, bottom = (AT[f"pedicle_{side}_{name}"] for name in ("outer", "top", "bottom"))
        middle = (goal[top, 2] + goal[bottom, 2]) / 2
        goal[AT[f"canal_{side}"], 0] = sign * half
        goal[outer, 0] = sign * (half + size.pedicle_width)
        goal[[top, bottom], 0] = sign * (half + size.pedicle_width / 2)
        goal[top, 2], goal[bottom, 2] = middle + size.pedicle_height / 2, middle - size.pedicle_height / 2
        goal[AT[f"transverse_{side}"], 0] = sign * size.transverse_span / 2
    canal = wall + size.canal_depth
    goal[AT["canal_back"], :2] = 0, canal
    front = -(size.upper_depth + size.lower_depth) / 4
    tail = (found[AT["spinous"], 1] - found[AT["canal_back"], 1]) * size.height / _height(found)
    goal[AT["spinous"], 1] = max(front + size.spinous_length, canal + TAIL * tail)
    return goal


def _arch(size: Size, found: Array) -> Array:
    """The landmarks behind the body in proportion: stretched within the canal as the canal is, moved along with its
    walls and stretched as the body is beyond them."""
    arch = found[8:]
    found_half = (found[AT["canal_left"], 0] - found[AT["canal_right"], 0]) / 2
    found_wall = found[1:3, 1].mean()
    found_depth = found[AT["canal_back"], 1] - found_wall
    body = (size.upper_width + size.lower_width) / float(found[5, 0] - found[4, 0] + found[6, 0] - found[7, 0])
    across, behind = abs(arch[:, 0]), arch[:, 1] - found_wall
    x = np.minimum(across / found_half, 1) * size.canal_width / 2 + np.maximum(across - found_half, 0) * body
    y = np.minimum(behind / found_depth, 1) * size.canal_depth + np.maximum(behind - found_depth, 0) * body
    wall = (size.upper_depth + size.lower_depth) / 4
    return np.stack([np.sign(arch[:, 0]) * x, wall + y, arch[:, 2] * size.height / _height(found)], 1)


def _height(found: Array) -> float:
    return float(np.linalg.norm(found[:2] - found[[3, 2]], axis=1).mean())
