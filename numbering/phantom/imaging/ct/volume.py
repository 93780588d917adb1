"""A CT as made: HU, labels and where its voxels lie, in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.pose import Array


@dataclass(frozen=True)
class CtVolume:
    """``hu`` int16 and ``labels`` uint8 ``[slice, row, column]``; ``affine`` index → mm LPS in the study's frame.

    ``origin_mm`` takes the phantom's patient frame to the study's: study = patient + origin. Slice 0 is the first of
    the series. Labels are those of the scene at the voxels' centres, 0 outside the scanner's field.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: Array
    origin_mm: Array
    protocol: Protocol

    def index(self, points: Array) -> Array:
        """Slice, row, column ``(n, 3)`` of points ``(n, 3)`` mm of the study's frame."""
        return np.asarray((points - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T)

    def inside(self, points: Array, margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Whether the image shows these points ``(n, 3)`` mm, at least so far from its border."""
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        index, margin = self.index(points), margin_mm / spacing - 0.5
        last = np.array(self.hu.shape) - 1
        return np.asarray(((index >= margin) & (index <= last - margin)).all(1))
