"""Soft tissue, lungs and gas: smooth attenuation that is evaluated wherever a ray passes.

`SoftTissue.attenuation` takes any points, so a film samples it along rays and a voxel grid at its centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.old.anatomy import rib_reach
from numbering.phantom.old.frame_bones import THORAX_FORWARD
from numbering.phantom.old.matter import WATER, Array, Cloud, tube
from numbering.phantom.old.pose import Skeleton

Field = NDArray[np.float32]

_REFERENCES = np.array([-6, -3.0, 0, 2.5, 5, 9, 12, 14, 15.5, 16.5, 17.3, 18.3, 21])  # levels above S1, see _height
_HALF_WIDTH = np.array([176, 174, 164, 151, 152, 160, 166, 178, 178, 150, 82, 60, 62.0])
_HALF_DEPTH = np.array([108, 104, 100, 98, 103, 112, 108, 98, 86, 74, 62, 58, 62.0])
_BACK = np.array([96, 92, 72, 62, 60, 58, 60, 62, 64, 66, 66, 68, 72.0])
"""Skin of the back behind the middle of the spine, mm."""


def _inside(distance: Array | Field, edge_mm: float = 1.5) -> Field:
    """Occupancy 0…1 from a signed distance (negative inside)."""
    return np.clip(0.5 - np.asarray(distance, np.float32) / (2 * edge_mm), 0, 1)


@dataclass(frozen=True)
class Gas:
    """A bubble: centre, half axes ``(across, deep, tall)`` mm and its slant in the coronal plane, degrees."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    slant: float


class SoftTissue:
    """Body, lungs, heart, diaphragm and liver of a standing skeleton."""

    def __init__(self, skeleton: Skeleton, rng: np.random.Generator) -> None:
        patient = skeleton.patient
        self.skeleton, self.scale, self.girth = skeleton, patient.scale, patient.girth
        self.dome = skeleton.height(17.6 + rng.uniform(-0.6, 0.6))
        self.heart = np.array([26 + rng.normal(0, 4), -30.0, skeleton.height(15.9) - 6])
        self.heart_size = rng.uniform(0.9, 1.12)
        self.left_lower = rng.uniform(4, 16)
        self.knob = skeleton.height(12.2)
        self._z = np.array([self._height(r) for r in _REFERENCES])
        self._lung_z, self._lung_a, self._lung_b = self._thorax()

    def _height(self, above: float) -> float:
        return above * 33 * self.scale if above <= 0 else self.skeleton.height(25 - above)

    def _thorax(self) -> tuple[Array, Array, Array]:
        top = self.skeleton.height(8.0)
        rows = [(top + 16, 2.0, 10.0), (top + 12, 20, 26), (top + 2, 36, 42), (top - 12, 50, 55)]
        for reference in range(9, 19):
            width, depth, _, _ = rib_reach(reference)
            rows.append((self.skeleton.height(reference) - 24, (width - 8) * self.scale, (depth - 7) * self.scale))
        table = np.array(rows)[::-1]
        return table[:, 0], table[:, 1], table[:, 2]

    def attenuation(self, x: Field, y: Field, z: Field) -> Field:
        """1/mm at points of the patient frame; the three arrays broadcast."""
        spine_x, spine_y = (np.asarray(v, np.float32) for v in self.skeleton.midline(z))
        width = np.interp(z, self._z, _HALF_WIDTH * self.scale * self.girth).astype(np.float32)
        depth = np.interp(z, self._z, _HALF_DEPTH * self.scale * self.girth).astype(np.float32)
        back = spine_y + np.interp(z, self._z, _BACK).astype(np.float32)
        shape = (np.abs(x / width) ** 2.3 + np.abs((y - back + depth) / depth) ** 2.3) ** (1 / 2.3)
        body = _inside((shape - 1) * np.minimum(width, depth), 3)
        fat = _inside((0.9 - shape) * np.minimum(width, depth), 3)
        soft = body * (1 - 0.1 * fat)
        lung = self._lungs(x, y, z, spine_x, spine_y)
        return np.asarray(WATER * soft * (1 - 0.8 * lung) * (1 + 0.05 * self._liver(x, y, z)), np.float32)

    def _lungs(self, x: Field, y: Field, z: Field, spine_x: Field, spine_y: Field) -> Field:
        half = np.interp(z, self._lung_z, self._lung_a, right=0.1).astype(np.float32)
        deep = np.interp(z, self._lung_z, self._lung_b, right=0.1).astype(np.float32)
        shape = np.sqrt(
            ((x - spine_x * 0.5) / half) ** 2 + ((y - spine_y - 8 + THORAX_FORWARD * deep / 92) / deep) ** 2
        )
        chest = _inside((shape - 1) * half, 2)
        knob = 13 * np.exp(-(((z - self.knob) / 14) ** 2)) * (x > 0)
        middle = _inside(np.abs(x - spine_x) - (16 + 11 * (y < spine_y - 12) + knob) * self.scale)
        return chest * (1 - middle) * (1 - self._heart(x, y, z)) * (1 - self._below_diaphragm(x, y, z))

    def _heart(self, x: Field, y: Field, z: Field) -> Field:
        cx, cy, cz = self.heart
        dx, dz = (x - cx) / self.heart_size, (z - cz) / self.heart_size
        along, across = 0.8 * dx - 0.6 * dz, 0.6 * dx + 0.8 * dz
        shape = np.sqrt((along / 66) ** 2 + (across / 48) ** 2 + ((y - cy) / 46) ** 2)
        return _inside((shape - 1) * 50)

    def _below_diaphragm(self, x: Field, y: Field, z: Field) -> Field:
        side = np.where(x < 0, -1.0, 1.0).astype(np.float32)
        top = self.dome - self.left_lower * (side > 0)
        dx, dy = x - side * 66 * self.scale, y + 35
        behind = np.where(dy > 0, 0.010, 0.003).astype(np.float32)
        return _inside(z - (top - 0.010 * dx**2 - behind * dy**2))

    def _liver(self, x: Field, y: Field, z: Field) -> Field:
        shape = np.sqrt(((x + 75) / 80) ** 2 + ((y + 30) / 80) ** 2 + ((z - self.dome + 70) / 85) ** 2)
        return _inside((shape - 1) * 80, 4)


def airways(skeleton: Skeleton) -> list[Cloud]:
    """Trachea and main bronchi: what they take away from soft tissue."""
    top, fork = skeleton.height(4.0), skeleton.height(12.6)
    y = -28.0
    found = [tube([[0, y - 20, top], [0, y, fork]], np.full((2, 2), 8.0), [1, 0, 0], wall=0, core=-0.8 * WATER)]
    for side, drop in ((-1, 34), (1, 30)):
        path = [[0, y, fork], [side * 42, y, fork - drop]]
        found.append(tube(path, [(7.0, 7.0), (4.5, 4.5)], [0, 1, 0], wall=0, core=-0.7 * WATER))
    return found


def vessels(skeleton: Skeleton, rng: np.random.Generator) -> list[Cloud]:
    """Branching lung vessels from both hila."""
    found = []
    hilum_z = skeleton.height(13.4)
    for side in (-1, 1):
        for _ in range(34):
            start = np.array([side * rng.uniform(30, 40), rng.uniform(-45, 5), hilum_z + rng.normal(0, 14)])
            angle, reach = rng.uniform(-1.35, 1.15), rng.uniform(35, 95)
            if abs(angle) > 0.8:
                reach *= 1.1
            end = start + [side * reach * np.cos(angle), rng.normal(0, 30), reach * np.sin(angle)]
            bend = (start + end) / 2 + rng.normal(0, 7, 3)
            thick = rng.uniform(1.4, 3.4)
            radii = np.array([1, 0.6, 0.15])[:, None] * [thick, thick]
            found.append(tube([start, bend, end], radii, [0, 1, 0], wall=0, core=0.75 * WATER, core_pitch=1.0))
    return found


def psoas(skeleton: Skeleton) -> list[Cloud]:
    """Both psoas muscles, slightly denser than the fat around them."""
    top, middle, low = skeleton.height(20), skeleton.height(22.5), -60.0
    found = []
    for side in (-1, 1):
        path = np.array([[side * 24, 4, top], [side * 42, -8, middle], [side * 58, -25, 10], [side * 88, -50, low]])
        radii = [(6.0, 6.0), (17, 17), (21, 20), (17, 15)]
        found.append(tube(path, radii, [1, 0, 0], wall=0, core=0.09 * WATER, core_pitch=2.0))
    return found


def bowel_gas(skeleton: Skeleton, soft: SoftTissue, rng: np.random.Generator) -> list[Gas]:
    """Stomach bubble, pouches of colon along its frame, a few loops of small bowel, rectum."""
    patient, scale = skeleton.patient, skeleton.patient.scale
    bubbles = []
    if rng.random() < 0.75:
        centre = (float(rng.uniform(45, 85)), -40.0, soft.dome - soft.left_lower - float(rng.uniform(24, 40)))
        bubbles.append(
            Gas(centre, (float(rng.uniform(22, 42)), 22.0, float(rng.uniform(9, 18))), float(rng.normal(0, 12)))
        )
    waist = skeleton.height(21)
    x = [-105, -112, -108, -60, 0, 60, 108, 114, 108, 70, 25]
    z = [5, 0.35 * waist, 0.8 * waist, 0.75 * waist, 0.62 * waist, 0.85 * waist, 1.02 * waist, 0.5 * waist, 5, -45, -60]
    frame = np.column_stack([x, z])
    at = np.linspace(0, 1, len(frame))
    for start in rng.uniform(0, 1, rng.poisson(4.5 * patient.gas)):
        size = rng.uniform(8, 20)
        for step in range(rng.integers(1, 6)):
            share = start + step * size * 1.5 / 900
            across, up = (float(np.interp(share, at, frame[:, i])) * scale + rng.normal(0, 7) for i in range(2))
            radii = size * rng.uniform(0.6, 1.15, 3)
            bubbles.append(Gas((across, -70.0, up), (radii[0], 1.3 * radii[1], radii[2]), float(rng.uniform(-60, 60))))
    for _ in range(rng.poisson(4 * patient.gas)):  # small bowel and stool: small and many
        middle = np.array([rng.normal(0, 75), rng.uniform(-50, 0.7 * waist)])
        for _ in range(rng.integers(3, 12)):
            across, up = middle + rng.normal(0, 13, 2)
            radii = rng.uniform(2.5, 8.5, 3)
            bubbles.append(Gas((across, -75.0, up), (radii[0], 1.0 * radii[1], radii[2]), float(rng.uniform(-90, 90))))
    if rng.random() < 0.5:
        bubbles.append(Gas((float(rng.normal(0, 8)), 25.0, -80.0), (17.0, 13.0, 24.0), float(rng.normal(0, 10))))
    return bubbles
