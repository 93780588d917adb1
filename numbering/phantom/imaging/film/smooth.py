"""Smoothing of images ``[row, column]`` in torch: Gaussian blur, enlargement, smooth noise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from numbering.phantom.imaging.film.geometry import Array


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian of ``sigma`` pixels; wide ones on a smaller copy, for a wide blur needs no fine grid."""
    if sigma < 0.15:
        return image
    if sigma > 6:
        factor = int(sigma // 3)
        rows, columns = image.shape
        size = (max(2, -(-rows // factor)), max(2, -(-columns // factor)))
        small = functional.interpolate(image[None, None], size=size, mode="area")[0, 0]
        return resized(_separable(small, sigma / factor), rows, columns)
    return _separable(image, sigma)


def _separable(image: Tensor, sigma: float) -> Tensor:
    kernel = _gaussian(sigma)
    return _along(_along(image, kernel, 0, 1), kernel, 1, 1)


def halved(image: Tensor, sigma: float) -> Tensor:
    """Every second pixel's neighbourhood: `blur` and the mean of 2 × 2 pixels, sides rounded up."""
    kernel = np.convolve(_gaussian(sigma), [0.5, 0.5])
    return _along(_along(image, kernel, 0, 2), kernel, 1, 2)


def _gaussian(sigma: float) -> Array:
    """Weights of an odd number of pixels."""
    if sigma < 0.7:  # sampled, so narrow a Gaussian would be too narrow still: three weights of its variance
        return np.array([sigma**2 / 2, 1 - sigma**2, sigma**2 / 2])
    radius = int(3 * sigma + 0.5)
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    return np.asarray(kernel / kernel.sum())


def _along(image: Tensor, kernel: Array, axis: int, step: int) -> Tensor:
    """Weighed sums of neighbours, every ``step``-th; the edge is repeated. Adding shifted images takes a processor a
    tenth of what a convolution does."""
    before = (len(kernel) - 1) // 2
    after = len(kernel) - 1 - before + (step - 1)
    sides = (0, 0, before, after) if axis == 0 else (before, after, 0, 0)
    wide = functional.pad(image[None, None], sides, mode="replicate")[0, 0]
    count = -(-image.shape[axis] // step)
    found = torch.zeros(1)
    for index, weight in enumerate(kernel):
        ends = slice(index, index + (count - 1) * step + 1, step)
        part = wide[ends] if axis == 0 else wide[:, ends]
        found = found.add_(part, alpha=float(weight)) if index else part * float(weight)
    return found


def resized(image: Tensor, rows: int, columns: int, mode: str = "bilinear") -> Tensor:
    """The same field in ``rows`` × ``columns`` pixels."""
    return functional.interpolate(image[None, None], size=(rows, columns), mode=mode, align_corners=False)[0, 0]


def enlarged(image: Tensor, factor: int, rows: int, columns: int) -> Tensor:
    """Each cell as ``factor`` × ``factor`` pixels, cubic between them; the first ``rows`` × ``columns`` of it."""
    if factor > 1:
        size = (image.shape[0] * factor, image.shape[1] * factor)
        # `antialias` changes nothing where an image grows, but takes rows and columns one after the other.
        image = functional.interpolate(image[None, None], size=size, mode="bicubic", antialias=True)[0, 0]
    return image[:rows, :columns]


def noise_volume(shape: tuple[int, int, int], cell: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """Smooth noise of about unit variance ``shape``, uneven over ``cell`` voxels along each axis."""
    size = [max(2, round(n / c) + 1) for n, c in zip(shape, cell, strict=True)]
    coarse = torch.randn((1, 1, *size), generator=generator, device=generator.device)
    # Trilinear interpolation between unit normals keeps about 0.3 of their variance.
    return functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0] * 1.8
