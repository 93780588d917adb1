"""What is true of one CT series. Owned by the CT; the landmarks are those of the supine pose."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from numbering.phantom.truth.base import Triple, TrueAngle, TruthModel
from numbering.phantom.truth.justified import Justified


class CtVertebra(TruthModel):
    """One vertebra in one CT series."""

    ordinal: Annotated[int, Field(ge=1, le=26, description="counted from C1 = 1")]
    level: str
    label: int = Field(description="its number in the label volume")
    centre_mm: Triple = Field(description="middle of the body, DICOM LPS")
    slices: tuple[int, int] | None = Field(description="first and last slice (from 0) that cut its body; null: none")
    in_view: bool = Field(description="the whole body lies inside the volume")


class TrueCt(TruthModel):
    """One CT series and every vertebra that was simulated, also those outside of it."""

    series_instance_uid: str
    frame_of_reference_uid: str
    folder: str = Field(description="path of its files below the patient's folder")
    visit: int = Field(1, description="number of the visit, as in `studies`")
    protocol: str
    shape: tuple[int, int, int] = Field(description="slices, rows, columns")
    affine: tuple[tuple[float, float, float, float], ...] = Field(
        description="(slice, row, column, 1) to mm, DICOM LPS; 4 × 4"
    )
    labels: str | None = Field(description="path of the label volume (NIfTI, RAS) below the patient's folder")
    sop_instance_uids: tuple[str, ...] = Field(
        description="of the slices, head or feet first as the affine says; one for an enhanced object"
    )
    vertebrae: tuple[CtVertebra, ...]
    sacrum_in_view: bool
    angles: tuple[TrueAngle, ...] = ()
    justified: Justified | None = None
