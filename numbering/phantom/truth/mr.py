"""What is true of one MR series. Owned by the MR; the landmarks are those of the supine pose."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from numbering.phantom.truth.base import Pair, Triple, TrueAngle, TruthModel
from numbering.phantom.truth.justified import Justified


class MrSlice(TruthModel):
    """One slice (or frame) of the series."""

    sop_instance_uid: str
    frame: int | None = Field(description="from 1 in a multi-frame object")
    disc: str | None = Field(description="the disc whose middle this slice crosses, L4-L5; null: none")
    disc_offset_mm: float | None = Field(
        None, description="from the middle of the disc that is nearest to this slice, towards the head positive"
    )
    vertebra: str | None = Field(None, description="axial: the vertebra whose body the slice's middle lies in")


class MrVertebra(TruthModel):
    """One vertebra in one MR series."""

    ordinal: Annotated[int, Field(ge=1, le=26, description="counted from C1 = 1")]
    level: str
    centre_mm: Triple = Field(description="middle of the body, DICOM LPS")
    in_view: bool = Field(description="the whole body lies inside the stack")
    corners: tuple[Pair, Pair, Pair, Pair] | None = Field(
        None,
        description="sagittal: upper-anterior, upper-posterior, lower-posterior, lower-anterior in the image of "
        "`slice`; null on axial series",
    )
    slice: int | None = Field(None, description="the slice (from 0) nearest to the middle of the body")


class TrueMr(TruthModel):
    """One MR series and every vertebra that was simulated, also those outside of it."""

    series_instance_uid: str
    frame_of_reference_uid: str
    folder: str = Field(description="path of its files below the patient's folder")
    visit: int = Field(1, description="number of the visit, as in `studies`")
    plane: Literal["axial", "sagittal"]
    weighting: Literal["T1", "T2"]
    layout: str = Field(description="axial: parallel (a stack along each disc) or block; sagittal: block")
    slices: tuple[MrSlice, ...]
    vertebrae: tuple[MrVertebra, ...]
    sacrum_in_view: bool
    angles: tuple[TrueAngle, ...] = ()
    justified: Justified | None = None
