"""Segmentation of the vertebrae of a volume: one segment each, on the source's own planes (BINARY, PS3.3 A.51).

A segment has a frame on each plane that shows it. Pixels, positions and orientations are the source's; segments are
tracked by the UIDs of the report's groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from numbering.anatomy import Level
from numbering.dicom.objects.header import settle_character_set
from numbering.dicom.objects.segments import begin_segmentation, derived_from, segment, segment_of_frame, set_bits
from numbering.dicom.objects.source_planes import SourcePlane, referenced_series, set_planes, source_planes
from numbering.packed import LabelVolume, Place, unpacked
from numbering.result import NumberingResult
from numbering.uids import derived_uid

COLOURS = ((53000, 45000, 52000), (58000, 24000, 54000), (42000, 17000, 21000), (48000, 51000, 17000),
           (40000, 42000, 51000))  # fmt: skip
"""CIELab of `RecommendedDisplayCIELabValue` (PS3.3 C.10.7.1.1): neighbours differ, whatever the first one is."""

Frame = tuple[int, SourcePlane]
"""A value of the labels and a plane on which it occurs."""


def label_segmentation(result: NumberingResult, sources: Mapping[str, Dataset]) -> Iterator[Dataset]:
    """The segmentation of the result's voxels; none where it has none."""
    labels = result.findings.segmentation
    if labels is None or not labels.planes:
        return
    present = {place: {int(value) for value in np.unique(values)} - {0} for place, values in labels.labels()}
    planes = source_planes(result, sources, present)
    values = sorted({value for found in present.values() for value in found}, key=lambda value: _level(labels, value))
    frames = [(value, one) for value in values for one in planes if value in present[_place(one)]]
    source = sources[planes[0].image.sop_instance_uid]
    ds = begin_segmentation(result, source, "SEG", 1, "Vertebrae")
    ds.FrameOfReferenceUID = source.FrameOfReferenceUID
    ds.PositionReferenceIndicator = source.get("PositionReferenceIndicator") or ""
    ds.SegmentSequence = Items(_segments(result, labels, values))
    ds.ReferencedSeriesSequence = referenced_series(sources, planes)
    _describe_frames(ds, result, frames, values, planes)
    set_bits(ds, labels.rows, labels.columns, _masks(labels, frames))
    settle_character_set(ds, source)
    yield ds


def _level(labels: LabelVolume, value: int) -> Level:
    return Level.parse(labels.levels[value - 1])


def _place(one: SourcePlane) -> Place:
    return one.plane.sop_instance_uid, one.plane.frame


def _segments(result: NumberingResult, labels: LabelVolume, values: Sequence[int]) -> Iterator[Dataset]:
    """Head first, each in a colour by its level."""
    index = {found.level: index for index, found in enumerate(result.findings.vertebrae)}
    for number, value in enumerate(values, start=1):
        level = labels.levels[value - 1]
        item = segment(result, number, index[level], result.findings.vertebrae[index[level]])
        item.RecommendedDisplayCIELabValue = list(COLOURS[list(Level).index(Level.parse(level)) % len(COLOURS)])
        yield item


def _describe_frames(
    ds: Dataset, result: NumberingResult, frames: Sequence[Frame], values: Sequence[int], planes: Sequence[SourcePlane]
) -> None:
    """Multi-frame Functional Groups and Dimension (PS3.3 C.7.6.16, C.7.6.17): by segment, then by position."""
    organization = Dataset()
    organization.DimensionOrganizationUID = derived_uid(result.identity(), "SEG dimensions")
    ds.DimensionOrganizationSequence = Items([organization])
    ds.DimensionIndexSequence = Items()
    for pointer, group in (
        ("ReferencedSegmentNumber", "SegmentIdentificationSequence"),
        ("ImagePositionPatient", "PlanePositionSequence"),
    ):
        index = Dataset()
        index.DimensionOrganizationUID = organization.DimensionOrganizationUID
        index.DimensionIndexPointer, index.FunctionalGroupPointer = Tag(pointer), Tag(group)
        ds.DimensionIndexSequence.append(index)
    number = {value: number for number, value in enumerate(values, start=1)}
    position = {_place(one): index for index, one in enumerate(planes, start=1)}
    groups = [_frame(number[value], position[_place(one)], one) for value, one in frames]
    shared = Dataset()
    set_planes(shared, zip(groups, (one for _, one in frames), strict=True))
    ds.SharedFunctionalGroupsSequence = Items([shared])
    ds.PerFrameFunctionalGroupsSequence = Items(groups)


def _frame(number: int, position: int, one: SourcePlane) -> Dataset:
    content, groups = Dataset(), Dataset()
    content.DimensionIndexValues = [number, position]
    groups.DerivationImageSequence = derived_from(one.image, one.plane.frame)
    groups.FrameContentSequence = Items([content])
    groups.SegmentIdentificationSequence = segment_of_frame(number)
    return groups


def _masks(labels: LabelVolume, frames: Sequence[Frame]) -> Iterator[NDArray[np.bool_]]:
    """One plane is unpacked at a time."""
    packed = {(plane.sop_instance_uid, plane.frame): plane.packed for plane in labels.planes}
    for value, one in frames:
        yield unpacked(packed[_place(one)], labels.rows, labels.columns) == value
