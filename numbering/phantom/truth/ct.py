"""What is true of one CT series. The landmarks are those of the supine pose, whatever shape is drawn around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.truth.base import Triple, TrueAngle, TruthModel, triple
from numbering.phantom.truth.justified import Justified, justified

Corners = tuple[Triple, Triple, Triple, Triple]


class CtVertebra(TruthModel):
    """One vertebra in one CT series."""

    ordinal: Annotated[int, Field(ge=1, le=26, description="counted from C1 = 1")]
    level: str
    label: int = Field(description="its number in the label volume")
    centre_mm: Triple = Field(description="middle of the body, DICOM LPS")
    corners_mm: Corners = Field(
        description="of the body in its mid-sagittal plane, DICOM LPS: upper-anterior, upper-posterior, "
        "lower-posterior, lower-anterior"
    )
    slices: tuple[int, int] | None = Field(description="first and last slice (from 0) that cut its body; null: none")
    view: Literal["whole", "part", "none"] = Field(description="how much of the body the volume shows")
    in_view: bool = Field(description="the whole body lies inside the volume")
    slice: int | None = Field(description="the slice (from 0) nearest to its middle; null: its middle is not shown")
    sop_instance_uid: str | None = Field(description="of the image that is nearest to its middle among those sent")
    frame: int | None = Field(None, description="from 1 in a multi-frame object")


class TrueCt(TruthModel):
    """One CT series and every vertebra that was simulated, also those outside of it."""

    series_instance_uid: str
    frame_of_reference_uid: str
    folder: str = Field(description="path of its files below the patient's folder")
    visit: int = Field(1, description="number of the visit, as in `studies`")
    protocol: str = Field(description="what was scanned: lumbar, abdomen, …")
    kernel: str
    phase: str
    slice_mm: float
    tilt: float = Field(0.0, description="of the gantry, degrees")
    shape: tuple[int, int, int] = Field(description="slices, rows, columns")
    affine: tuple[tuple[float, float, float, float], ...] = Field(
        description="(slice, row, column, 1) to mm, DICOM LPS; 4 × 4"
    )
    labels: str | None = Field(description="path of the label volume (NIfTI, RAS) below the patient's folder")
    sop_instance_uids: tuple[str, ...] = Field(
        description="of the slices, head or feet first as the affine says; one for an enhanced object"
    )
    missing: tuple[int, ...] = Field((), description="slices (from 0) that were not sent")
    vertebrae: tuple[CtVertebra, ...]
    s1_mm: tuple[Triple, Triple] = Field(description="front and back end of the upper endplate of S1, DICOM LPS")
    sacrum_in_view: bool
    angles: tuple[TrueAngle, ...] = ()
    justified: Justified | None = None


def describe(
    skeleton: Skeleton,
    volume: CtVolume,
    *,
    visit: int,
    series_instance_uid: str,
    frame_of_reference_uid: str,
    sop_instance_uids: Sequence[str],
    folder: str,
    labels: str | None,
) -> TrueCt:
    """The truth of a series; ``sop_instance_uids`` of the slices that were sent, or the one of an enhanced object."""
    sent = [index for index in range(len(volume.hu)) if index not in volume.protocol.missing]
    enhanced = len(sop_instance_uids) == 1 and len(sent) > 1
    vertebrae = tuple(_vertebra(placed, volume, sent, sop_instance_uids, enhanced) for placed in skeleton.vertebrae)
    s1 = skeleton.s1_corners() + volume.origin_mm
    sacrum_in_view = bool(volume.inside(s1).all())
    rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in volume.affine.round(8))
    slices, height, width = volume.hu.shape
    return TrueCt(
        series_instance_uid=series_instance_uid,
        frame_of_reference_uid=frame_of_reference_uid,
        folder=folder,
        visit=visit,
        protocol=volume.protocol.region,
        kernel=volume.protocol.kernel.name,
        phase=volume.protocol.phase,
        slice_mm=volume.protocol.slice_mm,
        tilt=round(volume.protocol.tilt, 2),
        shape=(slices, height, width),
        affine=rows,
        labels=labels,
        sop_instance_uids=tuple(sop_instance_uids),
        missing=tuple(index for index in volume.protocol.missing if index < slices),
        vertebrae=vertebrae,
        s1_mm=(triple(s1[0]), triple(s1[1])),
        sacrum_in_view=sacrum_in_view,
        justified=justified(
            skeleton.patient, {one.ordinal for one in vertebrae if one.in_view}, sacrum_in_view=sacrum_in_view
        ),
    )


def _vertebra(placed: Placed, volume: CtVolume, sent: Sequence[int], uids: Sequence[str], enhanced: bool) -> CtVertebra:
    sagittal = placed.sagittal_corners() + volume.origin_mm
    outline = np.vstack([sagittal, placed.coronal_corners() + volume.origin_mm])
    centre = placed.frame.centre + volume.origin_mm
    inside = volume.inside(outline)
    middle_in = bool(volume.inside(centre[None])[0])
    at = float(volume.index(centre[None])[0, 0])
    nearest = min(sent, key=lambda index: abs(index - at)) if middle_in else None
    a, b, c, d = (triple(point) for point in sagittal)
    return CtVertebra(
        ordinal=placed.vertebra.ordinal,
        level=str(placed.vertebra.level),
        label=vertebra_label(placed.vertebra.level),
        centre_mm=triple(centre),
        corners_mm=(a, b, c, d),
        slices=_cut(volume, outline),
        view="whole" if inside.all() else "part" if inside.any() or middle_in else "none",
        in_view=bool(inside.all()),
        slice=round(at) if middle_in else None,
        sop_instance_uid=None if nearest is None else uids[0 if enhanced else sent.index(nearest)],
        frame=sent.index(nearest) + 1 if enhanced and nearest is not None else None,
    )


def _cut(volume: CtVolume, outline: np.ndarray) -> tuple[int, int] | None:
    """First and last slice between the outermost of these points, where at least one of them is within the images."""
    index = volume.index(outline)
    first, last = max(int(np.ceil(index[:, 0].min())), 0), min(int(index[:, 0].max()), len(volume.hu) - 1)
    within = ((index[:, 1:] > -0.5) & (index[:, 1:] < np.array(volume.hu.shape[1:]) - 0.5)).all(1).any()
    return (first, last) if first <= last and within else None
