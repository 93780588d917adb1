"""What the recipes of all tissues share: the patient, the sequence, and the patient's random textures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.mr.levels import DiscPlace, discs
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.imaging.mr.signal import fat_signal, water_signal
from numbering.phantom.imaging.mr.tissue import Tissue, tissue_of
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import Label, is_bone, vertebra_label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.texture import texture

Mix = tuple[Tensor | float, Tensor | float, Tensor | float]
"""How dense water and fat are (cortex 0), the share of fat, and a factor of the water alone; each ``(n)`` or one."""

VESSELS = frozenset({Label.AORTA, Label.CAVA, Label.ILIAC_VESSELS, Label.PULMONARY_VESSELS})

_SIZES_MM: dict[str, tuple[float, float, float]] = {
    "grain": (2.6, 2.6, 2.6),
    "strand": (5.0, 5.0, 26.0),
    "lobule": (10.0, 10.0, 10.0),
    "organ": (22.0, 22.0, 22.0),
    "region": (70.0, 70.0, 70.0),
    "rootlet": (3.2, 2.2, 60.0),
    "flow": (9.0, 9.0, 34.0),
}
"""From spot to spot of the textures: trabeculae, bundles of muscle, lobules, vessels of organs, slow drifts, roots, and
jets of cerebrospinal fluid."""


class Look:
    """Textures and what the gut holds are the patient's, so every series of a study shows the same."""

    def __init__(self, skeleton: Skeleton, protocol: Protocol, seed: int, structures: Sequence[Structure] = ()) -> None:
        self.skeleton, self.protocol, self._seed = skeleton, protocol, seed
        self._vessels = [one for one in structures if one.label in VESSELS]
        self._discs = discs(skeleton)
        self._placed = {vertebra_label(placed.vertebra.level): placed for placed in skeleton.vertebrae}
        self._random = np.random.default_rng([seed, 0xC0A7]).random(256)
        self.fat = self._contrasted(Label.FAT, fat_signal(protocol))

    def field(self, name: str, number: int, points: Tensor) -> Tensor:
        """One of the patient's independent random fields of this texture, mean 0 and standard deviation 1."""
        return texture(points, self._seed * 32 + 8 * number + list(_SIZES_MM).index(name), _SIZES_MM[name])

    def in_vessels(self, structure: Structure, deep: Tensor, points: Tensor) -> Tensor:
        """Distance to the surface of all vessels together: where one joins another there is no wall."""
        low, high = points.amin(0).cpu().numpy(), points.amax(0).cpu().numpy()
        for other in self._vessels:
            bounds = other.bounds
            if other is not structure and (bounds[0] <= high).all() and (low <= bounds[1]).all():
                deep = torch.minimum(deep, other.signed_distance(points))
        return deep

    def water(self, label: int, tissue: Tissue | None = None) -> float:
        """Signal of the water of a structure, or of another tissue drawn under its label."""
        return self._contrasted(label, water_signal(tissue or tissue_of(label), self.protocol))

    def chance(self, number: int) -> float:
        """The patient's own number 0…1 for a small thing, such as the cleft of one disc."""
        return float(np.random.default_rng([self._seed, 0xC1EF, number]).random())

    def placed(self, label: int) -> Placed | None:
        """The vertebra of this label."""
        return self._placed.get(label)

    def nearest_disc(self, structure: Structure) -> DiscPlace:
        """The disc that a structure belongs to."""
        middle = np.asarray(structure.bounds, float).mean(0)
        return min(self._discs, key=lambda place: float(np.linalg.norm(place.centre - middle)))

    def _contrasted(self, label: int, physical: float) -> float:
        strength = self.protocol.randomise.contrast
        if strength == 0:
            return physical
        drawn = float(self._random[1 if is_bone(label) else label]) * 0.6
        return physical + strength * (drawn - physical)
