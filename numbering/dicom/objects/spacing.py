"""How far apart the pixels of a source image are, as far as its header can be believed."""

from __future__ import annotations

import math

from pydicom.dataset import Dataset

from numbering.dicom.broken import BROKEN_DICOM

KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing")
"""In this order: the first is at the patient or calibrated, the second at the detector."""


def pixel_spacing(source: Dataset) -> tuple[float, float] | None:
    """Row spacing, column spacing in mm; None where the header holds no two positive numbers."""
    return next(filter(None, (_two_lengths(source, keyword) for keyword in KEYWORDS)), None)


def _two_lengths(source: Dataset, keyword: str) -> tuple[float, float] | None:
    """A value that is no number is as good as none: the result must reach its reader all the same."""
    try:
        rows, columns = (float(value) for value in source.get(keyword) or ())
    except BROKEN_DICOM:
        return None
    return (rows, columns) if all(math.isfinite(value) and value > 0 for value in (rows, columns)) else None
