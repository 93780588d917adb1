"""Random regions of films, turned, bent, mirrored and developed otherwise, picture and points alike (torchvision).

Caudal crops keep the sacrum from being simply the last vertebra (Cina 2021, Methods: Step I). Elastic displacements are
drawn on a coarse grid, which is quick. Pictures ``(1, rows, columns)`` are float 0…1; points ``(n, 2)`` x, y in pixels,
pixel centres at integers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from numbering.pipelines.cpu_torchvision import prepare_torchvision
from numbering.pipelines.sagittal_xray.learning.dataset import LabelledFilm

Region = tuple[float, float, float, float]
FEWEST = 3
"""Vertebrae that stay in view in a crop (the paper's condition)."""
CAUDAL_SHARE, CRANIAL_SHARE, WHOLE_SHARE = 0.4, 0.35, 0.3
DEGREES, SHIFT, SCALE, SHEAR = 8.0, 0.04, (0.88, 1.1), 3.0
ELASTIC_SHARE, ELASTIC_CELLS, ELASTIC = 0.4, 7, 0.008
"""How often a picture is bent, by how many knots along a side, and how far (share of a side, SD)."""


def random_region(
    film: LabelledFilm, opened: tuple[int, int, int, int], shape: float, rng: np.random.Generator, caudal: bool = True
) -> Region:
    """A region of a film, about ``shape`` times as tall as wide, with at least `FEWEST` vertebrae in it.

    ``opened`` is the film inside its shutters. ``caudal`` False leaves the lower end alone (an ablation).
    """
    left, top, right, bottom = (float(side) for side in opened)
    if rng.random() < WHOLE_SHARE:
        return _shaped(film, (left, top, right, bottom), shape, rng, whole=True)
    middles = np.array([body.corners.mean(0) for body in film.bodies])
    heights = np.sort(middles[(middles[:, 1] > top) & (middles[:, 1] < bottom)][:, 1])
    if len(heights) > FEWEST:
        step = float(np.median(np.diff(heights)))
        if rng.random() < CRANIAL_SHARE:
            top = max(top, float(heights[rng.integers(0, len(heights) - FEWEST)] - rng.uniform(0.2, 1.2) * step))
        if caudal and rng.random() < CAUDAL_SHARE:
            kept = heights[heights > top]
            lowest = kept[rng.integers(min(FEWEST, len(kept)) - 1, len(kept))]
            bottom = min(bottom, float(lowest + rng.uniform(0.3, 1.2) * step))
    return _shaped(film, (left, top, right, bottom), shape, rng, whole=False)


def _shaped(film: LabelledFilm, region: Region, shape: float, rng: np.random.Generator, *, whole: bool) -> Region:
    """Cut a region's sides, or its lower end where it is too narrow, until its shape is nearly the wanted one."""
    left, top, right, bottom = region
    stretch = float(np.exp(rng.uniform(-0.12, 0.12)))
    wanted = (bottom - top) / shape * stretch
    if wanted > right - left:
        return (left, top, right, bottom) if whole else region
    shown = np.concatenate([body.corners for body in film.bodies])
    shown = shown[(shown[:, 1] > top) & (shown[:, 1] < bottom)]
    first, last = (float(shown[:, 0].min()), float(shown[:, 0].max())) if len(shown) else (left, right)
    margin = 0.05 * wanted
    wanted = max(wanted, min(last - first + 2 * margin, right - left))
    lowest, highest = max(left, last + margin - wanted), min(right - wanted, first - margin)
    start = float(rng.uniform(lowest, highest)) if highest > lowest else max(left, min(right - wanted, lowest))
    return start, top, start + wanted, bottom


@cache
def _geometry() -> Any:
    prepare_torchvision()
    from torchvision.transforms import v2

    return v2.RandomAffine(DEGREES, (SHIFT, SHIFT), SCALE, SHEAR, interpolation=v2.InterpolationMode.BILINEAR)


def moved(picture: Tensor, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Turned, shifted, scaled, sheared, sometimes bent and mirrored."""
    prepare_torchvision()
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional as moves

    rows, columns = picture.shape[-2:]
    image, keys = tv_tensors.Image(picture), tv_tensors.KeyPoints(points, canvas_size=(rows, columns))
    image, keys = _geometry()(image, keys)
    if rng.random() < ELASTIC_SHARE:
        bend = _displacement(rows, columns, rng)
        image, keys = moves.elastic(image, bend), tv_tensors.wrap(_bent(keys.as_subclass(Tensor), bend), like=keys)
    if rng.random() < 0.5:
        image, keys = moves.horizontal_flip(image), moves.horizontal_flip(keys)
    return image.as_subclass(Tensor), keys.as_subclass(Tensor)


def _displacement(rows: int, columns: int, rng: np.random.Generator) -> Tensor:
    """Smooth displacements ``(1, rows, columns, 2)`` in the units of ``functional.elastic`` (a side is 2)."""
    coarse = torch.from_numpy(rng.normal(0, 1, (1, 2, ELASTIC_CELLS, ELASTIC_CELLS)).astype(np.float32))
    smooth = functional.interpolate(coarse, size=(rows, columns), mode="bicubic", align_corners=True)
    return smooth.permute(0, 2, 3, 1) * (2 * ELASTIC)


def _bent(points: Tensor, bend: Tensor) -> Tensor:
    """Where points ``(n, 2)`` come to lie: ``q`` with ``q + bend(q) = point``. torchvision's own rounds to pixels."""
    rows, columns = bend.shape[1:3]
    size, field = torch.tensor([columns, rows], dtype=points.dtype), bend.permute(0, 3, 1, 2)
    target = (2 * points + 1) / size - 1
    found = target
    for _ in range(4):
        found = target - functional.grid_sample(field, found[None, None], align_corners=False)[0, :, 0].T
    return ((found + 1) * size - 1) / 2


def developed(picture: Tensor, rng: np.random.Generator) -> Tensor:
    """Another tone curve, brightness, noise and sharpness; sometimes a part burnt out or black."""
    found = picture.clamp(0, 1) ** float(np.exp(rng.normal(0, 0.3)))
    found = (found - 0.5) * float(np.exp(rng.normal(0, 0.2))) + 0.5 + float(rng.normal(0, 0.06))
    if rng.random() < 0.3:
        smaller = functional.avg_pool2d(found[None], 2)
        blurred = functional.interpolate(smaller, size=found.shape[-2:], mode="bilinear")[0]
        found = found + float(rng.uniform(-0.6, 0.8)) * (found - blurred)
    if rng.random() < 0.5:
        noise = torch.from_numpy(rng.standard_normal(found.shape, dtype=np.float32))
        found = found + noise * float(rng.uniform(0.005, 0.05))
    return found.clamp(0, 1)


def resized(pixels: NDArray[np.uint8], region: Region, rows: int, columns: int) -> Tensor:
    """A region laid on a canvas as serving lays it (`preprocess`), ``(1, rows, columns)``."""
    from numbering.pipelines.sagittal_xray.model.preprocess import laid

    canvas, _ = laid(pixels.astype(np.float32), region, rows, columns)
    return torch.from_numpy(canvas)[None]
