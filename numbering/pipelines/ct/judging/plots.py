"""Pictures of an evaluation: series in a sagittal section along the spine with truth and answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import map_coordinates

from numbering.pipelines.ct.judging.cases import Case, Scan
from numbering.pipelines.ct.judging.scoring import Outcome, vertebra_at
from numbering.pipelines.ct.reading.slices import Slices

TILE = (300, 460)
"""Columns and rows of one section in the gallery; its caption stands below."""
CAPTION = 62
DEPTH_MM = 120.0
"""From front to back."""
WINDOW_HU = (-160.0, 840.0)
TRUTH, SAID, WRONG = (0, 220, 0), (90, 170, 255), (255, 70, 70)


def worst(outcomes: Sequence[Outcome], most: int = 24) -> list[Outcome]:
    """Series where something went wrong, worst first: sure and wrong, wrong, abstained on though L1 is in view."""
    failed = [
        one
        for one in outcomes
        if (one.answered and (not one.case.shows_l1 or not one.all_right)) or (one.case.shows_l1 and not one.answered)
    ]
    failed.sort(key=lambda one: (not one.answered, -one.confident_wrong, one.case.name))
    return failed[:most]


def best(outcomes: Sequence[Outcome], most: int = 12) -> list[Outcome]:
    """Answered series with every level right, L1 the most exact first."""
    good = [one for one in outcomes if one.answered and one.all_right and one.level_mm is not None]
    return sorted(good, key=lambda one: -one.dice.get("L1", 0.0))[:most]


def tile(one: Outcome) -> Image.Image:
    """One series with both sets of names and a caption."""
    picture = Image.new("RGB", (TILE[0], TILE[1] + CAPTION), "black")
    scan = one.case.scan()
    section, heights, middle = sagittal(one.case, scan)
    scale = min(TILE[1] / max(len(section), 1), TILE[0] / section.shape[1])
    grey = np.clip((section - WINDOW_HU[0]) / (WINDOW_HU[1] - WINDOW_HU[0]) * 255, 0, 255).astype(np.uint8)
    size = max(1, round(section.shape[1] * scale)), max(1, round(len(section) * scale))
    picture.paste(Image.fromarray(grey).convert("RGB").resize(size), (0, 0))
    draw = ImageDraw.Draw(picture)

    def at(place: NDArray[np.float64]) -> tuple[float, float]:
        y_mm = float(np.interp(place[2], heights[::-1], middle[::-1]))
        return (place[1] - y_mm + DEPTH_MM / 2) * scale, (heights[0] - place[2]) * scale

    for level, body in one.case.bodies.items():
        x, y = at(body.centre_mm)
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], outline=TRUTH)
        draw.text((4, y - 5), level if body.whole else f"({level})", fill=TRUTH)
    for found in one.findings.vertebrae:
        if found.centre_mm is None:
            continue
        place = np.array(found.centre_mm)
        x, y = at(place)
        colour = SAID if vertebra_at(place, one.case.bodies) == found.level else WRONG
        draw.line([x - 4, y, x + 4, y], fill=colour)
        draw.line([x, y - 4, x, y + 4], fill=colour)
        draw.text((size[0] - 62, y - 5), f"{found.level} {found.probability:.2f}", fill=colour)
    draw.text((4, TILE[1] + 2), _caption(one), fill="white")
    return picture


def sagittal(case: Case, scan: Scan) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """A section along the bodies' middles, 1 mm a pixel ``[down, back]``; z and y mm of each row's middle."""
    slices = Slices.of(scan.stack)
    low, high = slices.bounds_mm()
    heights = np.arange(high[2], low[2], -1.0)
    centres = np.array([body.centre_mm for body in case.bodies.values()]).reshape(-1, 3)
    if not len(centres):
        centres = ((low + high) / 2)[None]
    order = np.argsort(centres[:, 2])
    x, y = (np.interp(heights, centres[order, 2], centres[order, axis]) for axis in (0, 1))
    back = np.arange(-DEPTH_MM / 2, DEPTH_MM / 2)
    points = np.stack(
        [
            np.repeat(x[:, None], len(back), 1),
            y[:, None] + back[None],
            np.repeat(heights[:, None], len(back), 1),
        ],
        -1,
    )
    index = slices.of_points(points)
    inside = np.isfinite(index[..., 0])
    volume = np.stack([scan.stack.pixels(one) for one in slices.indices])
    where = np.moveaxis(np.nan_to_num(index), -1, 0)
    values = map_coordinates(volume, where, order=1, mode="constant", cval=-1000.0)
    return np.where(inside, values, -1000.0).astype(np.float32), heights, y


def _caption(one: Outcome) -> str:
    said = "answered" if one.answered else f"abstained: {one.reason}"
    wrong = [level for level, right in one.right.items() if not right]
    l1 = "no L1 said" if one.level_mm is None else f"L1 {one.level_mm:.1f} mm off, Dice {one.dice.get('L1', 0.0):.2f}"
    lines = [
        one.case.name[:46],
        f"{one.case.region}, {one.case.anatomy}"[:48],
        f"{said}; {len(wrong)} of {len(one.right)} levels not right",
        l1,
    ]
    return "\n".join(lines)
