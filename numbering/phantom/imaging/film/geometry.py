"""A point source and a flat detector: where a point of the patient appears on the film, exactly.

Everything in mm in the patient frame of the phantom; the image's x grows along ``across`` and y along ``down``, pixel
centres at integers. How the patient stood (turned, tilted, off centre) is in the directions of the beam: nothing is
resampled for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Beam:
    """A cone beam onto a detector of ``rows`` × ``columns`` square pixels of ``pitch`` mm.

    ``corner`` is the outer corner of the first pixel; ``across`` and ``down`` are unit vectors along a row and down a
    column, square to each other.
    """

    source: Array
    corner: Array
    across: Array
    down: Array
    pitch: float
    rows: int
    columns: int

    @cached_property
    def normal(self) -> Array:
        """Unit vector from the source's side to the detector."""
        axis = np.cross(self.across, self.down)
        return np.asarray(axis if (self.corner - self.source) @ axis > 0 else -axis)

    @cached_property
    def distance(self) -> float:
        """Source to detector, square to it (SID)."""
        return float((self.corner - self.source) @ self.normal)

    @property
    def middle(self) -> Array:
        """Middle of the detector ``(3,)``."""
        half = self.pitch / 2
        return np.asarray(self.corner + self.across * self.columns * half + self.down * self.rows * half)

    def depth(self, points: Array) -> Array:
        """How far points ``(n, 3)`` lie from the source, square to the detector ``(n,)``."""
        return np.asarray((np.asarray(points) - self.source) @ self.normal)

    def magnification(self, points: Array) -> Array:
        """How much larger than life something at these points ``(n, 3)`` appears: SID over `depth`."""
        return self.distance / self.depth(points)

    def project(self, points: Array) -> Array:
        """Patient points ``(n, 3)`` to image points ``(n, 2)`` x, y; in front of the source only."""
        points = np.asarray(points, float).reshape(-1, 3)
        hit = self.source + (points - self.source) * self.magnification(points)[:, None] - self.corner
        return np.column_stack([hit @ self.across, hit @ self.down]) / self.pitch - 0.5

    def contains(self, points: Array) -> NDArray[np.bool_]:
        """Whether image points ``(n, 2)`` lie on the detector."""
        limit = np.array([self.columns, self.rows]) - 0.5
        return np.asarray(((points >= -0.5) & (points <= limit)).all(1))

    def mirrored(self) -> Beam:
        """The beam of the image flipped left to right (``pixels[:, ::-1]``)."""
        return replace(self, corner=self.corner + self.across * self.columns * self.pitch, across=-self.across)

    def turned(self) -> Beam:
        """The beam of the image turned by a quarter counter-clockwise (``np.rot90``)."""
        corner = self.corner + self.across * self.columns * self.pitch
        return replace(self, corner=corner, across=self.down, down=-self.across, rows=self.columns, columns=self.rows)

    def resampled(self, rows: int, columns: int) -> Beam:
        """The same field in other pixels; the pitch follows the rows (columns are cut or added at the far side)."""
        return replace(self, pitch=self.pitch * self.rows / rows, rows=rows, columns=columns)


def aimed(
    *,
    at: Array,
    across: Array,
    down: Array,
    towards: Array,
    distance: float,
    behind: float,
    shift: tuple[float, float],
    field_mm: tuple[float, float],
    pitch: float,
) -> Beam:
    """A beam whose central ray meets the middle of the detector.

    ``at`` is the point aimed at, ``behind`` mm in front of the detector; ``towards`` the direction from source to
    detector; ``shift`` moves tube and detector along ``across`` and ``down``; ``field_mm`` is height and width of the
    detector.
    """
    centre = at + across * shift[0] + down * shift[1]
    rows, columns = (max(8, round(side / pitch)) for side in field_mm)
    corner = centre + towards * behind - (across * columns + down * rows) * pitch / 2
    return Beam(
        source=np.asarray(centre - towards * (distance - behind)),
        corner=np.asarray(corner),
        across=np.asarray(across, float),
        down=np.asarray(down, float),
        pitch=pitch,
        rows=rows,
        columns=columns,
    )
