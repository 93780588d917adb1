"""Mean sizes of the vertebrae and discs, C2 to L5: mm, both sexes, middle age, one row a vertebra.

Marks: [M] from memory of the cited paper, rounded; [E] estimate; [H] measured on 1,947 CT scans (VID keypoints, Bürgin
et al., MICCAI 2023).

- Widths, depths and canal, C2–C7: Panjabi et al., *Spine* 1991;16:861 [M]; T1–T12: Panjabi et al., *Spine* 1991;16:888
  [M]; L1–L5: Panjabi et al., *Spine* 1992;17:299 [M]. C2 has no upper endplate; its row says how wide and deep the body
  is under the dens [E].
- Pedicles: Zindrick et al., *Spine* 1987;12:160, thoracic and lumbar [M]; neck Panjabi 1991 [M].
- Heights are those of living people, 1–2 mm above dry bone [E], set so that heights and discs together give the spacing
  of centres measured at T8…L5 [H].
- Spinous and transverse reach: Panjabi [M], in the neck [E]. Facet angles L1–L5: [E], see `FACET_SD`.
- Disc heights at the front, the middle and the back: [E], scaled like the heights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant

Array = NDArray[np.float64]

COLUMNS = (
    "upper_width",
    "lower_width",
    "upper_depth",
    "lower_depth",
    "height_anterior",
    "height_posterior",
    "canal_width",
    "canal_depth",
    "pedicle_width",
    "pedicle_height",
    "spinous_length",
    "transverse_span",
    "facet_angle",
)
"""The fields of `numbering.phantom.anatomy.patient.Size`, in the order of the rows."""

# fmt: off
_ROWS: dict[str, tuple[float, ...]] = {
    #     uw,   lw,   ud,   ld,   ha,   hp,   cw,   cd,   pw,   ph,   sp,   tp,  facet
    "C2": (15.6, 17.5, 14.6, 15.6, 20.0, 18.5, 24.5, 21.0, 8.4, 9.6, 47.0, 52.0, 60.0),
    "C3": (15.8, 17.2, 15.0, 15.6, 13.2, 13.4, 22.9, 16.2, 5.6, 7.4, 42.0, 50.0, 62.0),
    "C4": (17.2, 17.0, 15.3, 15.9, 12.8, 13.0, 24.7, 17.7, 5.4, 7.4, 42.0, 50.0, 62.0),
    "C5": (17.5, 19.4, 15.2, 17.9, 12.3, 12.8, 24.9, 17.4, 5.6, 7.0, 45.0, 51.0, 63.0),
    "C6": (18.5, 22.0, 16.4, 18.5, 12.4, 13.0, 25.8, 18.1, 6.0, 7.3, 52.0, 54.0, 66.0),
    "C7": (21.8, 23.4, 18.1, 16.8, 14.2, 14.7, 24.5, 15.2, 6.6, 7.5, 60.0, 66.0, 70.0),
    "T1": (24.5, 27.8, 18.5, 19.7, 15.9, 16.6, 21.8, 16.4, 8.2, 9.6, 62.0, 75.3, 76.0),
    "T2": (24.9, 27.4, 19.6, 21.6, 16.7, 17.6, 19.5, 15.5, 7.2, 11.4, 60.0, 69.9, 77.0),
    "T3": (24.6, 25.9, 22.7, 23.3, 17.0, 18.1, 18.2, 15.5, 5.6, 11.9, 58.0, 60.8, 78.0),
    "T4": (24.5, 26.0, 23.3, 24.5, 17.3, 18.6, 17.0, 15.5, 4.9, 12.1, 57.0, 59.5, 78.0),
    "T5": (24.9, 27.0, 24.3, 25.8, 17.6, 19.1, 17.2, 15.6, 4.8, 11.9, 57.0, 60.0, 78.0),
    "T6": (26.2, 28.2, 26.0, 26.9, 18.1, 19.7, 17.3, 15.6, 5.0, 12.2, 57.0, 61.1, 78.0),
    "T7": (27.8, 29.1, 27.4, 28.5, 18.7, 20.3, 17.3, 15.7, 5.2, 12.1, 57.0, 61.3, 78.0),
    "T8": (29.5, 30.5, 27.9, 29.4, 19.4, 20.8, 17.7, 15.6, 5.6, 12.5, 55.0, 60.7, 77.0),
    "T9": (30.5, 33.0, 29.3, 31.0, 20.2, 21.3, 17.9, 15.5, 6.1, 14.0, 51.0, 60.0, 76.0),
    "T10": (31.9, 35.4, 30.5, 31.6, 21.4, 22.6, 18.2, 15.5, 6.3, 15.2, 53.0, 58.0, 74.0),
    "T11": (34.9, 39.1, 31.9, 31.8, 22.4, 24.3, 19.4, 16.1, 7.8, 16.4, 52.0, 52.0, 60.0),
    "T12": (39.0, 42.1, 32.8, 33.4, 23.9, 25.7, 22.2, 18.1, 7.1, 15.8, 50.0, 47.0, 28.0),
    "L1": (41.2, 43.3, 34.1, 35.3, 25.5, 27.0, 22.4, 19.0, 7.8, 15.4, 67.7, 71.2, 25.0),
    "L2": (42.6, 45.5, 34.6, 34.9, 26.6, 27.3, 22.6, 18.2, 8.0, 15.0, 71.8, 76.1, 28.0),
    "L3": (44.1, 48.0, 35.2, 34.8, 26.9, 26.9, 23.5, 17.5, 9.6, 14.9, 71.9, 85.7, 36.0),
    "L4": (46.6, 49.5, 35.5, 33.9, 27.4, 26.2, 24.7, 18.6, 12.1, 14.8, 69.7, 79.4, 45.0),
    "L5": (47.3, 49.4, 34.7, 33.2, 27.9, 23.9, 28.7, 19.7, 19.6, 14.0, 62.0, 92.5, 50.0),
}

_DISCS: dict[str, float] = {  # mean of the front and the back of the disc below, young and healthy
    "C2": 4.8, "C3": 5.0, "C4": 5.0, "C5": 5.0, "C6": 5.1, "C7": 5.0,
    "T1": 4.4, "T2": 3.8, "T3": 3.5, "T4": 3.5, "T5": 3.5, "T6": 3.5, "T7": 3.6, "T8": 3.7, "T9": 4.0, "T10": 4.7,
    "T11": 5.6, "T12": 7.3, "L1": 8.6, "L2": 9.8, "L3": 11.2, "L4": 12.1, "L5": 11.4,
}

_SEGMENTS: dict[str, tuple[float, float]] = {
    # standing angle from a vertebra's upper endplate to the next one's, lordosis positive: mean, SD
    "C2": (2.0, 4.0), "C3": (2.0, 4.0), "C4": (2.0, 4.0), "C5": (2.0, 4.0), "C6": (3.0, 4.0), "C7": (1.0, 3.5),
    "T1": (-2.2, 2.4), "T2": (-3.4, 2.4), "T3": (-4.0, 2.4), "T4": (-4.4, 2.4), "T5": (-4.7, 2.4), "T6": (-4.7, 2.4),
    "T7": (-4.2, 2.4), "T8": (-3.3, 2.4), "T9": (-2.4, 2.4), "T10": (-1.7, 2.6), "T11": (-1.3, 2.8), "T12": (-1.6, 3.0),
    "L1": (1.3, 3.6), "L2": (6.1, 4.2), "L3": (9.5, 4.4), "L4": (13.2, 5.2), "L5": (20.6, 10.0),
}
# fmt: on

FACET_SD = 9.0
"""Of the facet angle between people, degrees [E]."""

_PLACES = np.arange(2, 25, dtype=float)
_SIZES = np.array(list(_ROWS.values()))
_DISC_HEIGHTS = np.array(list(_DISCS.values()))
_ANGLES = np.array(list(_SEGMENTS.values()))


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


def mean_sizes(places: Array) -> dict[str, Array]:
    """Mean sizes ``(n,)`` at `reference` places ``(n,)``, by the names in `COLUMNS`."""
    return {name: np.interp(places, _PLACES, _SIZES[:, column]) for column, name in enumerate(COLUMNS)}


def mean_discs(places: Array) -> Array:
    """Mean heights ``(n,)`` of the healthy discs below, mm."""
    return np.asarray(np.interp(places, _PLACES, _DISC_HEIGHTS))


def segment_angles(places: Array) -> tuple[Array, Array]:
    """Means and SDs ``(n,)`` of the standing angles between upper endplates and the next ones below, lordosis
    positive."""
    return np.interp(places, _PLACES, _ANGLES[:, 0]), np.interp(places, _PLACES, _ANGLES[:, 1])
