"""Segmentations of vertebral bodies on films: for each body the pixels whose centres lie within its four corners.

One segment and one frame a body (BINARY, PS3.3 A.51), as large as the film, tracked by the UIDs of the report's groups.
S1 has no body on a lateral film, and an outline that is a detector's box is none: neither makes a segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from numbering.dicom.objects.header import settle_character_set
from numbering.dicom.objects.references import reference
from numbering.dicom.objects.segments import begin_segmentation, derived_from, segment, segment_of_frame, set_bits
from numbering.geometry import Point, inside
from numbering.result import NumberingResult, SourceImage, Vertebra
from numbering.uids import derived_uid


def segmentations(result: NumberingResult, sources: Mapping[str, Dataset]) -> Iterator[Dataset]:
    """One segmentation for each image with bodies on it, in the order of the result's sources."""
    number = 0
    for image in result.sources:
        bodies = [
            (index, found, found.corners)
            for index, found in enumerate(result.findings.vertebrae)
            if found.sop_instance_uid == image.sop_instance_uid and found.corners is not None
        ]
        if bodies:
            number += 1
            yield _segmentation(result, image, sources[image.sop_instance_uid], bodies, number)


Body = tuple[int, Vertebra, tuple[Point, ...]]
"""Its index among the result's vertebrae, itself, and its corners."""


def _segmentation(
    result: NumberingResult, image: SourceImage, source: Dataset, bodies: Sequence[Body], number: int
) -> Dataset:
    ds = begin_segmentation(result, source, f"SEG {image.sop_instance_uid}", number, "Vertebral bodies")
    ds.PatientOrientation = source.get("PatientOrientation") or ""
    ds.SegmentSequence = Items(
        [segment(result, number, index, found) for number, (index, found, _) in enumerate(bodies, start=1)]
    )
    ds.ReferencedSeriesSequence = _referenced(source, image)
    _describe_frames(ds, result, image, bodies)
    set_bits(ds, image.rows, image.columns, (inside(corners, image.rows, image.columns) for _, _, corners in bodies))
    settle_character_set(ds, source)
    return ds


def _referenced(source: Dataset, image: SourceImage) -> Items:
    """Common Instance Reference (PS3.3 C.12.2)."""
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedInstanceSequence = Items([reference(image.sop_class_uid, image.sop_instance_uid)])
    return Items([series])


def _describe_frames(ds: Dataset, result: NumberingResult, image: SourceImage, bodies: Sequence[Body]) -> None:
    """Multi-frame Functional Groups and Dimension (PS3.3 C.7.6.16, C.7.6.17): frames are told apart by segment.

    Without Pixel Measures: pixels are those of the film, and a film states no slice thickness.
    """
    organization = Dataset()
    organization.DimensionOrganizationUID = derived_uid(result.identity(), "SEG dimensions")
    ds.DimensionOrganizationSequence = Items([organization])
    index = Dataset()
    index.DimensionOrganizationUID = organization.DimensionOrganizationUID
    index.DimensionIndexPointer = 0x0062000B  # Referenced Segment Number
    index.FunctionalGroupPointer = 0x0062000A  # Segment Identification Sequence
    ds.DimensionIndexSequence = Items([index])
    ds.SharedFunctionalGroupsSequence = Items([Dataset()])
    ds.PerFrameFunctionalGroupsSequence = Items(
        [_frame(number, image, found.frame) for number, (_, found, _) in enumerate(bodies, start=1)]
    )


def _frame(number: int, image: SourceImage, frame: int | None) -> Dataset:
    content, groups = Dataset(), Dataset()
    content.DimensionIndexValues = [number]
    groups.DerivationImageSequence = derived_from(image, frame)
    groups.FrameContentSequence = Items([content])
    groups.SegmentIdentificationSequence = segment_of_frame(number)
    return groups
