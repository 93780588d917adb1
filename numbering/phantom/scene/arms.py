"""Arms that lie along the trunk, as of a patient who cannot raise them."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import Tube, pieces, tube


def arms(site: Site) -> list[Structure]:
    """Both arms along the trunk, flesh and bone."""
    trunk, scale, found = site.trunk, site.scale, list[Structure]()
    for side in SIDES:
        path = []
        for at, lift in ((9.6, -18.0), (12, 22.0), (16, 34.0), (20.5, 34.0), (25, 36.0)):
            z = site.z(at) if at < 24.5 else -20 * scale
            reach = float(trunk.at(z, trunk.width) + trunk.at(z, trunk.side_fat))
            path.append(
                [float(trunk.at(z, trunk.x)) + side * (reach + lift * scale), float(trunk.at(z, trunk.middle[:, 1])), z]
            )
        fat = 0.35 * site.soft.subcutaneous_mm
        flesh = np.array([48, 44, 40, 36, 27]) * scale
        whole = tube(Label.ARM, path, flesh, step_mm=30)
        skin = [Tube(Label.SKIN, part.path, part.radius + fat + 1.5) for part in pieces(whole, 4)]
        layer = [Tube(Label.FAT, part.path, part.radius + fat) for part in pieces(whole, 4)]
        bone = tube(Label.HUMERUS, path, np.array([22, 12, 11, 16, 8]) * scale, step_mm=20)
        found += [*skin, *layer, *pieces(whole, 4), *pieces(bone, 4)]
    return found
