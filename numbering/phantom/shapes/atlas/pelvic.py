"""Where the landmarks of a sacrum and of a pelvis must come to lie in the sampled patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.pose import Frame, Skeleton
from numbering.phantom.shapes.atlas.warp import Warp
from numbering.phantom.shapes.joints import SIDES
from numbering.phantom.shapes.pelvis import hip_centre

Array = NDArray[np.float64]

SACRUM = (
    "endplate_front", "endplate_back", "endplate_right", "endplate_left",
    "wing_right", "wing_left", "apex", "canal_back", "facet_right", "facet_left",
)  # fmt: skip
"""Landmarks of a sacrum: S1's upper endplate, the widest points of the wings, the lower end of S5, the hind wall of the
canal at S1, and the tips of the upper articular processes."""
SACRUM_SLACK = np.array([0.0] * 4 + [1.0] * 3 + [5.0] * 3)

PELVIS = (
    "crest_right", "crest_left", "iliac_right", "iliac_left", "front_right", "front_left", "hip_right", "hip_left",
    "ischium_right", "ischium_left", "symphysis", "auricle_right", "auricle_left", "back_right", "back_left",
)  # fmt: skip
"""Landmarks of a pelvis: tops of the crests, widest points, anterior superior spines, middles of the acetabula, ischial
tuberosities, symphysis, joint faces to the sacrum, posterior superior spines."""
PELVIS_SLACK = np.array([1.0] * 4 + [5.0] * 2 + [1.0] * 2 + [5.0] * 3 + [1.0] * 2 + [5.0] * 2)


def sacrum_frame(landmarks: Array) -> Frame:
    """The frame of `numbering.phantom.pose` on a sacrum: z square to the endplate, y back along it."""
    front, back = landmarks[:2]
    y = (back - front) / np.linalg.norm(back - front)
    x = np.array([1.0, 0, 0]) - y * y[0]
    x /= np.linalg.norm(x)
    return Frame((front + back) / 2, np.stack([x, y, np.cross(x, y)], 1))


def sacrum_targets(skeleton: Skeleton, found: Array) -> Array:
    """Landmarks ``(len(SACRUM), 3)`` in the sampled sacrum's frame, given those of the template in its own."""
    shape = skeleton.patient.sacrum
    at = {name: index for index, name in enumerate(SACRUM)}
    length = shape.length / float(np.linalg.norm(found[at["apex"]] - found[at["endplate_front"]]))
    wide = shape.endplate_width / (found[at["endplate_left"], 0] - found[at["endplate_right"], 0])
    goal = found * np.array([wide, length, length])
    goal[:2] = [[0, -shape.endplate_depth / 2, 0], [0, shape.endplate_depth / 2, 0]]
    goal[2:4] = [[-shape.endplate_width / 2, 0, 0], [shape.endplate_width / 2, 0, 0]]
    for side, sign in (("right", -1), ("left", 1)):
        goal[at[f"wing_{side}"], 0] = sign * shape.width / 2
    for name in ("canal_back", "facet_right", "facet_left"):
        goal[at[name], 1] += shape.endplate_depth / 2 - found[1, 1] * length
    goal[at["apex"]] = goal[0] + (found[at["apex"]] - found[0]) * [1, length, length]
    goal[at["apex"], 0] = 0
    return goal


def pelvis_targets(skeleton: Skeleton, found: Array, sacrum: Warp) -> Array:
    """Landmarks ``(len(PELVIS), 3)`` in the patient's frame, given those of the template in its sacrum's own frame and
    the warp of that sacrum: the ring turns and grows with the hip axis, and its joints follow the sacrum."""
    at = {name: index for index, name in enumerate(PELVIS)}
    hips = np.array([hip_centre(skeleton, side) for side in SIDES])
    found_axis = found[[at["hip_right"], at["hip_left"]]].mean(0)
    axis = hips.mean(0) - skeleton.sacrum.centre
    scale = float(np.linalg.norm(axis[1:]) / np.linalg.norm(found_axis[1:]))
    turn = np.arctan2(axis[2], axis[1]) - np.arctan2(found_axis[2], found_axis[1])
    wide = skeleton.patient.sacrum.bi_iliac / (found[at["iliac_left"], 0] - found[at["iliac_right"], 0])
    rolled = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    goal = (found * [wide, scale, scale]) @ rolled.T + skeleton.sacrum.centre
    goal[[at["hip_right"], at["hip_left"]]] = hips
    joints = [at["auricle_right"], at["auricle_left"]]
    goal[joints] = skeleton.sacrum.place(sacrum(found[joints]))
    crests = [at["crest_right"], at["crest_left"]]
    goal[crests, 2] += skeleton.height(skeleton.patient.sacrum.crest_ordinal) - goal[crests, 2].mean()
    return goal
