"""Volumes of a CT as NIfTI."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Array


def labels_nifti(volume: CtVolume) -> bytes:
    """``labels.nii.gz``: uint8, axes column, row, slice, affine to RAS mm; the same volume gives the same bytes."""
    return nifti(volume.labels, volume.affine)


def nifti(array: NDArray[Any], affine: Array) -> bytes:
    """An array ``[slice, row, column]`` with its affine to mm LPS as ``.nii.gz``; the same one gives the same bytes."""
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine[:, [2, 1, 0, 3]]
    image = Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), to_ras)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), 6, mtime=0)
