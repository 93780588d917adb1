"""Hip bones and the upper femora."""

from __future__ import annotations

import numpy as np

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.solids import bar
from numbering.phantom.shapes.vertebra import SIDES


def pelvis(skeleton: Skeleton) -> list[Bone]:
    """Hip bones, then femora; right before left."""
    scale = skeleton.patient.scale
    hips, femora = [], []
    for side in SIDES:
        flip = np.array([side, 1, 1]) * scale
        crest = np.array([[48, 40, 0], [84, 10, 46], [128, -48, 24], [126, -82, -26]]) * flip
        brim = np.array([[52, 34, -60], [62, 6, -60], [84, -24, -82], [110, -46, -84]]) * flip
        parts = []
        for index in range(4):
            parts.append(
                bar(brim[index], crest[index], (6, 4), across=[-side * 0.6, 0.0, 0.8], wide=2, tall=(10, 22), blend=6)
            )
        centre = np.array([89, -18, -112]) * flip
        parts.append(bar(np.array([72, -35, -104]) * flip, np.array([10, -62, -128]) * flip, 7))
        parts.append(bar(np.array([74, 0, -125]) * flip, np.array([50, 0, -180]) * flip, 13))
        parts.append(bar(np.array([50, 0, -180]) * flip, np.array([12, -50, -158]) * flip, 7))
        parts.append(bar(centre, centre, 31, blend=6))
        parts.append(bar(centre, centre + [side * 10, 0, -4], 26, carve=True))
        hips.append(Bone(Label.HIP_BONE, Field(parts)))
        femora.append(
            Bone(
                Label.FEMUR,
                Field(
                    [
                        bar(centre, centre, 23 * scale),
                        bar(centre, np.array([124, 0, -140]) * flip, (16, 17), blend=5),
                        bar(np.array([124, 0, -140]) * flip, np.array([122, 0, -280]) * flip, (17, 13), blend=5),
                    ]
                ),
            )
        )
    return [*hips, *femora]
