"""HU of bone from its signed distance: a thin dense cortex over marrow whose density is the patient's.

The cortex is thinner than a pixel (0.3–0.6 mm of 1200–1800 HU around a vertebral body), so its share of the pixel is
computed, not sampled; partial volume then shows 300–800 HU.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.imaging.ct.cover import covered
from numbering.phantom.imaging.ct.texture import Here
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import Label, vertebra_label

SHELL_MM: dict[int, float] = {
    Label.SACRUM: 0.55, Label.RIB_RIGHT: 0.75, Label.RIB_LEFT: 0.75, Label.STERNUM: 0.7, Label.CLAVICLE: 1.3,
    Label.SCAPULA: 0.9, Label.HIP_BONE: 0.9, Label.FEMUR: 1.6, Label.HUMERUS: 2.6, Label.SKULL: 2.2,
}  # fmt: skip
"""Cortical thickness away from the spine."""

MARROW: dict[int, float] = {
    Label.SACRUM: 0.62, Label.RIB_RIGHT: 0.75, Label.RIB_LEFT: 0.75, Label.STERNUM: 0.6, Label.CLAVICLE: 0.9,
    Label.SCAPULA: 0.9, Label.HIP_BONE: 0.85, Label.FEMUR: 1.25, Label.HUMERUS: 0.9, Label.SKULL: 3.0,
}  # fmt: skip
"""Trabecular HU as a share of L1's."""


def marrow_share(ordinal: float) -> float:
    """Trabecular HU of a vertebra as a share of L1's: highest in the neck, lowest at L3 (an estimate)."""
    table = ((2, 1.75), (7, 1.6), (9, 1.4), (15, 1.22), (19, 1.05), (20, 1.0), (22, 0.92), (24, 0.97))
    for (low, a), (high, b) in pairwise(table):
        if ordinal <= high:
            return a + (b - a) * max(ordinal - low, 0) / (high - low)
    return table[-1][1]


@dataclass(frozen=True)
class Bone:
    """Bones of one patient. ``cortex_hu`` follows the trabecular density."""

    skeleton: Skeleton

    @property
    def patient(self) -> Patient:
        """Whose bones."""
        return self.skeleton.patient

    @property
    def cortex_hu(self) -> float:
        """HU of compact bone, 1200–1800."""
        return min(max(1230 + 1.7 * (self.patient.bone_hu - 60), 1200), 1800)

    def hu(self, label: int, distance: Tensor, here: Here, edge_mm: float) -> Tensor:
        """HU ``(n,)`` of the part of each pixel that the bone covers; distances ``(n,)``."""
        placed = self._placed(label)
        if placed is None:
            shell = torch.full_like(distance, SHELL_MM.get(label, 0.7))
            marrow = self._marrow(label, here)
        else:
            shell, marrow = self._vertebra(placed, distance, here)
        shell = shell * (0.5 * here("lobule")[:, 1]).exp().clamp(0.35, 2.2)
        return _mixed(distance, shell, edge_mm, self.cortex_hu, marrow)

    def flat(self, label: int, distance: Tensor, edge_mm: float) -> Tensor:
        """As `hu` without texture, one thickness of cortex all over."""
        known = label in SHELL_MM
        marrow = self.patient.bone_hu * (MARROW[label] if known else 1.2)
        shell = torch.full_like(distance, SHELL_MM[label] if known else 0.6)
        return _mixed(distance, shell, edge_mm, self.cortex_hu, torch.full_like(distance, marrow))

    def _placed(self, label: int) -> Placed | None:
        return next((p for p in self.skeleton.vertebrae if vertebra_label(p.vertebra.level) == label), None)

    def _grain(self, here: Here) -> Tensor:
        return 0.30 * here("grain")[:, 0] + 0.10 * here("lobule")[:, 1] + 0.05 * here("organ")[:, 0]

    def _marrow(self, label: int, here: Here) -> Tensor:
        mean = self.patient.bone_hu * MARROW.get(label, 0.8)
        return mean + max(mean, 60) * self._grain(here)

    def _vertebra(self, placed: Placed, distance: Tensor, here: Here) -> tuple[Tensor, Tensor]:
        """Shell thickness and marrow HU: endplates thicker, arch mostly compact, a dark vein behind the middle."""
        size, points = placed.vertebra.size, here.places.points
        rotation = torch.as_tensor(placed.frame.rotation, dtype=torch.float32, device=points.device)
        centre = torch.as_tensor(placed.frame.centre, dtype=torch.float32, device=points.device)
        x, y, z = ((points - centre) @ rotation).unbind(1)
        depth = (size.upper_depth + size.lower_depth) / 4
        slope = (size.height_anterior - size.height_posterior) / (4 * depth)
        half = size.height / 2 - slope * y
        # Rims of the body, where the ring is, are denser than its middle.
        rim = torch.sigmoid((distance + 5) / 1.5)
        arch = torch.sigmoid((y - depth - 1.5) / 0.8)
        plate = torch.sigmoid((z.abs() - half + 2.2) / 0.5) * (1 - arch)
        shell = 0.36 + 0.24 * plate + 0.6 * arch
        mean = self.patient.bone_hu * marrow_share(_usual(placed))
        under = torch.exp(-(half - z.abs()).clamp(min=0) / 1.6) * (1 - arch)
        vein = torch.exp(-((z / 2.6) ** 2) - ((x / (2.5 + 0.25 * (depth - y).clamp(min=0))) ** 2))
        vein = vein * torch.sigmoid((y - 0.15 * depth) / 2.0) * (1 - arch)
        marrow = mean * (1.02 + 0.14 * rim + 0.5 * under + 0.9 * arch) * (1 - 0.7 * vein) + 60 * arch
        return shell, marrow + max(mean, 60) * self._grain(here) * (1 + 0.5 * arch)


def _usual(placed: Placed) -> float:
    """Ordinal in the usual spine, near enough for a density."""
    level = placed.vertebra.level
    return {"C": 0, "T": 7, "L": 19, "S": 24}[level.region] + int(str(level)[1:])


def _mixed(distance: Tensor, shell: Tensor, edge: float, cortex_hu: float, marrow: Tensor) -> Tensor:
    """Mean HU of what lies inside the surface within a pixel ``edge`` wide."""
    inside = covered(distance, edge).clamp(min=1e-3)
    core = covered(distance + shell, edge)
    core = torch.minimum(core, inside)
    return (cortex_hu * (inside - core) + marrow * core) / inside
