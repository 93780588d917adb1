"""Arms that hang along the trunk, around the upper arms of the skeleton."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import Tube, pieces, tube


def arms(site: Site) -> list[Structure]:
    """Skin, fat and flesh of both arms down to the wrists, and one bone for the two of the forearm."""
    scale, found = site.scale, list[Structure]()
    fat = 0.35 * site.soft.subcutaneous_mm
    shoulder = site.skeleton.at(9.2)
    for side in SIDES:
        path = np.array([(180, -8, 10), (194, -10, -45), (201, -12, -150), (206, -14, -270), (204, -30, -430)])
        knots = shoulder + path * np.array([side, 1, 1]) * scale
        flesh = pieces(tube(Label.ARM, knots, np.array([44, 46, 42, 40, 27]) * scale, step_mm=30), 4)
        found += [Tube(Label.SKIN, part.path, part.radius + fat + 1.5) for part in flesh]
        found += [Tube(Label.FAT, part.path, part.radius + fat) for part in flesh]
        found += flesh
        found += pieces(tube(Label.HUMERUS, knots[2:], np.array([13, 17, 9]) * scale, step_mm=25), 4)
    return found
