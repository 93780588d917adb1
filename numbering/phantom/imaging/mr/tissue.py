"""Relaxation of tissues, and which structure is made of what.

Values are those that a turbo spin echo shows: T2 of fat is longer there than in a single echo (J-coupling), that of
muscle too (stimulated echoes), and the density of muscle and marrow holds what magnetisation transfer and trabeculae
take away. T1 and T2 as in Gold et al. (Radiology 2004, 3 T) and common 1.5 T values, the rest estimated; the resulting
grey levels are tested against published ratios.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numbering.phantom.scene.labels import Label, is_bone


@dataclass(frozen=True)
class Tissue:
    """The water of a tissue. ``t1`` and ``t2`` in ms at 1.5 T and at 3 T; ``density`` against free water."""

    density: float
    t1: tuple[float, float]
    t2: tuple[float, float]
    fat: float = 0.0
    """Share of fat, 0…1, where no anatomy gives it."""
    flow: bool = False
    """Blood that moves too fast for a spin echo, and brightens a gradient echo."""

    def at(self, field_tesla: float) -> tuple[float, float]:
        """T1 and T2 at this field, by the power law through both values."""
        return _at(self.t1, field_tesla), _at(self.t2, field_tesla)


def _at(pair: tuple[float, float], field_tesla: float) -> float:
    low, high = pair
    return float(low * (high / low) ** _octaves(field_tesla))


def _octaves(field_tesla: float) -> float:
    return math.log2(field_tesla / 1.5)


FAT = Tissue(0.92, (320, 372), (112, 122))
"""The fat of every tissue."""
WATER = Tissue(1.0, (4000, 4200), (1800, 1600))
MUSCLE = Tissue(0.62, (900, 1050), (46, 45), fat=0.03)
MARROW = Tissue(0.72, (560, 640), (58, 55))
NUCLEUS = Tissue(0.76, (1280, 1420), (130, 130))
BLACK_NUCLEUS = Tissue(0.62, (820, 920), (56, 54))
ANNULUS = Tissue(0.56, (760, 860), (46, 46))
VOID = Tissue(0.0, (1000, 1000), (10, 10))
LIGAMENT = Tissue(0.48, (800, 900), (36, 34), fat=0.12)
CORD = Tissue(0.74, (840, 960), (78, 76))
ORGAN = Tissue(0.72, (620, 780), (48, 46), fat=0.04)
SPLEEN = Tissue(0.80, (1050, 1300), (75, 70))
KIDNEY = Tissue(0.85, (1050, 1220), (92, 88))
BOWEL = Tissue(0.75, (850, 950), (70, 65), fat=0.05)
STOOL = Tissue(0.55, (600, 700), (55, 50), fat=0.2)
BLOOD = Tissue(0.85, (1400, 1700), (180, 140), flow=True)
SKIN = Tissue(0.55, (850, 950), (40, 38), fat=0.15)

_OF_LABEL: dict[int, Tissue] = {
    Label.AIR: VOID,
    Label.SKIN: SKIN,
    Label.FAT: Tissue(0.6, (900, 1000), (50, 48), fat=1.0),
    Label.VISCERA: Tissue(0.7, (900, 1000), (60, 58), fat=0.75),
    Label.LIVER: ORGAN,
    Label.SPLEEN: SPLEEN,
    Label.STOMACH: BOWEL,
    Label.BOWEL: BOWEL,
    Label.BOWEL_GAS: VOID,
    Label.STOOL: STOOL,
    Label.BLADDER: WATER,
    Label.KIDNEY_RIGHT: KIDNEY,
    Label.KIDNEY_LEFT: KIDNEY,
    Label.RENAL_PELVIS_RIGHT: WATER,
    Label.RENAL_PELVIS_LEFT: WATER,
    Label.HEART: MUSCLE,
    Label.LUNG: VOID,
    Label.AIRWAY: VOID,
    Label.AORTA: BLOOD,
    Label.CAVA: BLOOD,
    Label.ILIAC_VESSELS: BLOOD,
    Label.PULMONARY_VESSELS: BLOOD,
    Label.CALCIFICATION: VOID,
    Label.CORD: CORD,
    Label.NERVE: CORD,
    Label.THECAL_SAC: WATER,
    Label.EPIDURAL_FAT: Tissue(0.7, (900, 1000), (60, 58), fat=0.9),
    Label.NUCLEUS: NUCLEUS,
    Label.ANNULUS: ANNULUS,
    Label.LIGAMENT: LIGAMENT,
    Label.METAL: VOID,
    Label.CEMENT: VOID,
    Label.CAGE: VOID,
    Label.TABLE: VOID,
}


def tissue_of(label: int) -> Tissue:
    """What a structure is made of; bones are marrow, whatever has no entry is muscle."""
    return MARROW if is_bone(label) else _OF_LABEL.get(label, MUSCLE)
