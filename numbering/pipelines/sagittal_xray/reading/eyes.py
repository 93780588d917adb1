"""What the networks see, in places on the film: canvases in, probabilities and corners with their spread out.

The rest of the pipeline works with `Eyes` alone and never with heat maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.sagittal_xray.model.heat import places, spreads
from numbering.pipelines.sagittal_xray.model.preprocess import Placement
from numbering.pipelines.sagittal_xray.model.runtime import Networks
from numbering.pipelines.sagittal_xray.sizes import Size

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Canvas:
    """A picture for a network, and where it lies on the upright film; ``turns`` is how the film was set upright."""

    pixels: NDArray[np.float32]
    placement: Placement
    mirrored: bool = False
    turns: int = 0

    def turned(self, turns: int, rows: int, columns: int) -> Canvas:
        """The canvas of the whole film, of ``rows`` × ``columns``, after so many quarter turns counter-clockwise."""
        placed = self.placement
        left, top = placed.left, placed.top
        right, bottom = left + placed.columns / placed.scale_x, top + placed.rows / placed.scale_y
        corner = {
            0: (left, top),
            1: (top, columns - right),
            2: (columns - right, rows - bottom),
            3: (rows - bottom, left),
        }[turns]
        pixels = np.ascontiguousarray(np.rot90(self.pixels, turns))
        scale = (placed.scale_x, placed.scale_y) if turns % 2 == 0 else (placed.scale_y, placed.scale_x)
        return Canvas(pixels, Placement(*corner, *scale, *pixels.shape), self.mirrored, turns)

    def mirror(self) -> Canvas:
        """The same flipped left to right."""
        return Canvas(np.ascontiguousarray(self.pixels[:, ::-1]), self.placement, not self.mirrored, self.turns)

    def to_film(self, points: Array) -> Array:
        """Points ``(…, 2)`` on this canvas, on the upright film."""
        points = np.asarray(points, float)
        if self.mirrored:
            points = points * [-1, 1] + [self.placement.columns - 1, 0]
        return self.placement.to_film(points)

    def to_canvas(self, points: Array) -> Array:
        """Points ``(…, 2)`` of the upright film, on this canvas."""
        points = self.placement.to_canvas(points)
        return points * [-1, 1] + [self.placement.columns - 1, 0] if self.mirrored else points

    def spread_on_film(self, covariance: Array) -> Array:
        """Covariances ``(…, 2, 2)`` in canvas pixels squared, in the film's."""
        side = np.array([(-1 if self.mirrored else 1) / self.placement.scale_x, 1 / self.placement.scale_y])
        return np.asarray(covariance * side[:, None] * side)


@dataclass(frozen=True, eq=False)
class WholeLook:
    """Step I of one canvas. ``presence`` ``(24,)`` are probabilities; ``corners`` ``(24, 4, 2)`` and their
    ``covariance`` ``(24, 4, 2, 2)`` are in pixels of the upright film and mean nothing for levels out of view."""

    presence: Array
    corners: Array
    covariance: Array


@dataclass(frozen=True, eq=False)
class CloserLook:
    """Step II of one crop: ``corners`` ``(4, 2)``, ``covariance`` ``(4, 2, 2)`` as above; logits of bearing ribs and of
    being the body of a vertebra (or the top of the sacrum)."""

    corners: Array
    covariance: Array
    rib: float
    body: float


class Eyes(Protocol):
    """The networks, asked about canvases that know where they lie."""

    size: Size

    def whole(self, canvases: Sequence[Canvas]) -> list[WholeLook]:
        """Step I; canvases may differ in shape."""
        ...

    def closer(self, canvases: Sequence[Canvas]) -> list[CloserLook]:
        """Step II; all canvases are crops of one shape."""
        ...


class NetworkEyes:
    """`Eyes` that are networks."""

    def __init__(self, networks: Networks) -> None:
        self.networks, self.size = networks, networks.size

    def whole(self, canvases: Sequence[Canvas]) -> list[WholeLook]:
        """See `Eyes`."""
        looks: dict[int, WholeLook] = {}
        for shape in dict.fromkeys(canvas.pixels.shape for canvas in canvases):
            same = [index for index, canvas in enumerate(canvases) if canvas.pixels.shape == shape]
            images = np.stack([canvases[index].pixels for index in same])
            logits, heat = self.networks.levels(images), self.networks.corners(images)
            for index, row, maps in zip(same, logits, heat, strict=True):
                corners, covariance = seen(canvases[index], maps)
                looks[index] = WholeLook(1 / (1 + np.exp(-row.astype(float))), corners, covariance)
        return [looks[index] for index in range(len(canvases))]

    def closer(self, canvases: Sequence[Canvas]) -> list[CloserLook]:
        """See `Eyes`."""
        if not canvases:
            return []
        refined = self.networks.refine(np.stack([canvas.pixels for canvas in canvases]))
        return [
            CloserLook(*seen(canvas, maps), rib=float(rib), body=float(body))
            for canvas, maps, rib, body in zip(canvases, refined.heat, refined.rib, refined.body, strict=True)
        ]


def seen(canvas: Canvas, heat: NDArray[np.float32]) -> tuple[Array, Array]:
    """Places ``(…, 2)`` and covariances ``(…, 2, 2)`` on the upright film of heat maps ``(…, h, w)`` over a canvas."""
    shape = canvas.pixels.shape[0], canvas.pixels.shape[1]
    return canvas.to_film(places(heat, shape)), canvas.spread_on_film(spreads(heat, shape))
