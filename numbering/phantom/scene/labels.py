"""What a voxel of the label volume can be.

Vertebrae carry the numbers of the VerSe challenge (1–7 C1…C7, 8–19 T1…T12, 20–25 L1…L6, 26 sacrum, 28 T13), so a
``labels.nii.gz`` can be read by whatever reads those; the rest start at 40.
"""

from __future__ import annotations

from enum import IntEnum

from numbering.anatomy import Level


class Label(IntEnum):
    """Structures beside the vertebrae, which `vertebra_label` numbers."""

    AIR = 0
    SACRUM = 26
    SKIN = 40
    FAT = 41
    """Subcutaneous and visceral fat: the body's ground."""
    MUSCLE = 42
    """Abdominal wall, gluteal muscles, whatever has no label of its own."""
    PSOAS_RIGHT, PSOAS_LEFT = 43, 44
    QUADRATUS_RIGHT, QUADRATUS_LEFT = 45, 46
    ERECTOR_RIGHT, ERECTOR_LEFT = 47, 48
    MULTIFIDUS_RIGHT, MULTIFIDUS_LEFT = 49, 50
    ILIACUS_RIGHT, ILIACUS_LEFT = 51, 52
    VISCERA = 55
    """Soft tissue of the trunk that has no label of its own: mesentery, mediastinum, neck."""
    LIVER, SPLEEN, STOMACH, BOWEL, BOWEL_GAS, STOOL, BLADDER = 60, 61, 62, 63, 64, 65, 66
    KIDNEY_RIGHT, KIDNEY_LEFT, RENAL_PELVIS_RIGHT, RENAL_PELVIS_LEFT = 67, 68, 69, 70
    HEART, LUNG, AIRWAY = 71, 72, 73
    AORTA, CAVA, ILIAC_VESSELS, CALCIFICATION, PULMONARY_VESSELS = 75, 76, 77, 78, 79
    CORD, THECAL_SAC, EPIDURAL_FAT, NERVE = 80, 81, 82, 83
    """NERVE: roots, in the sac and in the foramina."""
    NUCLEUS, ANNULUS = 85, 86
    LIGAMENT = 87
    RIB_RIGHT, RIB_LEFT, STERNUM, CLAVICLE, SCAPULA = 90, 91, 92, 93, 94
    HIP_BONE, FEMUR, HUMERUS, SKULL = 95, 96, 97, 98
    METAL, CEMENT, CAGE = 100, 101, 102
    TABLE = 105
    ARM = 106
    """Soft tissue of an arm in the field of view."""


BONES = frozenset(range(1, 29)) | frozenset(range(90, 99))
"""Labels of bone; `is_bone` asks one."""


def is_bone(label: int) -> bool:
    """Whether a label is bone (with cortex and marrow)."""
    return label in BONES


def vertebra_label(level: Level) -> int:
    """The number of a vertebra, C1 to L6, T13 or S1 (the whole sacrum)."""
    region, number = level.region, int(str(level)[1:])
    if level is Level.T13:
        return 28
    return {"C": number, "T": 7 + number, "L": 19 + number, "S": int(Label.SACRUM)}[region]
