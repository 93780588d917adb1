"""Smoothing of images ``[row, column]`` in torch: Gaussian blur, enlargement, smooth noise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
    radius = max(1, int(3 * sigma + 0.5))
    at = torch.arange(-radius, radius + 1, dtype=torch.float32, device=image.device)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    found = image[None, None]
    for shape, pad in (((1, 1, -1, 1), (0, 0, radius, radius)), ((1, 1, 1, -1), (radius, radius, 0, 0))):
        found = functional.conv2d(functional.pad(found, pad, mode="replicate"), kernel.view(shape))
    return found[0, 0]


def resized(image: Tensor, rows: int, columns: int, mode: str = "bilinear") -> Tensor:
    """The same field in ``rows`` × ``columns`` pixels."""
    return functional.interpolate(image[None, None], size=(rows, columns), mode=mode, align_corners=False)[0, 0]


def enlarged(image: Tensor, factor: int, rows: int, columns: int) -> Tensor:
    """Each cell as ``factor`` × ``factor`` pixels, cubic between them; the first ``rows`` × ``columns`` of it."""
    if factor > 1:
        image = functional.interpolate(image[None, None], scale_factor=factor, mode="bicubic", align_corners=False)[
            0, 0
        ]
    return image[:rows, :columns]


def noise_volume(shape: tuple[int, int, int], cell: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """Smooth noise of about unit variance ``shape``, uneven over ``cell`` voxels along each axis."""
    size = [max(2, round(n / c) + 1) for n, c in zip(shape, cell, strict=True)]
    coarse = torch.randn((1, 1, *size), generator=generator, device=generator.device)
    # Trilinear interpolation between unit normals keeps about 0.3 of their variance.
    return functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0] * 1.8
