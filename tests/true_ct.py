"""CT stacks of simulated patients whose networks know the truth, with faults where a test asks for them.

Bodies, arches and processes are simple solids around the simulator's landmarks: enough for what is told from masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import binary_closing

from numbering.anatomy import Level, Variant
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.pose import Placed, Skeleton, pose
from numbering.pipelines.ct.levels import EMPTY, place
from numbering.pipelines.ct.model.preprocess import Direction
from numbering.pipelines.ct.model.runtime import Instance
from numbering.pipelines.ct.reading.eyes import DirectLook
from numbering.pipelines.ct.reading.working import Working, cut
from numbering.pipelines.ct.sizes import SIZES, Size
from numbering.plane import Plane
from numbering.stack import Stack

SMALL = replace(SIZES["small"], spacing_mm=3.0, side=40, classes="L1")
MARROW_HU, CORTEX_HU, TISSUE_HU, AIR_HU = 130.0, 480.0, 40.0, -1000.0
CORTEX_MM = 3.0
TRUNK_MM = (70.0, 75.0)
"""Half of the trunk's width and depth about the spine: small, for time."""


@dataclass(frozen=True, eq=False)
class Spine:
    """A posed skeleton whose points can be asked for."""

    skeleton: Skeleton
    kept: dict[tuple[float, ...], np.ndarray] = field(default_factory=dict)

    @property
    def placed(self) -> list[Placed]:
        return list(self.skeleton.vertebrae)

    @property
    def levels(self) -> list[Level]:
        return [one.vertebra.level for one in self.placed]

    @property
    def variant(self) -> Variant:
        regions = [level.region for level in self.levels]
        return Variant(regions.count("T"), regions.count("L"))

    def centre(self, level: Level) -> np.ndarray:
        return self.placed[self.levels.index(level)].frame.centre

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of points ``(..., 3)`` mm: which vertebra (from 1; 0: none), and HU."""
        labels = np.zeros(points.shape[:-1], np.uint8)
        hu = np.full(points.shape[:-1], AIR_HU)
        x, y = self.skeleton.midline(points[..., 2])
        trunk = ((points[..., 0] - x) / TRUNK_MM[0]) ** 2 + ((points[..., 1] - y) / TRUNK_MM[1]) ** 2 < 1
        hu[trunk] = TISSUE_HU
        for number, one in enumerate(self.placed, 1):
            near = np.abs(points[..., 2] - one.frame.centre[2]) < 45
            if not near.any():
                continue
            depth = _inside(one, points[near])
            labels[near] = np.where(depth > 0, number, labels[near])
            bone = np.where(depth > CORTEX_MM, MARROW_HU, CORTEX_HU)
            hu[near] = np.where(depth > 0, bone, hu[near])
        return labels, hu


def _inside(one: Placed, points: np.ndarray) -> np.ndarray:
    """mm under the surface of body, arch or processes; negative outside."""
    size = one.vertebra.size
    x, y, z = one.frame.own(points).T
    depth, half, height = size.upper_depth / 2, size.upper_width / 2, size.height / 2
    ring = 1 - np.sqrt((x / half) ** 2 + (y / depth) ** 2)
    body = np.minimum(ring * min(half, depth), height - np.abs(z))

    def box(centre: Sequence[float], halves: Sequence[float]) -> np.ndarray:
        away = np.abs(np.stack([x, y, z]) - np.array(centre)[:, None])
        return (np.array(halves)[:, None] - away).min(0)

    arch = box((0, depth + 14, 0), (12, 3, 0.5 * height))
    pedicles = [box((side * 0.6 * half, depth + 5, 0.2 * height), (3, 8, 0.45 * height)) for side in (-1, 1)]
    spinous = box((0, depth + 24, -0.6 * height), (3, 12, 0.5 * height))
    transverse = box((0, depth + 11, 0), (1.3 * half, 3, 3))
    return np.max([body, arch, *pedicles, spinous, transverse], axis=0)


def spine(seed: int = 3, anomaly: str = "none") -> Spine:
    """A lying patient."""
    return Spine(pose(sample(seed, anomaly), "supine"))


def scan(
    of: Spine,
    top: Level | float,
    bottom: Level | float,
    *,
    step_mm: float = 3.0,
    pixel_mm: float = 3.0,
    field_mm: float = 135.0,
    tilt: float = 0.0,
    oblique: bool = False,
    missing: Sequence[int] = (),
    feet_first: bool = False,
    beyond_mm: tuple[float, float] = (22.0, 22.0),
) -> Stack:
    """Axial slices from a level (or height) to another and some mm beyond. ``tilt`` leans the slices; ``oblique`` ones
    follow their own normal, others the table."""
    high, low = (one if isinstance(one, float) else float(of.centre(one)[2]) for one in (top, bottom))
    high, low = high + beyond_mm[0], low - beyond_mm[1]
    angle = np.radians(tilt)
    down = np.array([0.0, np.cos(angle), np.sin(angle)])
    normal = np.array([0.0, np.sin(angle), -np.cos(angle)])
    along = normal if oblique else np.array([0.0, 0.0, -1.0])
    count, pixels = int((high - low) / step_mm) + 1, int(field_mm / pixel_mm)
    x, y = (float(one) for one in of.skeleton.midline((high + low) / 2))
    middle = np.array([x, y + 10, high])
    if oblique:
        middle -= (middle - [x, y + 10, (high + low) / 2]) @ np.array([0, 0, 1]) * (along + [0, 0, 1])
    planes: list[Plane] = []
    for index in range(count):
        if index in missing:
            continue
        corner = middle + index * step_mm * along - (np.array([1.0, 0, 0]) + down) * (pixels - 1) / 2 * pixel_mm
        planes.append(
            Plane(
                sop_instance_uid=f"1.2.3.{count - index if feet_first else index + 1}",
                rows=pixels,
                columns=pixels,
                position_mm=tuple(float(value) for value in corner),
                row_direction=(1.0, 0.0, 0.0),
                column_direction=tuple(float(value) for value in down),
                spacing_mm=(pixel_mm, pixel_mm),
                thickness_mm=step_mm,
            )
        )
    if feet_first:
        planes.reverse()

    def decode(plane: Plane) -> np.ndarray:
        xy = np.stack(np.meshgrid(np.arange(plane.columns), np.arange(plane.rows)), -1)
        return of.at(plane.to_mm(xy))[1].astype(np.float32)

    kept = {plane.sop_instance_uid: decode(plane) for plane in planes}
    return Stack.of(planes, lambda plane: kept[plane.sop_instance_uid].copy())


@dataclass(eq=False)
class TrueEyes:
    """Networks that know the truth of one spine.

    ``blind`` levels are not seen by the instance network; ``levels`` moves what it says of one by so much, ``shift`` of
    all; ``ribs`` and ``sacra`` override its signs. ``joined`` levels are taken together with the one below; ``halved``
    ones end at their middle. ``direct`` is the level that the direct network takes for L1 (None: it finds none).
    ``ghosts``: balls of 12 mm at these points that only the instance network sees, each with its place.
    ``only`` limits blindness, joining and halving to one direction. One such object reads one series.
    """

    spine: Spine
    blind: Sequence[Level] = ()
    levels: Mapping[Level, float] = field(default_factory=dict)
    shift: float = 0.0
    spread: float = 0.3
    ribs: Mapping[Level, float] = field(default_factory=dict)
    sacra: Mapping[Level, float] = field(default_factory=dict)
    joined: Sequence[Level] = ()
    halved: Sequence[Level] = ()
    only: Direction | None = None
    direct: Level | None = Level.L1
    ghosts: Sequence[tuple[np.ndarray, float]] = ()
    size: Size = SMALL
    patches: int = 0
    _labels: np.ndarray | None = None

    def labels(self, working: Working) -> np.ndarray:
        """The true vertebra of every voxel that was scanned; ghosts have numbers from 101."""
        if self._labels is None:
            key = (*working.first_mm, *working.hu.shape)
            points = working.to_mm(np.stack(np.meshgrid(*map(np.arange, working.hu.shape), indexing="ij"), -1))
            if key not in self.spine.kept:
                self.spine.kept[key] = self.spine.at(points)[0]
            found = self.spine.kept[key].copy()
            for number, (centre, _) in enumerate(self.ghosts, 101):
                found[np.linalg.norm(points - centre, axis=-1) < 12] = number
            found[working.hu <= -1000] = 0
            self._labels = found
        return self._labels

    def whole(self, working: Working) -> DirectLook:
        every = 2
        labels = self.labels(working)[::every, ::every, ::every]
        number = 0 if self.direct is None else self.spine.levels.index(self.direct) + 1
        there = (labels == number) & (number > 0)
        return DirectLook(("L1",), there[None].astype(np.float32) * 0.95, np.full(3, float(every)), np.zeros(3))

    def patch(self, working: Working, corner: np.ndarray, memory: np.ndarray, direction: Direction) -> Instance:
        self.patches += 1
        labels = cut(self.labels(working), corner, memory.shape, 0)
        number = self._next(labels, memory, direction)
        if number is None:
            return Instance(np.zeros(memory.shape, np.float32), EMPTY, 0.3, 0.5, 0.1, 0.1, 0.1)
        mask = labels == number
        if number > 100:
            return self._seen(mask, self.ghosts[number - 101][1], 0.1, 0.05, 0.0)
        level = self.spine.levels[number - 1]
        faulty = self.only is None or self.only == direction
        if level in self.joined and faulty:
            mask = binary_closing(mask | (labels == number + 1), np.ones((7, 1, 1)))
        if level in self.halved and faulty:
            middle = working.to_index(self.spine.centre(level))[0] - corner[0]
            mask[: max(0, int(np.ceil(middle)))] = False
        said = place(level, self.spine.variant) + self.levels.get(level, 0.0) + self.shift
        bears = self.ribs.get(level, 0.97 if level.region == "T" else 0.03)
        lowest = self.sacra.get(level, 0.97 if level is self.spine.levels[-1] else 0.03)
        return self._seen(mask, said, bears, lowest, 0.97 if level is Level.C2 else 0.02)

    def _seen(self, mask: np.ndarray, level: float, rib: float, sacrum: float, dens: float) -> Instance:
        return Instance(np.where(mask, 0.95, 0.02).astype(np.float32), level, self.spread, 0.9, rib, sacrum, dens)

    def _next(self, labels: np.ndarray, memory: np.ndarray, direction: Direction) -> int | None:
        """The rule of the training: the first vertebra in the direction that shows 1 cm³ and is not remembered."""
        hidden = self.only is None or self.only == direction
        blind = {self.spine.levels.index(level) + 1 for level in self.blind if level in self.spine.levels and hidden}
        counts = np.bincount(labels.ravel(), minlength=256)
        kept = np.bincount(labels[memory].ravel(), minlength=256)
        least = 1000 / self.size.spacing_mm**3
        seen = [n for n in range(1, 256) if counts[n] >= least and kept[n] < 0.5 * counts[n] and n not in blind]
        heights = {n: float(np.argwhere(labels == n)[:, 0].mean()) for n in seen}
        return (min if direction == "down" else max)(seen, key=lambda n: heights[n], default=None)
