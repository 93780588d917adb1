"""What every structure looks like: how much signal from water and from fat each of its points gives.

Fat and water are painted apart, since fat lands elsewhere in the image (chemical shift). What anatomy does not draw is
texture: marrow and its fat, septa and streaks in muscle, roots in the sac, vessels in fat, layers of a disc.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.mr.levels import DiscPlace, discs
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.imaging.mr.signal import fat_signal, water_signal
from numbering.phantom.imaging.mr.tissue import BLACK_NUCLEUS, MUSCLE, NUCLEUS, ORGAN, WATER, tissue_of
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label, is_bone
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.texture import texture

CORTEX_MM = 0.9
_SIZES_MM: dict[str, tuple[float, float, float]] = {
    "grain": (2.6, 2.6, 2.6),
    "strand": (5.0, 5.0, 26.0),
    "lobule": (10.0, 10.0, 10.0),
    "organ": (22.0, 22.0, 22.0),
    "region": (70.0, 70.0, 70.0),
}
"""From spot to spot of the textures: trabeculae, bundles of muscle, lobules, vessels of organs, slow drifts."""
_BACK = range(Label.QUADRATUS_RIGHT, Label.MULTIFIDUS_LEFT + 1)
_MUSCLES = frozenset({Label.MUSCLE, *range(Label.PSOAS_RIGHT, Label.ILIACUS_LEFT + 1)})
_VESSELS = frozenset({Label.AORTA, Label.CAVA, Label.ILIAC_VESSELS, Label.PULMONARY_VESSELS})
_GUT = frozenset({Label.BOWEL, Label.STOMACH, Label.STOOL})
_ORGANS = frozenset({Label.LIVER, Label.SPLEEN, Label.KIDNEY_RIGHT, Label.KIDNEY_LEFT})

TRABECULAE = 0.80
"""Share of a bone's inside that is marrow."""

Mix = tuple[Tensor | float, Tensor | float, Tensor | float]
"""How dense water and fat are (cortex 0), the share of fat, and a factor of the water alone; each ``(n)`` or one."""


class Appearance:
    """A `numbering.phantom.scene.structure.Shade` for one patient and one protocol: channels water and fat."""

    background = (0.0, 0.0)

    def __init__(self, skeleton: Skeleton, protocol: Protocol, seed: int) -> None:
        self._protocol, self._skeleton = protocol, skeleton
        # Texture and what the gut holds are the patient's, so every series of a study shows the same.
        self._seed = seed
        self._discs = discs(skeleton)
        self._random = _random_contrast(protocol, seed)
        self.fat = self._of_fat()
        self._organ = water_signal(ORGAN, protocol)
        self._black = water_signal(BLACK_NUCLEUS, protocol)

    def __call__(self, structure: Structure, distance: Tensor, points: Tensor) -> Tensor:
        """Signals ``(2, ...)`` of water and of fat at points ``(..., 3)``."""
        flat, deep = points.reshape(-1, 3), distance.reshape(-1)
        label = int(structure.label)
        tissue = tissue_of(label)
        base = self._signal(label, water_signal(tissue, self._protocol))
        density, fat, tint = self._mix(label, structure, deep, flat, tissue.fat)
        shape = torch.ones_like(deep)
        water = shape * (base * density * tint * (1 - fat))
        return torch.stack([water, shape * (self.fat * density * fat)]).reshape(2, *distance.shape)

    @property
    def brightest(self) -> float:
        """Signal of the brightest common tissue: fat, or free water."""
        return max(self.fat, water_signal(WATER, self._protocol), water_signal(MUSCLE, self._protocol))

    def _of_fat(self) -> float:
        return self._signal(Label.FAT, fat_signal(self._protocol))

    def _signal(self, label: int, physical: float) -> float:
        strength = self._protocol.randomise.contrast
        return physical + strength * (self._random(label) * 0.6 - physical) if strength else physical

    def _mix(self, label: int, structure: Structure, deep: Tensor, points: Tensor, fat: float) -> Mix:
        for labels, mixed in self._recipes():
            if label in labels:
                return mixed(structure, deep, points)
        if is_bone(label):
            return self._bone(structure, deep, points)
        return 1.0, fat, 1.0

    def _recipes(self) -> tuple[tuple[frozenset[int], Callable[[Structure, Tensor, Tensor], Mix]], ...]:
        return (
            (_MUSCLES, self._muscle),
            (frozenset({Label.FAT, Label.EPIDURAL_FAT, Label.VISCERA}), self._fat),
            (frozenset({Label.NUCLEUS, Label.ANNULUS}), self._disc),
            (frozenset({Label.THECAL_SAC}), self._sac),
            (_VESSELS, self._vessel),
            (_GUT, self._gut),
            (_ORGANS, self._solid_organ),
        )

    def _bone(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """Cortex is black; marrow turns to fat with age, in patches."""
        patient = self._skeleton.patient
        base = 0.30 + 0.0042 * (patient.age - 20) + (0.04 if patient.sex == "M" and patient.age < 60 else 0.0)
        lobule, organ, grain = (self._field(name, 0, points) for name in ("lobule", "organ", "grain"))
        fat = (base + 0.05 * lobule + 0.05 * organ + 0.03 * grain).clamp(0.05, 0.92)
        marrow = ((-deep - CORTEX_MM + 0.4) / 0.8).clamp(0, 1)
        # Trabeculae are denser under the endplates, and take signal away there.
        density = 1 - 0.12 * torch.exp(deep / 3.0) + grain * 0.05
        vein = _line(organ, self._field("organ", 1, points), 0.14) * (deep < -6)
        return TRABECULAE * marrow * density, fat * (1 - 0.6 * vein), 1 + 0.4 * vein

    def _muscle(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """Streaks of fat between bundles, fat in the planes around it, more behind and with age."""
        share = self._skeleton.patient.soft.muscle_fat * (1.0 if structure.label in _BACK else 0.3)
        strands, bundles = (self._field("strand", number, points) for number in (0, 1))
        slow, lobule, organ = (self._field(name, 0, points) for name in ("region", "lobule", "organ"))
        # Marbling: flecks along the fibres where the bundles' field is high, denser in some regions than in others.
        rare = 2.1 - 2.2 * share - 0.35 * slow - 0.3 * lobule
        flecks = ((strands - rare) / 0.9).clamp(0, 1)
        lobes = ((organ + slow * 0.5 - 2.4 + 3.2 * share) / 0.8).clamp(0, 1) * (0.4 + 0.6 * (bundles > -0.4))
        cleft = _sheet(organ, 0.05 + 0.10 * share) * (slow > 0.1) * ((deep + 14) / 6).clamp(0, 1)
        plane = ((deep + 1.0) / 0.8).clamp(0, 1) * ((bundles + 0.9) / 0.6).clamp(0, 1)
        fat = (0.02 + 0.3 * share + 0.55 * flecks + 0.7 * lobes + 0.45 * cleft + 0.75 * plane).clamp(0, 0.93)
        return 1.0, fat, 1 + bundles * 0.07 + lobule * 0.03

    def _fat(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """Septa under the skin; small vessels and lymph nodes within the belly."""
        if structure.label == Label.EPIDURAL_FAT:
            return 1.0, 0.88, 1.0
        lobule, organ, region = (self._field(name, 0, points) for name in ("lobule", "organ", "region"))
        # Septa lie in sheets along the skin and thin out; vessels keep to some regions.
        septa = _sheet(lobule, 0.08) * ((organ + 0.4) / 0.8).clamp(0, 1)
        vessel = _line(organ, self._field("organ", 1, points), 0.12) * ((region + 0.3) / 0.8).clamp(0, 1)
        fat = (0.97 - 0.22 * septa - 0.8 * vessel - 0.02 * (1 + organ + lobule)).clamp(0.02, 1.0)
        return 1.0, fat, 1 - 0.6 * vessel

    def _disc(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """A healthy nucleus is bright with a dark cleft; a degenerate one is nearly as dark as the annulus."""
        place = self._nearest_disc(structure)
        grain, slow = self._field("grain", 0, points), self._field("lobule", 0, points)
        if structure.label == Label.ANNULUS:
            outer = ((deep + 2.5) / 2.5).clamp(0, 1)
            return (1 - 0.6 * outer) * (1 + 0.10 * slow), 0.0, 1.0
        own = (points - torch.as_tensor(place.centre, dtype=torch.float32, device=points.device)) @ torch.as_tensor(
            place.axes, dtype=torch.float32, device=points.device
        )
        whole = self._signal(Label.NUCLEUS, water_signal(NUCLEUS, self._protocol))
        healthy = 1.0 + (self._black / max(whole, 1e-6) - 1.0) * place.degeneration**0.7
        cleft = 0.35 * torch.exp(-((own[:, 2] / 0.9) ** 2)) * (1 - place.degeneration)
        rim = 0.35 * ((deep + 2.5) / 2.5).clamp(0, 1)
        return healthy * (1 - cleft) * (1 - rim) * (1 + 0.07 * slow + 0.04 * grain), 0.0, 1.0

    def _sac(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """Fluid, dark where it pulses and along the dura."""
        flow = (0.7 * self._field("lobule", 1, points) + 0.7 * self._field("organ", 1, points) - 0.9).clamp(0, 1)
        dura = ((deep + 0.5) / 0.5).clamp(0, 1)
        return (1 - self._protocol.pulsation * 0.8 * flow) * (1 - 0.5 * dura), 0.0, 1.0

    def _vessel(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """Void with a grey wall; slow blood along the wall of a vein may shine."""
        wall = ((deep + 1.6) / 1.0).clamp(0, 1)
        blood = water_signal(tissue_of(structure.label), self._protocol)
        grey = self._organ * 0.55 / max(blood, 1e-6)
        slow = 0.0 if structure.label == Label.AORTA or blood > self._organ else 2.5
        streams = slow * self._field("organ", 0, points).clamp(0, 1)
        return 1.0, wall * 0.05, 1 + wall * (grey - 1) + streams

    def _gut(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """A wall, and fluid, paste and gas inside."""
        wall = ((deep + 2.5) / 1.0).clamp(0, 1)
        filling, grain = self._field("organ", 0, points), self._field("lobule", 0, points)
        content = (0.9 + 0.45 * filling + 0.35 * grain).clamp(0.0, 2.2)
        return 1.0, (0.1 * filling).clamp(0, 0.4), content + wall * (1.0 - content)

    def _solid_organ(self, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
        """Vessels within; the kidney's cortex is a little darker than its medulla on T2, brighter on T1."""
        organ = self._field("organ", 0, points)
        vessel = _line(organ, self._field("organ", 1, points), 0.16)
        weight = 1 - 0.5 * vessel
        if structure.label in (Label.KIDNEY_RIGHT, Label.KIDNEY_LEFT):
            pyramid = ((-deep - 7) / 2).clamp(0, 1) * (self._field("organ", 2, points) > 0).float()
            weight = weight * (1 + pyramid * (0.2 if self._protocol.weighting != "T1" else -0.2))
        return weight * (1 + 0.04 * self._field("grain", 0, points)), 0.03, 1.0

    def _field(self, name: str, number: int, points: Tensor) -> Tensor:
        """One of the patient's independent random fields of this texture, mean 0 and standard deviation 1."""
        return texture(points, self._seed * 16 + 5 * number + list(_SIZES_MM).index(name), _SIZES_MM[name])

    def _nearest_disc(self, structure: Structure) -> DiscPlace:
        middle = np.asarray(structure.bounds, float).mean(0)
        return min(self._discs, key=lambda place: float(np.linalg.norm(place.centre - middle)))


def _sheet(field: Tensor, width: float) -> Tensor:
    """0…1: thin sheets where a field is near zero."""
    return torch.exp(-((field / width) ** 2))


def _line(first: Tensor, second: Tensor, width: float) -> Tensor:
    """0…1: curved lines where both fields are near zero, such as small vessels."""
    return torch.exp(-(first**2 + second**2) / width**2)


def _random_contrast(protocol: Protocol, seed: int) -> Callable[[int], float]:
    """A number 0…1 for each label, the same for both sides of the body."""
    rng = np.random.default_rng([seed, 0xC0A7])
    table = rng.random(256)
    return lambda label: float(table[0 if is_bone(label) else label])
