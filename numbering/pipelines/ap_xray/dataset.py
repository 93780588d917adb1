"""Crops of labelled films as a YOLO data set, with the variety that films and detectors have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from numbering.pipelines.ap_xray.films import Crop, Film, crop_without_l5, labels_in, lumbar_crop, whole_film
from numbering.pipelines.films import resize, window_to_grey

SMALLEST_CROP = 32
"""Crops with a side shorter than this many pixels teach nothing."""


def write_yolo(
    films: list[Film], out: Path, classes: tuple[str, ...], image_size: int, split: str, crops: int, seed: int
) -> None:
    """Write ``crops`` pictures a film to ``out/images/<split>`` and their boxes to ``out/labels/<split>``.

    One whole film, one crop without L5, lumbar crops for the rest (and another of both when there are many). Only the
    ``train`` split is varied in exposure, noise and sharpness.
    """
    for folder in ("images", "labels"):
        (out / folder / split).mkdir(parents=True, exist_ok=True)
    makers = [whole_film, crop_without_l5, *[lumbar_crop] * crops][:crops]
    if crops > 5:
        makers[-2:] = whole_film, crop_without_l5
    for number, film in enumerate(films):
        pixels = film.pixels()
        rng = np.random.default_rng([seed, number])
        for index, maker in enumerate(makers):
            crop = maker(film, pixels.shape, rng)
            if min(crop.right - crop.left, crop.bottom - crop.top) < SMALLEST_CROP:
                continue
            grey = _shrunk(crop.of(pixels), image_size)
            stem = f"{number:04d}_{index}"
            picture = vary(grey, rng) if split == "train" else grey
            Image.fromarray(picture).save(out / "images" / split / f"{stem}.png")
            (out / "labels" / split / f"{stem}.txt").write_text(_label(film, crop, classes))


def _shrunk(region: NDArray[np.float32], image_size: int) -> NDArray[np.uint8]:
    height, width = region.shape
    scale = image_size / max(height, width)
    return resize(window_to_grey(region), max(1, round(width * scale)), max(1, round(height * scale)))


def _label(film: Film, crop: Crop, classes: tuple[str, ...]) -> str:
    """Lines ``class x y width height`` as fractions of the crop."""
    boxes, is_l5 = labels_in(film, crop)
    fractions = boxes / ([crop.right - crop.left, crop.bottom - crop.top] * 2)
    lines = []
    for box, l5 in zip(fractions, is_l5, strict=True):
        name = "L5" if l5 else "vertebra"
        if name in classes:
            numbers = (*(box[:2] + box[2:]) / 2, *(box[2:] - box[:2]))
            lines.append(" ".join([str(classes.index(name)), *(f"{value:.6f}" for value in numbers)]))
    return "\n".join(lines)


def vary(grey: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Exposure, sharpness, burned-in letters, metal, noise, shutters: what differs between films and detectors."""
    curve = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.35))
    image = Image.fromarray((curve * 255).astype(np.uint8)[grey])
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    elif rng.random() < 0.3:
        image = image.filter(ImageFilter.UnsharpMask(2, int(rng.uniform(50, 200))))
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.2:
        at = (rng.uniform(0, image.width * 0.8), rng.uniform(0, image.height * 0.9))
        draw.text(at, str(rng.choice(["L", "R", "AP", "PA", "ERECT", "STANDING"])), fill=int(rng.integers(200, 256)))
    if rng.random() < 0.08:
        _rods(draw, image.size, rng)
    values = np.asarray(image, np.float64)
    if rng.random() < 0.5:
        values = values + rng.normal(0, rng.uniform(2, 10), values.shape)
    if rng.random() < 0.15:  # shutters that the collimation finder missed
        side = int(rng.uniform(0.02, 0.08) * values.shape[1])
        values[:, :side] = values[:, values.shape[1] - side :] = rng.choice([0, 255])
    return np.clip(values, 0, 255).astype(np.uint8)


def _rods(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    """Two rods beside the midline."""
    x, y, length = rng.uniform(0.3, 0.7) * size[0], rng.uniform(0.1, 0.6) * size[1], 0.3 * size[1]
    for offset in (0.0, rng.uniform(8, 24)):
        foot = (x + offset + rng.normal(0, 5), y + length)
        draw.line([(x + offset, y), foot], fill=250, width=int(rng.integers(2, 5)))
