"""Perspective projection of clouds, fields and bubbles onto a flat detector behind the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from numbering.phantom.old.matter import WATER, Array, Cloud
from numbering.phantom.old.tissue import Gas, SoftTissue

Film = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Beam:
    """An AP exposure: the source in front of the patient (negative y), the detector behind, both mm.

    ``left`` and ``top`` are x and z of the detector's outer upper-left corner in the detector plane; columns run
    towards the patient's left, rows towards the feet.
    """

    source: tuple[float, float, float]
    detector_y: float
    left: float
    top: float
    pitch: float
    rows: int
    columns: int

    @property
    def distance(self) -> float:
        """Source to detector, mm."""
        return self.detector_y - self.source[1]

    def magnification(self, y: Array) -> Array:
        """How much larger than life something at this depth appears."""
        return np.asarray(self.distance / (y - self.source[1]))

    def project(self, points: Array) -> Array:
        """Patient points ``(n, 3)`` to image points ``(n, 2)`` x, y; pixel centres at integers."""
        m = self.magnification(points[:, 1])
        across = self.source[0] + (points[:, 0] - self.source[0]) * m
        up = self.source[2] + (points[:, 2] - self.source[2]) * m
        return np.column_stack([(across - self.left) / self.pitch - 0.5, (self.top - up) / self.pitch - 0.5])

    def cloud(self, cloud: Cloud) -> Film:
        """Line integrals of a cloud's attenuation, ``[row, column]``, each point spread over four pixels."""
        at = self.project(cloud.points)
        weight = cloud.mass * self.magnification(cloud.points[:, 1]) ** 2 / self.pitch**2
        inside = (at[:, 0] > 0) & (at[:, 0] < self.columns - 1) & (at[:, 1] > 0) & (at[:, 1] < self.rows - 1)
        at, weight = at[inside], weight[inside]
        low = at.astype(np.intp)
        right, down = (at - low).T
        index = low[:, 1] * self.columns + low[:, 0]
        total = np.zeros(self.rows * self.columns)
        for step, share in (
            (0, (1 - right) * (1 - down)),
            (1, right * (1 - down)),
            (self.columns, (1 - right) * down),
            (self.columns + 1, right * down),
        ):
            total += np.bincount(index + step, weight * share, minlength=total.size)
        return total.reshape(self.rows, self.columns).astype(np.float32)

    def tissue(self, soft: SoftTissue, cell: float = 1.6, step: float = 5.0) -> Film:
        """Line integrals of soft tissue, sampled every ``step`` mm of depth on a grid of ``cell`` mm, then refined."""
        rows, columns = (max(2, round(n * self.pitch / cell)) for n in (self.rows, self.columns))
        across = self.left + (np.arange(columns, dtype=np.float32) + 0.5) * self.columns * self.pitch / columns
        up = self.top - (np.arange(rows, dtype=np.float32) + 0.5) * self.rows * self.pitch / rows
        total = np.zeros((rows, columns), np.float32)
        for y in np.arange(-230, self.detector_y - 5, step, dtype=np.float32):
            m = float(self.magnification(np.array(y)))
            x, z = self.source[0] + (across - self.source[0]) / m, self.source[2] + (up - self.source[2]) / m
            total += soft.attenuation(x[None, :].astype(np.float32), np.full((1, 1), y), z[:, None].astype(np.float32))
        slant = np.hypot(
            1, np.hypot(*np.meshgrid((across - self.source[0]) / self.distance, (up - self.source[2]) / self.distance))
        )
        fine = zoom(
            total * slant * step, (self.rows / rows, self.columns / columns), order=1, grid_mode=True, mode="nearest"
        )
        return np.asarray(fine[: self.rows, : self.columns], np.float32)

    def gas(self, bubbles: list[Gas]) -> Film:
        """What bubbles take away from soft tissue (negative line integrals); overlapping ones do not add up."""
        total = np.zeros((self.rows, self.columns), np.float32)
        for bubble in bubbles:
            (x, y), (across, deep, tall) = self.project(np.array([bubble.centre]))[0], bubble.radii
            scale = float(self.magnification(np.array(bubble.centre[1]))) / self.pitch
            reach = max(across, tall) * scale
            x0, x1 = (int(np.clip(v, 0, self.columns)) for v in (x - reach, x + reach + 1))
            y0, y1 = (int(np.clip(v, 0, self.rows)) for v in (y - reach, y + reach + 1))
            dy, dx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
            dx, dy = dx - x, dy - y
            c, s = np.cos(np.radians(bubble.slant)), np.sin(np.radians(bubble.slant))
            shape = ((dx * c + dy * s) / (across * scale)) ** 2 + ((dy * c - dx * s) / (tall * scale)) ** 2
            chord = 2 * deep * WATER * np.sqrt(np.clip(1 - shape, 0, None))
            total[y0:y1, x0:x1] = np.minimum(total[y0:y1, x0:x1], -chord)
        return total
