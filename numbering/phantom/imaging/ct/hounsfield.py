"""HU at 120 kV by label and contrast phase, with how much it varies between patients and within an organ.

Means are those of the published ranges (liver 58 ± 9, kidney 32 ± 5 and 150–200 in the portal phase, aorta 42 ± 6 and
150 ± 25, fat -105 ± 10, muscle 55 ± 8, discs 80 ± 20).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from numbering.phantom.scene.labels import Label

Phase = Literal["native", "arterial", "portal"]
PHASES: tuple[Phase, ...] = ("native", "arterial", "portal")


@dataclass(frozen=True)
class Tissue:
    """HU native, arterial and portal; ``spread`` is the standard deviation between patients, ``slow`` the one within
    the organ over centimetres, ``fine`` over millimetres."""

    hu: tuple[float, float, float]
    spread: float
    slow: float = 3.0
    fine: float = 2.0


def _same(hu: float, spread: float, slow: float = 3.0, fine: float = 2.0) -> Tissue:
    return Tissue((hu, hu, hu), spread, slow, fine)


MUSCLE = Tissue((55, 58, 62), 4, 3, 4)
_BOWEL = Tissue((38, 58, 85), 6, 5, 6)
_VESSELS = Tissue((42, 260, 148), 5)
TISSUES: dict[int, Tissue] = {
    Label.SKIN: _same(30, 8),
    Label.FAT: _same(-105, 5, 3, 3),
    Label.MUSCLE: MUSCLE,
    Label.VISCERA: Tissue((36, 45, 62), 5, 6, 6),
    Label.LIVER: Tissue((58, 66, 108), 7, 2.5, 2),
    Label.SPLEEN: Tissue((48, 105, 118), 4, 3, 2),
    Label.STOMACH: Tissue((36, 55, 78), 5, 6, 6),
    Label.BOWEL: _BOWEL,
    Label.BOWEL_GAS: _same(-960, 10, 5, 5),
    Label.STOOL: _same(-20, 25, 60, 80),
    Label.BLADDER: _same(6, 4, 1, 1),
    Label.KIDNEY_RIGHT: Tissue((32, 130, 175), 4, 4, 3),
    Label.KIDNEY_LEFT: Tissue((32, 130, 175), 4, 4, 3),
    Label.RENAL_PELVIS_RIGHT: _same(4, 4),
    Label.RENAL_PELVIS_LEFT: _same(4, 4),
    Label.HEART: Tissue((43, 170, 135), 4, 12, 3),
    Label.LUNG: _same(-850, 25, 25, 18),
    Label.AIRWAY: _same(-985, 6, 1, 1),
    Label.AORTA: Tissue((42, 310, 150), 6),
    Label.CAVA: Tissue((41, 75, 128), 5, 4, 2),
    Label.ILIAC_VESSELS: _VESSELS,
    Label.PULMONARY_VESSELS: _VESSELS,
    Label.CALCIFICATION: _same(620, 80, 40, 120),
    Label.CORD: Tissue((38, 39, 42), 2),
    Label.THECAL_SAC: _same(19, 3, 1.5, 2),
    Label.EPIDURAL_FAT: _same(-85, 8),
    Label.NERVE: _same(36, 3, 2, 2),
    Label.NUCLEUS: _same(78, 8, 3, 3),
    Label.ANNULUS: _same(92, 8, 3, 4),
    Label.LIGAMENT: _same(62, 8, 3, 4),
    Label.METAL: _same(8000, 500, 0, 0),
    Label.CEMENT: _same(1500, 200, 80, 200),
    Label.CAGE: _same(180, 30),
    Label.ARM: MUSCLE,
}

BACK_MUSCLES = frozenset(range(Label.ERECTOR_RIGHT, Label.MULTIFIDUS_LEFT + 1))
OTHER_MUSCLES = frozenset({Label.MUSCLE, Label.ILIACUS_RIGHT, Label.ILIACUS_LEFT, Label.ARM}) | frozenset(
    range(Label.PSOAS_RIGHT, Label.QUADRATUS_LEFT + 1)
)
FAT_IN_MUSCLE_HU = -85.0
SMOOTH = frozenset(
    {Label.SKIN, Label.METAL, Label.CAGE, Label.TABLE, Label.AORTA, Label.CAVA, Label.ILIAC_VESSELS, Label.BOWEL_GAS,
     Label.CORD, Label.THECAL_SAC, Label.CALCIFICATION, Label.BLADDER, Label.AIRWAY, Label.PULMONARY_VESSELS}
)  # fmt: skip
"""Surfaces that are as even as the scene has them: taut, flowing, or made."""
TABLE_SHELL_MM, TABLE_SHELL_HU, TABLE_CORE_HU = 2.4, 330.0, -945.0
