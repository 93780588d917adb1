"""How a series is acquired: sequence, geometry, and the habits of a machine; sampled as hospitals set them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Plane = Literal["axial", "sagittal", "coronal"]
Weighting = Literal["T1", "T2", "STIR", "T2 FS", "water GRE", "localizer"]
Layout = Literal["parallel", "block"]
"""Axial: a stack along each disc, or contiguous slices. Every other plane is a block."""
Readout = Literal["row", "column"]
"""The direction of frequency encoding: along a row of pixels (left to right on the screen), or down a column."""


@dataclass(frozen=True, kw_only=True)
class Randomisation:
    """Beyond realism, so that a network learns shapes: each strength 0…1, 0 leaves the physics alone."""

    contrast: float = 0.0
    """How far each label's signal moves towards a random one."""
    blur_mm: float = 0.0
    bias: float = 0.0
    """A further smooth field of random orientation; 1 is a factor of about three across the image."""
    gamma: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One series. Times ms, lengths mm, frequencies Hz."""

    plane: Plane
    weighting: Weighting
    layout: Layout = "block"
    style: str = "nordwind"
    """Whose machine: a name of `MACHINES`."""
    field_tesla: float = 1.5
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None = None
    flip_angle: float = 150.0
    echo_train: int = 15
    fov_mm: float
    """Of the image's rows; `fov_ratio` times it is the extent of the columns."""
    fov_ratio: float = 1.0
    matrix: tuple[int, int]
    """Acquired samples over the field of view: readout, phase."""
    reconstructed: int
    """Pixels along the field of view's longer side, after zero filling."""
    readout: Readout
    thickness_mm: float
    gap_mm: float
    slices: int
    """Of the series; for stacks parallel to the discs, of each stack."""
    averages: int = 2
    bandwidth_hz: float = 180.0
    """Per pixel of the acquired readout."""
    fat_towards: Literal[-1, 1] = 1
    """Fat is shifted towards higher (1) or lower (-1) indices of the readout direction."""
    signal_to_noise: float = 30.0
    """Of the brightest common tissue at the depth of the spine."""
    normalised: float = 0.7
    """How far the coil's sensitivity is evened out, 0…1."""
    oversampling: float = 0.6
    """Of the phase direction: how much of a field of view is acquired and thrown away."""
    saturation: float = 0.0
    """Depth of a saturation band in front of the spine, 0 (none) … 1."""
    crosstalk: float = 0.0
    """How much stacks that cross each other behind the spine darken one another."""
    breathing: float = 0.3
    """Amplitude of motion of the belly's wall, 0 (held) … 1 (restless)."""
    pulsation: float = 0.3
    """Loss of signal in moving cerebrospinal fluid, 0…1."""
    tukey: float = 0.3
    """Share of k-space that the filter tapers; 0 rings most."""
    white: float = 900.0
    """Stored value of the brightest common tissue."""
    randomise: Randomisation = Randomisation()

    @property
    def pixel_mm(self) -> float:
        """Of the reconstructed image; pixels are square."""
        return self.fov_mm * max(1.0, self.fov_ratio) / self.reconstructed

    @property
    def size(self) -> tuple[int, int]:
        """Reconstructed rows and columns."""
        columns = round(self.fov_mm / self.pixel_mm)
        return round(self.fov_mm * self.fov_ratio / self.pixel_mm), columns

    @property
    def fat_shift_pixels(self) -> float:
        """Of acquired pixels: 3.5 ppm of the field against the bandwidth; 0 where fat is not to be seen."""
        return self.fat_towards * 3.5 * 42.577 * self.field_tesla / self.bandwidth_hz


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What one maker's machines have in common: the style a network must not lean on."""

    fields_tesla: tuple[float, ...]
    white: tuple[float, float]
    """Range of the stored value of the brightest common tissue."""
    reconstructed: tuple[int, ...]
    """Matrices that axial series come in."""
    normalised: tuple[float, float]
    tukey: tuple[float, float]
    bandwidth_hz: tuple[float, float]
    gap_share: float
    """Of the thickness."""


MACHINES: Mapping[str, Machine] = {
    "fairhaven": Machine(
        fields_tesla=(1.5, 1.5, 0.5),
        white=(2500, 9000),
        reconstructed=(512,),
        normalised=(0.2, 0.8),
        tukey=(0.3, 0.6),
        bandwidth_hz=(120, 220),
        gap_share=0.25,
    ),
    "fairhaven-2": Machine(
        fields_tesla=(3.0,),
        white=(4000, 16000),
        reconstructed=(512, 1024),
        normalised=(0.6, 1.0),
        tukey=(0.4, 0.7),
        bandwidth_hz=(220, 330),
        gap_share=0.1,
    ),
    "nordwind": Machine(
        fields_tesla=(3.0, 1.5),
        white=(500, 1400),
        reconstructed=(320, 384, 448, 640),
        normalised=(0.5, 0.95),
        tukey=(0.05, 0.3),
        bandwidth_hz=(180, 300),
        gap_share=0.1,
    ),
    "armor": Machine(
        fields_tesla=(1.5,),
        white=(700, 2200),
        reconstructed=(256, 512),
        normalised=(0.0, 0.6),
        tukey=(0.1, 0.4),
        bandwidth_hz=(110, 210),
        gap_share=0.15,
    ),
    "andina": Machine(
        fields_tesla=(1.5, 0.35, 1.0),
        white=(1200, 3500),
        reconstructed=(256, 512),
        normalised=(0.0, 0.5),
        tukey=(0.2, 0.6),
        bandwidth_hz=(60, 130),
        gap_share=0.2,
    ),
    "hoshi": Machine(
        fields_tesla=(3.0, 1.5, 0.4),
        white=(900, 2600),
        reconstructed=(512, 560, 640),
        normalised=(0.4, 0.9),
        tukey=(0.2, 0.5),
        bandwidth_hz=(190, 300),
        gap_share=0.12,
    ),
}
"""By style of equipment (`numbering.phantom.styles`)."""

_TIMES: Mapping[Weighting, tuple[tuple[float, float], tuple[float, float]]] = {
    "T1": ((420, 680), (8, 14)),
    "T2": ((2800, 4800), (88, 122)),
    "STIR": ((3200, 5000), (40, 70)),
    "T2 FS": ((3000, 4800), (75, 105)),
    "water GRE": ((12, 16), (4, 7)),
    "localizer": ((8, 12), (2.5, 4.5)),
}
"""Ranges of TR and TE."""


def sample(
    rng: np.random.Generator,
    plane: Plane,
    weighting: Weighting,
    *,
    style: str,
    layout: Layout = "block",
    small_field: bool | None = None,
    field: float | None = None,
) -> Protocol:
    """A protocol as a hospital with this machine might run it; ``field`` in tesla, None draws one that its maker sells.

    ``small_field`` (axial): 150–180 mm around the canal instead of 180–240; None draws one of both.
    """
    machine = MACHINES[style]
    drawn = float(rng.choice(machine.fields_tesla))
    field = drawn if field is None else field
    (tr_low, tr_high), (te_low, te_high) = _TIMES[weighting]
    base = Protocol(
        plane=plane,
        weighting=weighting,
        layout=layout,
        style=style,
        field_tesla=field,
        repetition_ms=round(float(rng.uniform(tr_low, tr_high)), -1 if tr_high > 100 else 1),
        echo_ms=round(float(rng.uniform(te_low, te_high)), 1),
        inversion_ms=_nulling_fat(field) if weighting == "STIR" else None,
        fov_mm=200,
        matrix=(320, 256),
        reconstructed=512,
        readout="row",
        thickness_mm=4,
        gap_mm=0.4,
        slices=4,
        bandwidth_hz=round(float(rng.uniform(*machine.bandwidth_hz)), 1),
        fat_towards=1 if rng.random() < 0.5 else -1,
        normalised=round(float(rng.uniform(*machine.normalised)), 3),
        tukey=round(float(rng.uniform(*machine.tukey)), 3),
        white=round(float(np.exp(rng.uniform(*np.log(machine.white)))), 1),
        signal_to_noise=_signal_to_noise(rng, field),
        breathing=round(float(rng.beta(1.3, 3.5)), 3),
        pulsation=round(float(rng.beta(1.3, 3.0)), 3) if weighting != "T1" else 0.0,
        echo_train=int(rng.integers(2, 5)) if weighting == "T1" else int(rng.integers(11, 25)),
        averages=int(rng.integers(1, 4)),
    )
    if weighting == "localizer":
        return _localizer(base, rng)
    if plane == "axial":
        return _axial(base, machine, rng, small_field)
    return _upright(base, machine, rng)


def _nulling_fat(field_tesla: float) -> float:
    from numbering.phantom.imaging.mr.tissue import FAT

    return round(float(FAT.at(field_tesla)[0] * np.log(2)), 0)


def _signal_to_noise(rng: np.random.Generator, field_tesla: float) -> float:
    # Sites with small magnets buy it back with averages and larger voxels.
    drawn = float(np.exp(rng.normal(np.log(36), 0.33)) * (field_tesla / 1.5) ** 0.5)
    return round(max(drawn, 13.0), 1)


def _axial(base: Protocol, machine: Machine, rng: np.random.Generator, small_field: bool | None) -> Protocol:
    small = rng.random() < 0.5 if small_field is None else small_field
    fov = float(rng.uniform(145, 182) if small else rng.uniform(180, 240))
    thickness = float(rng.choice([3, 3.5, 4, 4, 4.5, 5]))
    readout_samples = int(rng.choice([192, 224, 256] if base.field_tesla < 1.2 else [256, 288, 320, 384]))
    sequential = base.layout == "block"
    wraps = rng.random() < 0.12
    return replace(
        base,
        fov_mm=round(fov, -1 if rng.random() < 0.7 else 0),
        matrix=(readout_samples, int(readout_samples * rng.uniform(0.65, 0.95))),
        reconstructed=int(rng.choice(machine.reconstructed)),
        readout="row" if rng.random() < 0.45 else "column",
        thickness_mm=thickness,
        gap_mm=round(thickness * machine.gap_share * float(rng.choice([0, 1, 1, 1])), 2),
        slices=int(rng.integers(18, 36)) if sequential else int(rng.choice([3, 3, 4, 4, 5, 6])),
        oversampling=round(float(rng.uniform(0.05, 0.3) if wraps else rng.uniform(0.6, 1.2)), 2),
        saturation=round(float(rng.uniform(0.4, 0.95)), 2) if rng.random() < 0.55 else 0.0,
        crosstalk=0.0 if sequential or rng.random() < 0.4 else round(float(rng.uniform(0.2, 0.7)), 2),
    )


def _upright(base: Protocol, machine: Machine, rng: np.random.Generator) -> Protocol:
    fov = float(rng.choice([260, 280, 280, 300, 320, 340]))
    thickness = float(rng.choice([3, 3.5, 4, 4, 4.5, 5]))
    samples = int(rng.choice([256, 320, 384, 448]))
    one_mm = base.weighting == "water GRE"
    return replace(
        base,
        fov_mm=224.0 if one_mm else fov,
        matrix=(176, 160) if one_mm else (samples, int(samples * rng.uniform(0.6, 0.9))),
        reconstructed=224 if one_mm else int(rng.choice([320, 384, 448, 512, 512])),
        # Phase encoding along the body keeps the ghosts of the belly off the spine; some sites leave it front to back.
        readout="row" if rng.random() < 0.75 else "column",
        thickness_mm=1.0 if one_mm else thickness,
        gap_mm=0.0 if one_mm else round(thickness * machine.gap_share, 2),
        slices=77 if one_mm else int(rng.integers(11, 19)),
        oversampling=round(float(rng.uniform(0.7, 1.0)), 2),
        saturation=round(float(rng.uniform(0.4, 0.95)), 2) if rng.random() < 0.5 else 0.0,
        flip_angle=4.0 if one_mm else base.flip_angle,
        # A 3-D acquisition gathers signal for minutes, is filtered hard, and averages what pulses.
        signal_to_noise=base.signal_to_noise * (2.5 if one_mm else 1.0),
        breathing=min(1.0, base.breathing + 0.4) if one_mm else base.breathing,
        tukey=round(float(rng.uniform(0.6, 1.0)), 3) if one_mm else base.tukey,
        pulsation=0.0 if one_mm else base.pulsation,
    )


def _localizer(base: Protocol, rng: np.random.Generator) -> Protocol:
    return replace(
        base,
        fov_mm=float(rng.choice([380, 400, 450, 500])),
        matrix=(256, int(rng.choice([128, 160, 192]))),
        reconstructed=int(rng.choice([256, 512])),
        thickness_mm=float(rng.choice([6, 8, 10])),
        gap_mm=float(rng.choice([2, 5, 10])),
        slices=int(rng.choice([1, 3, 3, 5])),
        oversampling=1.0,
        flip_angle=25.0,
        echo_train=1,
        pulsation=0.0,
        bandwidth_hz=round(float(rng.uniform(300, 500)), 1),
    )
