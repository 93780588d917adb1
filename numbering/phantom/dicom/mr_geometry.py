"""Where a simulated slice lies in its study's frame of reference, as DICOM writes it."""

from __future__ import annotations

import numpy as np

from numbering.phantom.imaging.mr.acquire import MrSlice
from numbering.phantom.pose import Array
from numbering.phantom.visits import Visit


def affine_in_scanner(visit: Visit, one: MrSlice) -> Array:
    """``(4, 4)``: (slice, row, column, 1) to mm, DICOM LPS of the study."""
    affine = one.affine.copy()
    affine[:3, 3] = visit.in_scanner(affine[None, :3, 3])[0]
    return affine


def position_and_orientation(affine: Array) -> tuple[list[str], list[str]]:
    """ImagePositionPatient and ImageOrientationPatient (direction along a row first) as decimal strings."""
    along_row = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    down_column = affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    return [f"{v:.6f}"[:16] for v in affine[:3, 3]], [f"{v:.8f}"[:16] for v in (*along_row, *down_column)]
