"""A small picture of a film with its truth drawn on it, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from numbering.phantom.old.truth import TrueImage

HEIGHT = 1200
CORNERS, LOWEST, BOX = (90, 200, 255), (255, 170, 60), (110, 110, 160)


def save(pixels: NDArray[np.uint16], image: TrueImage, path: Path) -> Path:
    """Draw corners, boxes and names over ``pixels[row, column]``, at most 1200 rows high, as PNG."""
    low, high = np.percentile(pixels[::4, ::4], [0.5, 99.5])
    grey = (np.clip((pixels - low) / max(high - low, 1), 0, 1) * 255).astype(np.uint8)
    scale = min(1.0, HEIGHT / image.rows)
    size = round(image.columns * scale), round(image.rows * scale)
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for vertebra in image.vertebrae:
        colour = LOWEST if vertebra.lowest_lumbar else CORNERS
        corners = [((x + 0.5) * scale, (y + 0.5) * scale) for x, y in vertebra.corners]
        draw.rectangle([(value + 0.5) * scale for value in vertebra.box], outline=BOX)
        draw.polygon(corners, outline=colour)
        draw.text((corners[1][0] + 14, corners[1][1]), vertebra.level, fill=colour)
    picture.save(path)
    return path
