"""Lead letters in the beam, rulers, and words that software burns in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from numbering.phantom.imaging.film.geometry import Beam
from numbering.phantom.imaging.film.position import View

Mask = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mark:
    """``value`` ``(rows, columns)`` on a film from this row and column on; 0 around it."""

    row: int
    column: int
    value: Mask


EDGE = 4
"""Pixels around a mark, over which its edge is blurred."""

WORDS: dict[View, tuple[str, ...]] = {
    "AP": ("AP", "STANDING", "ERECT", "STEHEND", "DEBOUT", "A.P.", "DE PIE"),
    "lateral": ("LAT", "ERECT", "SEITL.", "PROFIL", "STANDING", "LL"),
}


def letters(text: str, height_px: int, *, framed: bool = False) -> Mask:
    """A word 0…1 ``(rows, columns)``, in a frame where asked for."""
    font = ImageFont.load_default(size=max(6, height_px))
    left, top, right, bottom = font.getbbox(text)
    pad = max(2, height_px // 5) if framed else 1
    picture = Image.new("L", (int(right - left) + 2 * pad, int(bottom - top) + 2 * pad))
    draw = ImageDraw.Draw(picture)
    draw.text((pad - left, pad - top), text, fill=255, font=font)
    if framed:
        draw.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=255, width=max(1, pad // 2))
    return np.asarray(picture, np.float32) / np.float32(255)


def lead(view: View, beam: Beam, rng: np.random.Generator) -> Mark | None:
    """The side marker as mm of lead-like metal on the detector; None where it was forgotten.

    On an AP film it says L or R on that side of the patient; on a lateral film the side at the detector.
    """
    if rng.random() < 0.1:
        return None
    if view == "AP":
        side = "R" if rng.random() < 0.55 else "L"
        right_on_left = beam.across[0] > 0
        on_left = (side == "R") == right_on_left
    else:
        side = "L" if beam.normal[0] > 0 else "R"
        on_left = bool(rng.random() < 0.5)
    if rng.random() < 0.15:
        side = {"L": "LT", "R": "RT"}[side]
    mark = letters(side, round(rng.uniform(11, 20) / beam.pitch), framed=bool(rng.random() < 0.3))
    if rng.random() < 0.4:
        tilted = Image.fromarray((mark * 255).astype(np.uint8)).rotate(
            float(rng.normal(0, 12)), expand=True, resample=Image.Resampling.BILINEAR
        )
        mark = np.asarray(tilted, np.float32) / np.float32(255)
    inset = rng.uniform(12, 40) / beam.pitch
    row = int(rng.uniform(0.04, 0.85) * beam.rows)
    column = int(inset if on_left else beam.columns - inset - mark.shape[1])
    return _laid(mark * np.float32(12.0), row, column, beam)


def burned_in(view: View, beam: Beam, rng: np.random.Generator) -> Mark | None:
    """A word that the workstation wrote over the picture, 0…1; None on most films."""
    if rng.random() > 0.25:
        return None
    words = WORDS[view]
    mark = letters(words[int(rng.integers(len(words)))], round(rng.uniform(7, 14) / beam.pitch))
    row = int(rng.choice([0.02, 0.93]) * beam.rows)
    column = int(rng.choice([0.03, 0.75]) * beam.columns)
    return _laid(mark, row, column, beam)


def _laid(mask: Mask, row: int, column: int, beam: Beam) -> Mark | None:
    """A mask with an empty edge around it, cut at the film's edges."""
    value, row, column = np.pad(mask, EDGE), row - EDGE, column - EDGE
    top, left = max(row, 0), max(column, 0)
    value = value[top - row : max(beam.rows - row, 0), left - column : max(beam.columns - column, 0)]
    return Mark(top, left, np.ascontiguousarray(value)) if value.size else None
