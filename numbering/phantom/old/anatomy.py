"""Tables of the simulated spine: sizes in mm, angles in degrees, one row a vertebra.

The rows follow the published means of Panjabi et al. 1991 (cervical and thoracic) and 1992 (lumbar), pedicles those of
Zindrick et al. 1987, rounded and not compared with the papers digit by digit: a phantom needs plausible sizes, and no
figure may be quoted from here. Estimates, without a source of their own: the row of C4, disc heights, spinous and
transverse reach in the neck, the lean of each level, the reach of the ribs and, elsewhere, sacrum, pelvis and organs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from numbering.anatomy import Level, Variant


@dataclass(frozen=True, kw_only=True)
class Size:
    """Dimensions of one vertebra, mm: widths across, depths front to back, heights head to foot."""

    upper_width: float
    lower_width: float
    upper_depth: float
    lower_depth: float
    height: float
    canal_width: float
    pedicle_width: float
    pedicle_height: float
    spinous_length: float
    """From the front of the body to the tip of the spinous process."""
    transverse_span: float
    disc_below: float
    """Mid height of the disc under it."""


SIZE_NAMES = tuple(field.name for field in fields(Size))

_ROWS: dict[str, tuple[float, ...]] = {
    # uw,   lw,   ud,   ld,   h,  canal, pw,  ph,  sp,  tp, disc
    "C4": (17.2, 17.0, 15.3, 15.9, 12.5, 24.7, 5.4, 7.4, 40.0, 48.0, 4.8),
    "C5": (17.5, 19.4, 15.2, 17.9, 12.4, 24.9, 5.6, 7.0, 43.0, 50.0, 5.0),
    "C6": (18.5, 22.0, 16.4, 18.5, 12.5, 25.8, 6.0, 7.3, 51.0, 52.0, 5.2),
    "C7": (21.8, 23.4, 18.1, 16.8, 13.8, 24.5, 6.6, 7.5, 58.0, 66.0, 5.0),
    "T1": (24.5, 27.8, 18.5, 19.7, 16.0, 21.8, 8.2, 9.6, 62.0, 75.3, 4.2),
    "T2": (24.9, 27.4, 19.6, 21.6, 17.2, 19.5, 7.2, 11.4, 60.0, 69.9, 3.6),
    "T3": (24.6, 25.9, 22.7, 23.3, 17.4, 18.2, 5.6, 11.9, 58.0, 60.8, 3.4),
    "T4": (24.5, 26.0, 23.3, 24.5, 17.8, 17.0, 4.9, 12.1, 57.0, 59.5, 3.3),
    "T5": (24.9, 27.0, 24.3, 25.8, 18.2, 17.2, 4.8, 11.9, 57.0, 60.0, 3.4),
    "T6": (26.2, 28.2, 26.0, 26.9, 19.0, 17.3, 5.0, 12.2, 57.0, 61.1, 3.7),
    "T7": (27.8, 29.1, 27.4, 28.5, 19.8, 17.3, 5.2, 12.1, 57.0, 61.3, 4.0),
    "T8": (29.5, 30.5, 27.9, 29.4, 20.6, 17.7, 5.6, 12.5, 56.0, 60.7, 4.2),
    "T9": (30.5, 33.0, 29.3, 31.0, 21.5, 17.9, 6.1, 14.0, 55.0, 60.0, 4.4),
    "T10": (31.9, 35.4, 30.5, 31.6, 22.7, 18.2, 6.3, 15.2, 55.0, 58.0, 4.9),
    "T11": (34.9, 39.1, 31.9, 31.8, 23.7, 19.4, 7.8, 16.0, 56.0, 52.0, 5.5),
    "T12": (39.0, 42.1, 32.8, 33.4, 25.0, 22.2, 7.1, 15.8, 60.0, 47.0, 6.4),
    "L1": (41.2, 43.3, 34.1, 35.3, 26.2, 23.7, 8.7, 15.4, 67.7, 71.2, 7.6),
    "L2": (42.6, 45.5, 34.6, 34.9, 27.1, 23.8, 8.9, 15.0, 71.8, 76.1, 8.9),
    "L3": (44.1, 48.0, 35.2, 34.8, 27.0, 24.3, 10.3, 14.9, 71.9, 85.7, 10.0),
    "L4": (46.6, 49.5, 35.5, 33.9, 26.5, 25.4, 12.9, 14.8, 69.7, 79.4, 11.0),
    "L5": (47.3, 49.4, 34.7, 33.2, 25.5, 27.1, 18.0, 14.0, 62.0, 92.5, 10.3),
}

_TILT: dict[str, float] = {  # forward lean of the mid-plane against the horizontal, standing; positive: front down
    "C4": 14,
    "C5": 18,
    "C6": 22,
    "C7": 25,
    "T1": 26,
    "T2": 23,
    "T3": 20,
    "T4": 16,
    "T5": 11,
    "T6": 6,
    "T7": 1,
    "T8": -3,
    "T9": -6,
    "T10": -9,
    "T11": -12,
    "T12": -13,
    "L1": -13,
    "L2": -11,
    "L3": -7,
    "L4": 2,
    "L5": 15,
}
SACRAL_SLOPE = 40.0

RIB_REACH: tuple[tuple[float, float, float, float], ...] = (
    # half width and half depth of the thorax at the rib, drop from its head to its front end, length; mm
    (52, 40, 42, 95), (73, 55, 62, 175), (90, 66, 80, 230), (101, 75, 92, 270), (110, 82, 102, 300),
    (117, 88, 110, 320), (123, 91, 116, 330), (127, 93, 118, 325), (129, 94, 115, 300), (127, 92, 105, 265),
    (121, 88, 88, 195), (110, 82, 72, 115),
)  # fmt: skip


def reference(level: Level, variant: Variant) -> float:
    """Where on the usual spine a level's sizes are looked up: C7 is 7.0, L5 24.0, fractions between rows.

    A spine with more or fewer vertebrae in a region keeps that region's first and last shape and spreads the rest, so
    the lowest lumbar-type vertebra always looks like one.
    """
    number = int(str(level)[1:])
    if level.region == "T":
        return 8 + (number - 1) * 11 / (variant.thoracic - 1)
    if level.region == "L":
        return 20 + (number - 1) * 4 / (variant.lumbar - 1)
    return float(number)


_POSITIONS = np.arange(4, 25, dtype=float)
_SIZES = np.array(list(_ROWS.values()))
_TILTS = np.array([_TILT[name] for name in _ROWS])


def mean_size(position: float) -> dict[str, float]:
    """Mean sizes at a `reference` position, by the names in `SIZE_NAMES`."""
    row = [float(np.interp(position, _POSITIONS, _SIZES[:, column])) for column in range(_SIZES.shape[1])]
    return dict(zip(SIZE_NAMES, row, strict=True))


def mean_tilt(position: float) -> float:
    """Mean forward lean at a `reference` position, degrees."""
    return float(np.interp(position, _POSITIONS, _TILTS))


def rib_reach(position: float) -> tuple[float, float, float, float]:
    """Half width, half depth, drop and length of the rib at a `reference` position (8 is T1), mm."""
    table = np.array(RIB_REACH)
    width, depth, drop, length = (float(np.interp(position - 7, np.arange(1, 13), table[:, i])) for i in range(4))
    return width, depth, drop, length
