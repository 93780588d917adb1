"""How far apart the pixels of an image are, as far as its header can be believed."""

from __future__ import annotations

import math

from pydicom.dataset import Dataset

from numbering.dicom.broken import BROKEN_DICOM

PAIRS = ("PixelSpacing", "ImagerPixelSpacing")
"""In this order: the first is at the patient or calibrated, the second at the detector."""


def pixel_spacing(ds: Dataset) -> tuple[float, float] | None:
    """Row spacing, column spacing in mm, wherever they hold; None where the header holds no two positive numbers."""
    return next(filter(None, (two_lengths(ds, keyword) for keyword in PAIRS)), None)


def two_lengths(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    """The two lengths of an element; None unless they are positive numbers: a result must reach its reader anyway."""
    try:
        rows, columns = (float(value) for value in ds.get(keyword) or ())
    except BROKEN_DICOM:
        return None
    return (rows, columns) if all(math.isfinite(value) and value > 0 for value in (rows, columns)) else None
