"""Where an image lies in space: between patient coordinates (mm, DICOM LPS) and image coordinates (x right, y down)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from numbering.frozen import Frozen

Mm = tuple[float, float, float]
"""A point or a direction, mm LPS."""
Spacing = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SQUARE = 1e-3
"""How far the directions of a header may be from unit vectors at a right angle."""


class Plane(Frozen):
    """One image, or one frame of it, and the plane that it lies in (PS3.3 C.7.6.2.1.1).

    ``position_mm``: centre of the first pixel (Image Position). ``row_direction`` and ``column_direction``: unit
    vectors along a row, towards growing x, and down a column, towards growing y (Image Orientation). ``spacing_mm``:
    (row, column) as in Pixel Spacing. ``thickness_mm``: of the slice, 0 where the header does not say. ``frame``:
    from 1, None for an object of one image.
    """

    sop_instance_uid: str
    frame: Annotated[int, Field(ge=1)] | None = None
    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]
    position_mm: Mm
    row_direction: Mm
    column_direction: Mm
    spacing_mm: tuple[Spacing, Spacing]
    thickness_mm: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _spans_a_plane(self) -> Plane:
        row, column = np.array(self.row_direction), np.array(self.column_direction)
        if not np.isfinite(self.position_mm).all():
            raise ValueError("position_mm: expected finite numbers")
        if not np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=SQUARE):
            raise ValueError("row_direction and column_direction: expected unit vectors at a right angle")
        return self

    @property
    def name(self) -> str:
        """``UID`` or ``UID#frame``: how messages name it."""
        return self.sop_instance_uid if self.frame is None else f"{self.sop_instance_uid}#{self.frame}"

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the plane: along a row × down a column."""
        (a, b, c), (d, e, f) = self.row_direction, self.column_direction
        return np.array([b * f - c * e, c * d - a * f, a * e - b * d])

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """The middle of the image."""
        return self.to_mm(((self.columns - 1) / 2, (self.rows - 1) / 2))

    @property
    def steps_mm(self) -> NDArray[np.float64]:
        """``(2, 3)``: from one pixel to the next in x, and in y."""
        between_rows, between_columns = self.spacing_mm
        return np.array([self.row_direction, self.column_direction]) * [[between_columns], [between_rows]]

    def to_mm(self, xy: ArrayLike) -> NDArray[np.float64]:
        """Where in space points ``(…, 2)`` of the image lie: ``(…, 3)`` mm."""
        points: NDArray[np.float64] = np.asarray(xy, float) @ self.steps_mm + np.array(self.position_mm)
        return points

    def to_pixel(self, mm: ArrayLike) -> NDArray[np.float64]:
        """x and y ``(…, 2)`` of points ``(…, 3)`` mm, projected across the plane."""
        steps = self.steps_mm
        offset = np.asarray(mm, float) - np.array(self.position_mm)
        xy: NDArray[np.float64] = offset @ (steps / (steps**2).sum(1, keepdims=True)).T
        return xy

    def off_mm(self, mm: ArrayLike) -> NDArray[np.float64]:
        """How far points ``(…, 3)`` mm lie from the plane ``(…)``, positive towards its normal."""
        off: NDArray[np.float64] = (np.asarray(mm, float) - np.array(self.position_mm)) @ self.normal
        return off

    def shows(self, xy: ArrayLike) -> NDArray[np.bool_]:
        """Whether the image has a pixel at points ``(…, 2)`` of it."""
        xy = np.asarray(xy, float)
        return np.asarray(((xy >= -0.5) & (xy <= [self.columns - 0.5, self.rows - 0.5])).all(-1))
