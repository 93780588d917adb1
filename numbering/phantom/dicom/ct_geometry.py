"""How DICOM writes where a slice lies, from an affine (slice, row, column, 1) → mm LPS."""

from __future__ import annotations

import numpy as np

from numbering.phantom.pose import Array


def position_and_orientation(affine: Array) -> tuple[list[str], list[str]]:
    """ImagePositionPatient and ImageOrientationPatient (direction along a row first) as decimal strings."""
    along_row = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    down_column = affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    # Adding 0 makes -0 a plain 0.
    position = [f"{v + 0.0:.6f}"[:16] for v in np.round(affine[:3, 3], 6)]
    return position, [f"{v + 0.0:.8f}"[:16] for v in np.round((*along_row, *down_column), 8)]


def spacing(affine: Array) -> list[str]:
    """PixelSpacing: between rows, then between columns."""
    return [f"{np.linalg.norm(affine[:3, axis]):.8f}"[:16] for axis in (1, 2)]


def slice_distance_mm(affine: Array) -> float:
    """Distance of neighbouring slices along their normal."""
    normal = np.cross(affine[:3, 2], affine[:3, 1])
    return float(affine[:3, 0] @ normal / np.linalg.norm(normal))
