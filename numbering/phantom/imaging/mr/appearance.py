"""What every structure looks like: how much signal from water and from fat each of its points gives.

Fat and water are painted apart, since fat lands elsewhere in the image (chemical shift).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from numbering.phantom.imaging.mr import skeletal, soft
from numbering.phantom.imaging.mr.look import VESSELS, Look, Mix
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.imaging.mr.signal import water_signal
from numbering.phantom.imaging.mr.tissue import MUSCLE, WATER, tissue_of
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label, is_bone
from numbering.phantom.scene.structure import Structure

Recipe = Callable[[Look, Structure, Tensor, Tensor], Mix]
_EDGE_MM = 1.0
"""Beyond this from its surface, a structure covers nothing."""

_MUSCLES = (Label.MUSCLE, *map(Label, range(Label.PSOAS_RIGHT, Label.ILIACUS_LEFT + 1)))
_RECIPES: Mapping[int, Recipe] = {
    **dict.fromkeys(_MUSCLES, soft.muscle),
    **dict.fromkeys((Label.FAT, Label.VISCERA), soft.fat),
    Label.EPIDURAL_FAT: soft.epidural,
    **dict.fromkeys((Label.NUCLEUS, Label.ANNULUS), skeletal.disc),
    Label.THECAL_SAC: soft.sac,
    Label.LIGAMENT: soft.ligament,
    **dict.fromkeys(VESSELS, soft.vessel),
    **dict.fromkeys((Label.BOWEL, Label.STOMACH, Label.STOOL), soft.gut),
    **dict.fromkeys((Label.LIVER, Label.SPLEEN, Label.KIDNEY_RIGHT, Label.KIDNEY_LEFT), soft.solid_organ),
}


class Appearance:
    """A `numbering.phantom.scene.structure.Shade` for one patient and one protocol: channels water and fat."""

    def __init__(self, skeleton: Skeleton, structures: Sequence[Structure], protocol: Protocol, seed: int) -> None:
        self._look = Look(skeleton, protocol, seed, structures)
        self._protocol = protocol

    def __call__(self, structure: Structure, distance: Tensor, points: Tensor) -> Tensor:
        """Signals ``(2, ...)`` of water and of fat at points ``(..., 3)``."""
        deep = distance.reshape(-1)
        inside = deep < _EDGE_MM
        found = torch.zeros(2, deep.numel(), device=deep.device)
        found[:, inside] = self._signals(structure, deep[inside], points.reshape(-1, 3)[inside])
        return found.reshape(2, *distance.shape)

    @property
    def brightest(self) -> float:
        """Signal of the brightest common tissue: fat, or free water."""
        return max(self._look.fat, water_signal(WATER, self._protocol), water_signal(MUSCLE, self._protocol))

    def _signals(self, structure: Structure, deep: Tensor, points: Tensor) -> Tensor:
        label = int(structure.label)
        recipe = _RECIPES.get(label, skeletal.bone if is_bone(label) else _plain)
        density, fat, tint = recipe(self._look, structure, deep, points)
        whole = torch.ones_like(deep)
        water = whole * (self._look.water(label) * density * tint * (1 - fat))
        return torch.stack([water, whole * (self._look.fat * density * fat)])


def _plain(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Even tissue."""
    return 1.0, tissue_of(structure.label).fat, 1.0
