"""Segmentations of vertebral bodies on films: for each body the pixels whose centres lie within its four corners.

One segment and one frame a body (BINARY, PS3.3 A.51), as large as the film, tracked by the UIDs of the report's groups.
S1 has no body on a lateral film, and an outline that is a detector's box is none: neither makes a segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from numbering.anatomy import Level
from numbering.dicom.objects import codes
from numbering.dicom.objects.codes import coded
from numbering.dicom.objects.group_parts import tracking_uid
from numbering.dicom.objects.header import begin, local_time, settle_character_set
from numbering.dicom.objects.references import reference
from numbering.geometry import Point, inside
from numbering.result import NumberingResult, SourceImage, Vertebra
from numbering.uids import derived_uid

_ANATOMICAL_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
_SEGMENTATION = Code("113076", "DCM", "Segmentation")
_SOURCE = Code("121322", "DCM", "Source image for image processing operation")


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
    ds = begin(
        result,
        source,
        modality="SEG",
        sop_class_uid=SegmentationStorage,
        kind=f"SEG {image.sop_instance_uid}",
        instance_number=number,
    )
    when = local_time(result, source)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.PatientOrientation = source.get("PatientOrientation") or ""
    ds.BodyPartExamined = "SPINE"  # unpaired, so that Laterality is not asked for (PS3.3 C.7.3.1)
    ds.ContentLabel = "NUMBERING"
    ds.ContentDescription = "Vertebral bodies: AI, unverified"
    ds.ContentCreatorName = ""
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SegmentationType = "BINARY"
    ds.LossyImageCompression = "01" if source.get("LossyImageCompression") == "01" else "00"
    ds.SegmentSequence = Items(
        [_segment(result, number, index, found) for number, (index, found, _) in enumerate(bodies, start=1)]
    )
    ds.ReferencedSeriesSequence = _referenced(source, image)
    _describe_frames(ds, result, image, bodies)
    _set_pixels(ds, image, [corners for _, _, corners in bodies])
    settle_character_set(ds, source)
    return ds


def _segment(result: NumberingResult, number: int, index: int, vertebra: Vertebra) -> Dataset:
    """Segment Description (PS3.3 C.8.20.4); tracked as the report's group of this vertebra."""
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = f"{vertebra.level} (AI, unverified)"
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = f"{result.model.name} {result.model.version}"[:64]
    item.SegmentedPropertyCategoryCodeSequence = coded(_ANATOMICAL_STRUCTURE)
    item.SegmentedPropertyTypeCodeSequence = coded(codes.vertebra(Level.parse(vertebra.level)))
    item.TrackingID = vertebra.level
    item.TrackingUID = tracking_uid(result, f"vertebra {index}")
    return item


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
    source = reference(image.sop_class_uid, image.sop_instance_uid, frame)
    source.PurposeOfReferenceCodeSequence = coded(_SOURCE)
    source.SpatialLocationsPreserved = "YES"
    derivation, content, segment, groups = Dataset(), Dataset(), Dataset(), Dataset()
    derivation.SourceImageSequence = Items([source])
    derivation.DerivationCodeSequence = coded(_SEGMENTATION)
    content.DimensionIndexValues = [number]
    segment.ReferencedSegmentNumber = number
    groups.DerivationImageSequence = Items([derivation])
    groups.FrameContentSequence = Items([content])
    groups.SegmentIdentificationSequence = Items([segment])
    return groups


def _set_pixels(ds: Dataset, image: SourceImage, outlines: Sequence[tuple[Point, ...]]) -> None:
    ds.Rows, ds.Columns, ds.NumberOfFrames = image.rows, image.columns, len(outlines)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 1, 0, 0
    frames: NDArray[np.bool_] = np.stack([inside(outline, image.rows, image.columns) for outline in outlines])
    ds.add_new("PixelData", "OB", pack_bits(frames.astype(np.uint8), pad=True))
