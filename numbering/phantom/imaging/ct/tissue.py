"""What every structure of one patient looks like: HU with the texture that keeps it from being flat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.ct.bone import Bone
from numbering.phantom.imaging.ct.cover import covered
from numbering.phantom.imaging.ct.hounsfield import (
    BACK_MUSCLES,
    FAT_IN_MUSCLE_HU,
    MUSCLE,
    OTHER_MUSCLES,
    PHASES,
    SMOOTH,
    TABLE_CORE_HU,
    TABLE_SHELL_HU,
    TABLE_SHELL_MM,
    TISSUES,
    Phase,
)
from numbering.phantom.imaging.ct.texture import Here, Textures, strand, tube
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label, is_bone
from numbering.phantom.scene.places import Places

_VISCERAL_STEPS_MM = (3.0, 3.0, 30.0)


class Look:
    """What each structure of one patient looks like at a phase. ``means`` by label can be changed (randomisation)."""

    def __init__(self, skeleton: Skeleton, phase: Phase, seed: int, device: torch.device | str = "cpu") -> None:
        self.skeleton, self.phase = skeleton, phase
        self.textures = Textures(seed, device)
        self.bone = Bone(skeleton)
        rng = np.random.default_rng([seed, 0x4855])
        column, uptake = PHASES.index(phase), 1 + 0.05 * float(rng.normal())
        self.means = {
            label: tissue.hu[0] + (tissue.hu[column] - tissue.hu[0]) * uptake + tissue.spread * draw
            for (label, tissue), draw in zip(TISSUES.items(), rng.normal(0, 1, len(TISSUES)).clip(-2, 2), strict=True)
        }
        soft = skeleton.patient.soft
        if soft.kidney_contrast:
            self.means[Label.RENAL_PELVIS_RIGHT] = self.means[Label.RENAL_PELVIS_LEFT] = 600 + 150 * rng.normal()
            self.means[Label.BLADDER] = 250.0
        self.bowel_content = 280 + 60 * rng.normal() if soft.bowel_contrast else 14 + 8 * rng.normal()

    def hu(self, label: int, distance: Tensor, places: Places, edge_mm: float) -> Tensor:
        """HU ``(n,)`` of the part of each pixel that the structure covers; distance ``(n,)``."""
        special, here = _SPECIAL.get(label), Here(self.textures, places)
        if is_bone(label) and label not in self.means:
            return self.bone.hu(label, distance, here, edge_mm)
        if label == Label.TABLE:
            return _shelled(distance, edge_mm, TABLE_SHELL_MM, TABLE_SHELL_HU, TABLE_CORE_HU)
        if label in BACK_MUSCLES or label in OTHER_MUSCLES:
            return self._muscle(label, distance, here)
        return special(self, label, distance, here) if special else self._plain(label, distance, here)

    def relief(self, label: int, places: Places) -> Tensor | None:
        """How far inwards the surface lies ``(n,)`` at places near it, mm: nothing in a body is quite smooth."""
        if label in SMOOTH:
            return None
        rough = Here(self.textures, places)("lobule")[:, 0]
        return (0.16 * rough).clamp_(-0.5, 0.5) if is_bone(label) else (0.55 * rough).clamp_(-1.4, 1.4)

    def flat(self) -> Flat:
        """The same tissues without texture."""
        return Flat(self)

    def mean(self, label: int) -> float:
        """Mean HU of the label in this patient and phase; a muscle's without its fat."""
        if label in BACK_MUSCLES or label in OTHER_MUSCLES:
            return self.means[Label.MUSCLE]
        return self.means.get(label, 40.0)

    def _plain(self, label: int, distance: Tensor, here: Here) -> Tensor:
        tissue = TISSUES.get(label, MUSCLE)
        found = torch.full_like(distance, self.mean(label))
        if tissue.slow:
            found += tissue.slow * here("region")[:, 0]
        if tissue.fine:
            found += tissue.fine * here("lobule")[:, 1]
        return found

    def _muscle(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """Bundles along the body, with streaks of fat; the back has the most, and nearest to the spine."""
        share = self.skeleton.patient.soft.muscle_fat
        if label in OTHER_MUSCLES:
            share *= 0.3
        elif label in (Label.MULTIFIDUS_RIGHT, Label.MULTIFIDUS_LEFT):
            share = min(1.4 * share + 0.04, 0.8)
        pair = here("strand")
        slow = here("organ")[:, 1]
        limit = float(torch.special.ndtri(torch.tensor(min(max(0.8 * share + 0.012, 0.012), 0.9))))
        fat = torch.sigmoid((limit - 0.8 * pair[:, 0] - 0.6 * slow) / 0.22)
        if label == Label.MUSCLE:  # planes of fat between the layers of the wall
            depth = distance + 1.5 * slow + 2.5 * here("region")[:, 0]
            planes = torch.exp(-(((depth + 6.5) / 0.8) ** 2)) + torch.exp(-(((depth + 13.5) / 0.7) ** 2))
            fat = torch.maximum(fat, 0.75 * planes * torch.sigmoid(3 * here("region")[:, 1] - 0.3))
        lean = self.means[Label.MUSCLE] - 25 * share + 3.5 * pair[:, 1] + 2 * slow
        return lean + (FAT_IN_MUSCLE_HU - lean) * fat * (0.75 if share > 0.1 else 0.55)

    def _fat(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """Lobules between thin septa, and a small vessel here and there."""
        plain = self._plain(label, distance, here)
        lobule = here("lobule")
        drift = here("organ")[:, 1]
        septa = strand(lobule, 0.09) * torch.sigmoid(2.5 * drift - 1.0)
        inner = here.places.slowly(self._visceral, _VISCERAL_STEPS_MM, "visceral")
        bright = self.means[Label.CAVA] - plain
        vessels = tube(here("organ"), 0.10) + inner * (tube(here("organ"), 0.19) + 0.8 * tube(lobule, 0.16))
        haze = 9 * inner * here("region")[:, 1].clamp(min=0)
        return plain + haze + 38 * septa + 0.8 * bright * vessels.clamp(max=1)

    def _visceral(self, points: Tensor) -> Tensor:
        """0…1: fat within the trunk's wall, which holds the mesentery's vessels, against that under the skin."""
        soft = self.skeleton.patient.soft
        x = points[:, 0] / (0.76 * soft.waist_half_width)
        y = (points[:, 1] + 45) / (0.7 * soft.waist_half_depth)
        return torch.sigmoid((1 - torch.hypot(x, y)) / 0.05)

    def _vessels_within(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """Liver, spleen: portal and hepatic branches, brighter or darker than the organ."""
        plain = self._plain(label, distance, here)
        inside = torch.sigmoid((-distance - 5) / 1.5)
        large = tube(here("region"), 0.11) + tube(here("organ"), 0.26) * torch.sigmoid(2 * here("region")[:, 0])
        branches = large.clamp(max=1) * inside
        blood = {"native": 40.0, "arterial": 75.0, "portal": 150.0}[self.phase]
        return plain + 0.85 * (blood - plain) * branches

    def _lung(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """Denser towards the back; vessels of all sizes fade towards the pleura."""
        plain = self._plain(label, distance, here) + 0.35 * (here.places.points[:, 1] + 60).clamp(-120, 120)
        central = torch.sigmoid((-distance - 12) / 5)
        large = tube(here("organ"), 0.22) * central
        small = tube(here("lobule"), 0.25) * torch.sigmoid((-distance - 4) / 2)
        return plain + (30 - plain) * (large + 0.55 * small).clamp(max=1)

    def _hollow(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """A wall of 2–3 mm, then what is inside: fluid with bits, or contrast medium."""
        wall = self._plain(label, distance, here)
        pair = here("organ")
        inside = torch.sigmoid((-distance - 2.6 - 0.7 * pair[:, 1]) / 0.5)
        bits = here("lobule")[:, 0]
        content = self.bowel_content + 5 * bits + 4 * pair[:, 0]
        return wall + (content - wall) * inside

    def _stool(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """Mottled: soft matter with bubbles."""
        lobule = here("lobule")
        strands = here("strand")[:, 0]
        mass = 45 + 18 * lobule[:, 1] + (0.25 * self.bowel_content if self.bowel_content > 100 else 0)
        bubbles = torch.sigmoid((0.8 * lobule[:, 0] + 0.5 * strands - 0.75) / 0.25)
        return mass + (-620 - mass) * bubbles

    def _kidney(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """In the arterial phase the cortex takes up contrast before the medulla."""
        plain = self._plain(label, distance, here)
        if self.phase != "arterial":
            return plain
        pair = here("organ")
        medulla = torch.sigmoid((-distance - 7 + 2.5 * pair[:, 0]) / 0.8)
        return plain + (45 - plain) * medulla * 0.8

    def _spleen(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """In the arterial phase the spleen is striped."""
        plain = self._plain(label, distance, here)
        if self.phase == "arterial":
            plain = plain + 22 * here("organ")[:, 0]
        return plain

    def _heart(self, label: int, distance: Tensor, here: Here) -> Tensor:
        """Wall and chambers differ once contrast is in; a rim of fat in the grooves."""
        plain = self._plain(label, distance, here)
        pair = here("region")
        groove = strand(here("organ"), 0.12) * torch.sigmoid((distance + 9) / 2)
        if self.phase != "native":
            wall = torch.sigmoid((distance + 11 + 4 * pair[:, 1]) / 1.5)
            plain = plain + (95 - plain) * wall
        return plain + (-90 - plain) * groove * 0.8

    def _arm(self, label: int, distance: Tensor, here: Here) -> Tensor:
        muscle = self._muscle(label, distance, here)
        rim = torch.sigmoid((distance + 6) / 0.8)
        return muscle + (self.means[Label.FAT] - muscle) * rim


class Flat:
    """Means of a `Look` alone: what the beam meets on its way, where texture does not matter."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def hu(self, label: int, distance: Tensor, places: Places, edge_mm: float) -> Tensor:
        """As `Look.hu`; bone without its details."""
        look = self._look
        if is_bone(label) and label not in look.means:
            return look.bone.flat(label, distance, edge_mm)
        if label == Label.TABLE:
            return _shelled(distance, edge_mm, TABLE_SHELL_MM, TABLE_SHELL_HU, TABLE_CORE_HU)
        return torch.full_like(distance, look.mean(label))

    def relief(self, label: int, places: Places) -> Tensor | None:
        """None: as the scene has it."""
        return None


_SPECIAL: dict[int, Callable[[Look, int, Tensor, Here], Tensor]] = {
    Label.FAT: Look._fat,
    Label.LIVER: Look._vessels_within,
    Label.SPLEEN: Look._spleen,
    Label.LUNG: Look._lung,
    Label.BOWEL: Look._hollow,
    Label.STOMACH: Look._hollow,
    Label.STOOL: Look._stool,
    Label.KIDNEY_RIGHT: Look._kidney,
    Label.KIDNEY_LEFT: Look._kidney,
    Label.HEART: Look._heart,
    Label.ARM: Look._arm,
}


def _shelled(distance: Tensor, edge: float, shell: float, shell_hu: float, core_hu: float) -> Tensor:
    inside = covered(distance, edge).clamp(min=1e-3)
    core = torch.minimum(covered(distance + shell, edge), inside)
    return (shell_hu * (inside - core) + core_hu * core) / inside
