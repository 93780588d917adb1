"""What is true of one MR series, from the landmarks of the supine pose and the planes of the slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field

from numbering.phantom.imaging.mr.acquire import MrSeries, MrSlice
from numbering.phantom.pose import Array, Skeleton
from numbering.phantom.truth.base import Pair, Triple, TrueAngle, TruthModel, pair, triple
from numbering.phantom.truth.justified import Justified, justified
from numbering.phantom.visits import Visit

Plane = Literal["axial", "sagittal", "coronal", "localizer"]
Four = tuple[float, float, float, float]
T = TypeVar("T")


class TrueMrSlice(TruthModel):
    """One slice (or frame) of the series. The level is that of the point where the slice cuts the spine's axis."""

    sop_instance_uid: str
    frame: int | None = Field(description="from 1 in a multi-frame object")
    affine: tuple[Four, ...] = Field(description="(slice, row, column, 1) to mm, DICOM LPS; 4 × 4")
    disc: str | None = Field(None, description="axial: the disc that the slice passes through; null: none")
    vertebra: str | None = Field(None, description="axial: the vertebra whose body it passes through; null: none")
    nearest_disc: str | None = Field(None, description="axial: the disc whose middle is nearest; null: no spine in it")
    disc_offset_mm: float | None = Field(
        None, description="from the middle of the nearest disc along its normal, towards the head positive"
    )
    tilt: float | None = Field(None, description="angle between slice and nearest disc, degrees")
    spine_mm: Triple | None = Field(None, description="where the slice cuts the spine's axis, DICOM LPS")
    spine: Pair | None = Field(None, description="that point in the image")
    aimed_at: str | None = Field(None, description="the disc that its stack was placed along; null in a block")


class TrueMrVertebra(TruthModel):
    """One vertebra in one MR series."""

    ordinal: Annotated[int, Field(ge=1, le=26, description="counted from C1 = 1")]
    level: str
    centre_mm: Triple = Field(description="middle of the body, DICOM LPS")
    corners_mm: tuple[Triple, Triple, Triple, Triple] = Field(
        description="of the body in its mid-sagittal plane: upper-anterior, upper-posterior, lower-posterior, "
        "lower-anterior; DICOM LPS"
    )
    in_view: bool = Field(description="the whole body lies inside the stack, or between its outer slices")
    slice: int | None = Field(None, description="the slice (from 0) nearest to the middle of the body; null: none")
    corners: tuple[Pair, Pair, Pair, Pair] | None = Field(
        None, description="sagittal: the corners, projected into the image of `slice`; null on other planes"
    )


class TrueMr(TruthModel):
    """One MR series and every vertebra that was simulated, also those outside of it."""

    series_instance_uid: str
    frame_of_reference_uid: str
    folder: str = Field(description="path of its files below the patient's folder")
    visit: int = Field(1, description="number of the visit, as in `studies`")
    plane: Plane
    weighting: str = Field(description="T1, T2, STIR, T2 FS, water GRE or localizer")
    layout: str = Field(description="axial: parallel (a stack along each disc) or block; else block")
    field_tesla: float
    slices: tuple[TrueMrSlice, ...]
    vertebrae: tuple[TrueMrVertebra, ...]
    s1_mm: tuple[Triple, Triple] = Field(description="front and back end of the upper endplate of S1, DICOM LPS")
    s1: tuple[Pair, Pair] | None = Field(None, description="sagittal: these in the image of `s1_slice`")
    s1_slice: int | None = None
    sacrum_in_view: bool
    angles: tuple[TrueAngle, ...] = ()
    justified: Justified | None = None


def describe(
    visit: Visit,
    skeleton: Skeleton,
    series: MrSeries,
    *,
    series_instance_uid: str,
    frame_of_reference_uid: str,
    sop_instance_uids: Sequence[str],
    folder: str,
) -> TrueMr:
    """The truth of a series; ``sop_instance_uids`` of its slices, or the one of an enhanced object."""
    protocol = series.protocol
    plane: Plane = "localizer" if protocol.weighting == "localizer" else protocol.plane
    enhanced = len(sop_instance_uids) == 1 and len(series.slices) > 1
    slices = tuple(
        _slice(visit, one, sop_instance_uids[0 if enhanced else index], index + 1 if enhanced else None)
        for index, one in enumerate(series.slices)
    )
    s1 = skeleton.s1_corners()
    s1_slice = _nearest(series, s1.mean(0))
    on_sagittal = plane == "sagittal" and s1_slice is not None
    seen = [_inside(series, placed.sagittal_corners()) for placed in skeleton.vertebrae]
    sacrum_in_view = _inside(series, s1)
    return TrueMr(
        series_instance_uid=series_instance_uid,
        frame_of_reference_uid=frame_of_reference_uid,
        folder=folder,
        visit=visit.number,
        plane=plane,
        weighting=protocol.weighting,
        layout=protocol.layout,
        field_tesla=protocol.field_tesla,
        slices=slices,
        vertebrae=_vertebrae(visit, skeleton, series, seen, sagittal=plane == "sagittal"),
        s1_mm=_two([triple(point) for point in visit.in_scanner(s1)]),
        s1=_two(_pixels(series.slices[s1_slice], s1)) if on_sagittal and s1_slice is not None else None,
        s1_slice=s1_slice if on_sagittal else None,
        sacrum_in_view=sacrum_in_view,
        justified=justified(
            skeleton.patient,
            {placed.vertebra.ordinal for placed, shown in zip(skeleton.vertebrae, seen, strict=True) if shown},
            sacrum_in_view=sacrum_in_view,
        ),
    )


def _slice(visit: Visit, one: MrSlice, sop_instance_uid: str, frame: int | None) -> TrueMrSlice:
    affine = one.affine.copy()
    affine[:3, 3] = visit.in_scanner(affine[None, :3, 3])[0]
    rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in affine.round(6))
    level = one.level
    if one.planned.plane != "axial" or level.spine is None:
        return TrueMrSlice(sop_instance_uid=sop_instance_uid, frame=frame, affine=rows)
    return TrueMrSlice(
        sop_instance_uid=sop_instance_uid,
        frame=frame,
        affine=rows,
        disc=str(level.disc) if level.disc else None,
        vertebra=str(level.vertebra) if level.vertebra else None,
        nearest_disc=str(level.nearest),
        disc_offset_mm=round(level.distance_mm, 2),
        tilt=round(level.tilt, 2),
        spine_mm=triple(visit.in_scanner(level.spine[None])[0]),
        spine=_pixels(one, level.spine[None])[0],
        aimed_at=str(one.planned.aimed_at) if one.planned.aimed_at else None,
    )


def _vertebrae(
    visit: Visit, skeleton: Skeleton, series: MrSeries, seen: Sequence[bool], *, sagittal: bool
) -> tuple[TrueMrVertebra, ...]:
    found = []
    for placed, in_view in zip(skeleton.vertebrae, seen, strict=True):
        corners = placed.sagittal_corners()
        nearest = _nearest(series, placed.frame.centre)
        drawn = _four(_pixels(series.slices[nearest], corners)) if sagittal and nearest is not None else None
        found.append(
            TrueMrVertebra(
                ordinal=placed.vertebra.ordinal,
                level=str(placed.vertebra.level),
                centre_mm=triple(visit.in_scanner(placed.frame.centre[None])[0]),
                corners_mm=_four([triple(point) for point in visit.in_scanner(corners)]),
                in_view=in_view,
                slice=nearest,
                corners=drawn,
            )
        )
    return tuple(found)


def _index(one: MrSlice, points: Array) -> Array:
    """Slice, row and column ``(n, 3)`` of points (patient frame) on a slice's lattice; the first in thicknesses."""
    index = np.linalg.inv(one.affine) @ np.vstack([points.T, np.ones(len(points))])
    return np.asarray(index[:3].T)


def _pixels(one: MrSlice, points: Array) -> list[Pair]:
    return [pair((column, row)) for _, row, column in _index(one, points)]


def _nearest(series: MrSeries, point: Array) -> int | None:
    """The slice nearest to a point that lies within its image; None where there is none within a slice's distance."""
    best, found = 1.5, None
    for index, one in enumerate(series.slices):
        away, row, column = _index(one, point[None])[0]
        rows, columns = one.pixels.shape
        if abs(away) < best and 0 <= row < rows and 0 <= column < columns:
            best, found = abs(away), index
    return found


def _inside(series: MrSeries, points: Array) -> bool:
    """Whether points lie between the outer slices of some plane of the series, and within their images."""
    for plane in {one.planned.plane for one in series.slices}:
        across = [_index(one, points) for one in series.slices if one.planned.plane == plane]
        shape = next(one.pixels.shape for one in series.slices if one.planned.plane == plane)
        first, last = across[0], across[-1]
        within = (first[:, 0] >= -0.5).all() and (last[:, 0] <= 0.5).all()
        nearest = np.argmin([np.abs(index[:, 0]) for index in across], axis=0)
        place = np.array([across[pick][point, 1:] for point, pick in enumerate(nearest)])
        if within and (place >= 0).all() and (place <= np.array(shape) - 1).all():
            return True
    return False


def _two(found: Sequence[T]) -> tuple[T, T]:
    first, second = found
    return first, second


def _four(found: Sequence[T]) -> tuple[T, T, T, T]:
    first, second, third, fourth = found
    return first, second, third, fourth
