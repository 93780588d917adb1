"""What X-rays meet: materials at a few energies, what each label is made of, and the spectrum of a tube.

Mass attenuation coefficients: NIST XCOM / Hubbell & Seltzer (NISTIR 5632), for ICRU-44 soft tissue, adipose tissue,
cortical bone, and titanium. A film is a sum over energies of ``exp(-sum(mu * length))``, so bone and metal harden the
beam as they do in earnest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.imaging.film.profile import Profile
from numbering.phantom.scene.labels import Label, is_bone

Array = NDArray[np.float64]

_ENERGIES = np.array([30.0, 40, 50, 60, 80, 100])  # keV
_SOFT = np.array([0.3790, 0.2688, 0.2264, 0.2048, 0.1823, 0.1693]) * 1.06 / 10  # 1/mm
_FAT = np.array([0.3063, 0.2396, 0.2123, 0.1974, 0.1800, 0.1688]) * 0.95 / 10
_BONE = np.array([1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855]) * 1.92 / 10
_TITANIUM = np.array([4.972, 2.214, 1.213, 0.7661, 0.4052, 0.2721]) * 4.51 / 10

BASIS = ("soft", "fat", "mineral", "metal")
"""Channels of line integrals. ``mineral`` and ``metal`` are what is there beyond soft tissue."""
CORTEX_HU = 1500.0
"""Compact bone at 120 kV; its excess over soft tissue is the unit of ``mineral``."""


@dataclass(frozen=True)
class Spectrum:
    """Photon energies in keV and their share of the detector's signal in the open beam."""

    energy: Array
    weight: Array

    def coefficients(self) -> Array:
        """1/mm of the `BASIS` at each energy ``(energies, 4)``."""
        soft = _at(self.energy, _SOFT)
        excess = [_at(self.energy, table) - soft for table in (_BONE, _TITANIUM)]
        return np.column_stack([soft, _at(self.energy, _FAT), *excess])


def _at(energy: Array, table: Array) -> Array:
    """Log-log interpolation between tabulated energies."""
    return np.exp(np.interp(np.log(energy), np.log(_ENERGIES), np.log(table)))


def spectrum(kvp: float, filtration_mm_al: float = 3.0, bins: int = 4) -> Spectrum:
    """A tungsten tube's spectrum behind aluminium, as an energy-integrating CsI detector weighs it (Kramers' law)."""
    edges = np.linspace(26, kvp, bins * 8 + 1)
    energy = (edges[1:] + edges[:-1]) / 2
    aluminium = _at(energy, np.array([1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704]) * 2.70 / 10)
    absorbed = 1 - np.exp(-1.6 * (55 / energy) ** 2.6 * np.where(energy < 34.5, 0.2, 1.0))  # K edges of Cs and I
    flux = (kvp - energy) / energy * np.exp(-aluminium * filtration_mm_al) * energy * absorbed
    parts = flux.reshape(bins, 8)
    weight = parts.sum(1)
    return Spectrum((parts * energy.reshape(bins, 8)).sum(1) / weight, weight / weight.sum())


_FILLING: Mapping[int, tuple[float, float, float]] = {
    Label.SKIN: (1.02, 0.0, 0),
    Label.FAT: (0.03, 0.97, 0.15),
    Label.VISCERA: (0.70, 0.28, 1.0),
    Label.LIVER: (1.0, 0, 0.05),
    Label.SPLEEN: (1.0, 0, 0),
    Label.STOMACH: (0.96, 0.02, 0.4),
    Label.BOWEL: (0.93, 0.05, 0.8),
    Label.STOOL: (0.80, 0.02, 2.2),
    Label.BOWEL_GAS: (0.0, 0.0, 0.0),
    Label.BLADDER: (0.97, 0, 0),
    Label.KIDNEY_RIGHT: (1.0, 0, 0),
    Label.KIDNEY_LEFT: (1.0, 0, 0),
    Label.RENAL_PELVIS_RIGHT: (0.70, 0.25, 0),
    Label.RENAL_PELVIS_LEFT: (0.70, 0.25, 0),
    Label.HEART: (1.0, 0, 0),
    Label.LUNG: (0.22, 0, 0.25),
    Label.AIRWAY: (0, 0, 0),
    Label.AORTA: (1.0, 0, 0),
    Label.CAVA: (1.0, 0, 0),
    Label.ILIAC_VESSELS: (1.0, 0, 0),
    Label.PULMONARY_VESSELS: (1.0, 0, 0),
    Label.CORD: (0.98, 0, 0),
    Label.THECAL_SAC: (0.96, 0, 0),
    Label.EPIDURAL_FAT: (0.1, 0.9, 0),
    Label.NUCLEUS: (1.02, 0, 0),
    Label.ANNULUS: (1.05, 0, 0),
    Label.LIGAMENT: (1.03, 0, 0),
    Label.ARM: (0.8, 0.2, 0.1),
}
"""Soft and fat shares of each label, and how uneven it is (1: mesentery with its fat and bowel walls). Of what has none
here a film shows nothing: nerves."""

_MUSCLES = frozenset(range(Label.MUSCLE, Label.ILIACUS_LEFT + 1))
_BACK_MUSCLES = frozenset(range(Label.ERECTOR_RIGHT, Label.MULTIFIDUS_LEFT + 1))


def filling(label: int, patient: Patient) -> tuple[float, float, float] | None:
    """Soft share, fat share and unevenness of a label; None where it is bone, metal or furniture."""
    if label in _MUSCLES:
        fat = patient.soft.muscle_fat if label in _BACK_MUSCLES else 0.3 * patient.soft.muscle_fat
        return (1 - fat, fat, 0.1 + 0.6 * fat)
    return _FILLING.get(label)


_CORTEX_MM: Mapping[int, float] = {
    Label.SACRUM: 0.6,
    Label.RIB_RIGHT: 0.8,
    Label.RIB_LEFT: 0.8,
    Label.STERNUM: 0.8,
    Label.CLAVICLE: 1.6,
    Label.SCAPULA: 0.9,
    Label.HIP_BONE: 1.1,
    Label.FEMUR: 3.0,
    Label.HUMERUS: 3.0,
    Label.SKULL: 3.0,
}
VERTEBRAL_CORTEX_MM = 0.6


def hard(label: int, patient: Patient, cell_mm: float) -> tuple[int, Profile] | None:
    """Index in `BASIS` and profile of what a label holds beyond soft tissue; None where it holds nothing.

    ``cell_mm`` is the width of a cell at the patient, over which edges are spread.
    """
    if is_bone(label):
        return 2, _bone(label, patient, cell_mm)
    uniform = {
        Label.CALCIFICATION: (2, 0.55),
        Label.CEMENT: (2, 1.1),
        Label.CAGE: (3, 0.25),
        Label.METAL: (3, 1.0),
    }
    if patient.soft.bowel_contrast:
        uniform |= {Label.BOWEL: (2, 0.08), Label.STOMACH: (2, 0.06)}
    if patient.soft.kidney_contrast:
        uniform |= {Label.RENAL_PELVIS_RIGHT: (2, 0.25), Label.RENAL_PELVIS_LEFT: (2, 0.25)}
        uniform |= {Label.KIDNEY_RIGHT: (2, 0.02), Label.KIDNEY_LEFT: (2, 0.02)}
    found = uniform.get(Label(label)) if label in Label._value2member_map_ else None
    return (found[0], Profile(((0.0, found[1]),), cell_mm)) if found else None


def _bone(label: int, patient: Patient, cell_mm: float) -> Profile:
    """Cortex, the denser marrow under it, and marrow, whose mineral is what its HU say, fatty marrow's negative HU
    given back. True cortex is porous: its density is spread over a little more than its thickness."""
    density = float(np.clip(0.4 + patient.bone_hu / 450, 0.4, 0.85))
    marrow = (patient.bone_hu + 70) / CORTEX_HU
    if label in _CORTEX_MM:
        thick, marrow = _CORTEX_MM[label], 0.7 * marrow
    else:
        thick = VERTEBRAL_CORTEX_MM
    return Profile(((0.0, density), (thick, 1.9 * marrow), (thick + 1.8, marrow)), cell_mm)
