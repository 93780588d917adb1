"""Where an image lies in space: between patient coordinates (mm, DICOM LPS) and image coordinates (x right, y down)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from numbering.result import Frozen

Mm = tuple[float, float, float]
"""A point or a direction, mm LPS."""
Spacing = Annotated[float, Field(gt=0)]


class Plane(Frozen):
    """The image plane of one image or frame (PS3.3 C.7.6.2.1.1).

    ``origin_mm``: centre of the first pixel (Image Position). ``along_row`` and ``along_column``: unit vectors of
    growing x and y (Image Orientation). ``spacing_mm``: (row, column) as in Pixel Spacing. ``thickness_mm``: of the
    slice.
    """

    origin_mm: Mm
    along_row: Mm
    along_column: Mm
    spacing_mm: tuple[Spacing, Spacing]
    thickness_mm: Annotated[float, Field(ge=0)] = 0.0
    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _spans_a_plane(self) -> Plane:
        row, column = np.array(self.along_row), np.array(self.along_column)
        if not np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-3):
            raise ValueError("along_row and along_column: expected unit vectors at a right angle")
        return self

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the plane."""
        return np.cross(self.along_row, self.along_column)

    def seen(self, point: Mm) -> tuple[float, float, float]:
        """x and y of the point's projection, and how far the point lies from the plane, mm."""
        offset = np.subtract(point, self.origin_mm)
        between_rows, between_columns = self.spacing_mm
        x = float(offset @ np.array(self.along_row)) / between_columns
        y = float(offset @ np.array(self.along_column)) / between_rows
        return x, y, float(offset @ self.normal)

    def point(self, x: float, y: float) -> Mm:
        """Where in space this point of the image lies."""
        between_rows, between_columns = self.spacing_mm
        along = np.array(self.along_row) * (x * between_columns) + np.array(self.along_column) * (y * between_rows)
        right, back, up = np.array(self.origin_mm) + along
        return float(right), float(back), float(up)

    def shows(self, x: float, y: float) -> bool:
        """Whether the image has a pixel there."""
        return -0.5 <= x <= self.columns - 0.5 and -0.5 <= y <= self.rows - 0.5
