"""Every slice of a stack through the network: calibrated probabilities, and what each spoke for on the slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.packed import HeatMap
from numbering.pipelines.axial_mr.canvas import Placement, lay
from numbering.pipelines.axial_mr.classes import CLASSES, NONE
from numbering.pipelines.axial_mr.model.heat import grad_cam
from numbering.pipelines.axial_mr.model.runtime import Network
from numbering.pipelines.axial_mr.model.temperature import log_probabilities
from numbering.pipelines.axial_mr.reading.course import across_the_spine
from numbering.stack import Stack

Array = NDArray[np.float64]

AT_ONCE = 16
"""Slices that are held as pictures together."""


@dataclass(frozen=True, eq=False)
class Look:
    """``log_probabilities`` ``(n, 6)`` of the classes of each slice; ``maps`` ``(n, 6, h, w)`` over its picture.

    A slice that does not lie across the spine is ``none`` without being looked at.
    """

    log_probabilities: Array
    maps: NDArray[np.float32]
    placements: tuple[Placement | None, ...]

    def top(self, count: int) -> NDArray[np.intp]:
        """The likeliest classes ``(n, count)`` of each slice by itself, likeliest first: what the paper scores."""
        return np.argsort(-self.log_probabilities, axis=1, kind="stable")[:, :count]

    def heat_map(self, stack: Stack, index: int, level: str, position: int) -> HeatMap | None:
        """Where on a slice the evidence for this position lay; None where nothing on it spoke for that."""
        placement = self.placements[index]
        (heat,) = grad_cam(self.maps[index : index + 1], np.array([position]))
        if placement is None or not heat.any():
            return None
        plane = stack.planes[index]
        return HeatMap.of(level, (plane.sop_instance_uid, plane.frame), placement.box, placement.as_stored(heat))


def look(stack: Stack, network: Network, temperature: float) -> Look:
    """Show the network every slice that lies across the spine, a few at once."""
    wanted = [index for index, plane in enumerate(stack.planes) if across_the_spine(plane)]
    placements: list[Placement | None] = [None] * len(stack)
    said = np.full((len(stack), len(CLASSES)), -np.inf)
    said[:, NONE] = 0.0
    maps: NDArray[np.float32] | None = None
    for first in range(0, len(wanted), AT_ONCE):
        chosen = wanted[first : first + AT_ONCE]
        pictures = []
        for index in chosen:
            picture, placements[index] = _picture(stack, index, network)
            pictures.append(picture)
        seen = network.slices(np.stack(pictures))
        said[chosen] = log_probabilities(seen.logits, temperature)
        if maps is None:
            maps = np.zeros((len(stack), *seen.maps.shape[1:]), np.float32)
        maps[chosen] = seen.maps
    if maps is None:
        maps = np.zeros((len(stack), len(CLASSES), 1, 1), np.float32)
    return Look(said, maps, tuple(placements))


def _picture(stack: Stack, index: int, network: Network) -> tuple[NDArray[np.float32], Placement]:
    plane = stack.planes[index]
    return lay(
        stack.pixels(index),
        plane.spacing_mm,
        network.size.pixels,
        network.size.field_mm,
        plane.row_direction,
        plane.column_direction,
    )
