"""How a CT is made: what is scanned, how it is reconstructed, what the scanner does to it. Plain data.

Kernels are given by their modulation transfer: `sharpness` is the frequency of half modulation, `boost` the rise above
1 that makes edges overshoot. Noise is quoted as the standard deviation at the middle of the body under the standard
kernel, so a sharp kernel is as much noisier as it really is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from numbering.phantom.imaging.ct.hounsfield import Phase

Region = Literal["lumbar", "thoracolumbar", "whole-spine", "cervical", "chest", "abdomen", "upper-abdomen", "level"]
Position = Literal["HFS", "HFP", "FFS", "FFP"]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A reconstruction kernel: half modulation at ``sharpness`` line pairs a mm; 1 + ``boost`` at about half of it."""

    name: Literal["soft", "standard", "bone", "lung"]
    sharpness: float
    boost: float = 0.0


KERNELS = {
    "soft": Kernel(name="soft", sharpness=0.32),
    "standard": Kernel(name="standard", sharpness=0.40),
    "bone": Kernel(name="bone", sharpness=0.80, boost=0.45),
    "lung": Kernel(name="lung", sharpness=0.66, boost=0.25),
}


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What a region covers: ordinals of the usual spine (`Skeleton.at`), and mm beyond them, upwards positive."""

    top: float
    bottom: float
    above_mm: float
    below_mm: float
    spine: bool
    """Whether the field of view is centred on the spine rather than on the body."""


EXTENTS: dict[Region, Extent] = {
    "lumbar": Extent(top=19, bottom=25, above_mm=5, below_mm=55, spine=True),
    "thoracolumbar": Extent(top=15, bottom=25, above_mm=0, below_mm=40, spine=True),
    "whole-spine": Extent(top=2, bottom=25, above_mm=15, below_mm=95, spine=True),
    "cervical": Extent(top=2, bottom=9, above_mm=15, below_mm=10, spine=True),
    "chest": Extent(top=7, bottom=20, above_mm=15, below_mm=5, spine=False),
    "abdomen": Extent(top=17, bottom=25, above_mm=10, below_mm=150, spine=False),
    "upper-abdomen": Extent(top=17, bottom=22, above_mm=10, below_mm=0, spine=False),
    "level": Extent(top=23, bottom=24, above_mm=0, below_mm=0, spine=True),
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One reconstructed series. Lengths mm, angles degrees, offsets in the patient's x (left) and y (back)."""

    region: Region = "abdomen"
    shift_mm: tuple[float, float] = (0.0, 0.0)
    """Moves the upper and the lower end of the region, upwards positive."""
    slice_mm: float = 3.0
    increment_mm: float = 3.0
    matrix: int = 512
    field_mm: float = 360.0
    offset_mm: tuple[float, float] = (0.0, 0.0)
    """Middle of the field of view beside what it is centred on."""
    table_offset_mm: tuple[float, float] = (0.0, 0.0)
    """The patient's middle beside the scanner's axis, to the left and downwards."""
    tilt: float = 0.0
    """Of the gantry: slices lean, their distance along the table stays. Positive lowers the front of a slice."""
    oblique: tuple[float, float] = (0.0, 0.0)
    """Of a reformatted stack, about the patient's x and y: slices lean and follow their own normal."""
    feet_to_head: bool = False
    """The first slice is the lowest."""
    position: Position = "HFS"
    kernel: Kernel = KERNELS["standard"]
    kilovolt: int = 120
    noise_hu: float = 11.0
    noise_grain: float = 0.0
    """0 filtered back-projection … 1 strong iterative reconstruction: less noise, of a coarser grain."""
    modulation: float = 0.7
    """Of the tube's current along the body: 0 none, 1 the same noise everywhere."""
    phase: Phase = "native"
    arms: Literal["up", "down"] = "up"
    table: Literal["single", "cradle"] = "single"
    scan_field_mm: float = 500.0
    padding_hu: int | None = None
    """Outside the scanner's field; None: nothing marks it, air is shown."""
    metal_reduction: float = 0.0
    """0 … 1: how much of the metal's streaks a correction takes away."""
    breath_mm: float = 0.0
    """How far the organs below the diaphragm stand higher in the lower half of the scan, as if breath was let go."""
    missing: tuple[int, ...] = ()
    """Slices (from 0) that never arrived."""

    @property
    def spine(self) -> bool:
        """Whether the field of view is the spine's own."""
        return EXTENTS[self.region].spine


_REGIONS: tuple[tuple[Region, float], ...] = (
    ("abdomen", 0.30), ("lumbar", 0.28), ("chest", 0.12), ("thoracolumbar", 0.10), ("upper-abdomen", 0.08),
    ("whole-spine", 0.07), ("level", 0.03), ("cervical", 0.02),
)  # fmt: skip
_SLICES = ((0.6, 0.5), (0.625, 0.625), (0.75, 0.5), (1.0, 0.7), (1.0, 1.0), (1.25, 1.25), (1.5, 1.0), (2.0, 2.0),
           (2.5, 2.5), (3.0, 3.0), (3.0, 2.0), (5.0, 5.0), (5.0, 3.0))  # fmt: skip
"""Slice thickness and increment as scanners offer them."""
_SPINE_SLICES = (0.08, 0.14, 0.08, 0.12, 0.08, 0.1, 0.08, 0.12, 0.06, 0.1, 0.02, 0.02, 0.0)
_BODY_SLICES = (0.01, 0.05, 0.02, 0.04, 0.1, 0.14, 0.06, 0.1, 0.1, 0.14, 0.06, 0.14, 0.04)


def sample_protocol(rng: np.random.Generator, region: Region | None = None) -> Protocol:
    """A protocol as clinics run them, of this region or of any."""
    if region is None:
        names, weights = zip(*_REGIONS, strict=True)
        region = names[int(rng.choice(len(names), p=np.array(weights) / sum(weights)))]
    spine = EXTENTS[region].spine
    weight = np.array(_SPINE_SLICES if spine else _BODY_SLICES)
    slice_mm, increment_mm = _SLICES[int(rng.choice(len(_SLICES), p=weight / weight.sum()))]
    sharp = rng.random() < (0.55 if spine else 0.15)
    kernel = KERNELS["bone" if sharp else str(rng.choice(["soft", "standard"]))]
    contrast = 0.08 if spine else 0.65
    phase: Phase = "native" if rng.random() > contrast else "portal" if rng.random() < 0.75 else "arterial"
    grain = float(rng.choice([0.0, rng.uniform(0.3, 1.0)]))
    # Thin slices are noisier, though less than the photons alone would have it: they are scanned with more dose.
    noise = float(rng.lognormal(np.log(14), 0.33) * (3 / slice_mm) ** 0.35 * (1 + 0.6 * grain))
    protocol = Protocol(
        region=region,
        shift_mm=(float(rng.normal(0, 18)), float(rng.normal(0, 18))),
        slice_mm=slice_mm,
        increment_mm=increment_mm,
        field_mm=float(round(rng.uniform(120, 240) if spine else rng.uniform(320, 430))),
        offset_mm=(float(rng.normal(0, 5)), float(rng.normal(0, 6))),
        table_offset_mm=(float(rng.normal(0, 10)), float(rng.normal(5, 15))),
        feet_to_head=bool(rng.random() < 0.3),
        position=_position(rng),
        kernel=replace(kernel, sharpness=kernel.sharpness * float(rng.uniform(0.9, 1.12))),
        kilovolt=int(rng.choice([100, 120, 130, 140], p=[0.12, 0.7, 0.08, 0.1])),
        noise_hu=noise,
        noise_grain=grain,
        modulation=float(rng.uniform(0.4, 1.0)),
        phase=phase,
        arms="down" if rng.random() < (0.06 if region in ("chest", "abdomen") else 0.12) else "up",
        table="cradle" if rng.random() < 0.5 else "single",
        scan_field_mm=500.0,
        padding_hu=(None, -2000, -1024, -3024)[int(rng.integers(4))],
        metal_reduction=float(rng.uniform(0.4, 0.8)) if rng.random() < 0.25 else 0.0,
        breath_mm=float(rng.uniform(4, 14)) if rng.random() < 0.08 else 0.0,
    )
    return _lean(protocol, rng)


def _position(rng: np.random.Generator) -> Position:
    positions: tuple[Position, ...] = ("HFS", "FFS", "HFP", "FFP")
    return positions[int(rng.choice(4, p=[0.78, 0.17, 0.03, 0.02]))]


def _lean(protocol: Protocol, rng: np.random.Generator) -> Protocol:
    """Some stacks lean: gantries of older scanners along a disc, reformatted stacks along the spine."""
    drawn = rng.random()
    if protocol.region == "level":
        return replace(protocol, tilt=float(rng.uniform(-8, 24)), slice_mm=3.0, increment_mm=3.0)
    if protocol.region == "lumbar" and drawn < 0.08:
        return replace(protocol, tilt=float(rng.uniform(-15, 15)))
    if protocol.spine and drawn < 0.2:
        return replace(protocol, oblique=(float(rng.normal(0, 9)), float(rng.normal(0, 4))))
    return protocol
