"""The label volume as NIfTI."""

from __future__ import annotations

import gzip

import numpy as np
from nibabel.nifti1 import Nifti1Image

from numbering.phantom.imaging.ct.volume import CtVolume


def labels_nifti(volume: CtVolume) -> bytes:
    """``labels.nii.gz``: uint8, axes column, row, slice, affine to RAS mm; the same volume gives the same bytes."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine[:, [2, 1, 0, 3]]
    image = Nifti1Image(np.ascontiguousarray(volume.labels.transpose(2, 1, 0)), affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), 6, mtime=0)
