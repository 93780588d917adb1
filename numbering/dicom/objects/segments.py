"""What every segmentation of ours has: its head, a description of each segment, the way back to the source, bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from numbering.anatomy import Level
from numbering.dicom.objects import codes
from numbering.dicom.objects.codes import coded
from numbering.dicom.objects.group_parts import tracking_uid
from numbering.dicom.objects.header import begin, local_time, standing
from numbering.dicom.objects.references import reference
from numbering.result import NumberingResult, SourceImage, Vertebra

_ANATOMICAL_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
_SEGMENTATION = Code("113076", "DCM", "Segmentation")
_SOURCE = Code("121322", "DCM", "Source image for image processing operation")


def begin_segmentation(result: NumberingResult, source: Dataset, kind: str, number: int, words: str) -> Dataset:
    """A BINARY segmentation (PS3.3 A.51) but for segments, frames and pixels; ``words`` say what is segmented."""
    ds = begin(result, source, modality="SEG", sop_class_uid=SegmentationStorage, kind=kind, instance_number=number)
    when = local_time(result, source)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.BodyPartExamined = "SPINE"  # unpaired, so that Laterality is not asked for (PS3.3 C.7.3.1)
    ds.ContentLabel = "NUMBERING"
    ds.ContentDescription = f"{words}: {standing(result)}"
    ds.ContentCreatorName = ""
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SegmentationType = "BINARY"
    ds.LossyImageCompression = "01" if source.get("LossyImageCompression") == "01" else "00"
    return ds


def segment(result: NumberingResult, number: int, index: int, vertebra: Vertebra) -> Dataset:
    """Segment Description (PS3.3 C.8.20.4); tracked as the report's group of this vertebra."""
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = f"{vertebra.level} ({standing(result)})"
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = f"{result.model.name} {result.model.version}"[:64]
    item.SegmentedPropertyCategoryCodeSequence = coded(_ANATOMICAL_STRUCTURE)
    item.SegmentedPropertyTypeCodeSequence = coded(codes.vertebra(Level.parse(vertebra.level)))
    item.TrackingID = vertebra.level
    item.TrackingUID = tracking_uid(result, f"vertebra {index}")
    return item


def derived_from(image: SourceImage, frame: int | None) -> Items:
    """Derivation Image (PS3.3 C.7.6.16.2.6): pixel for pixel the source image, or one frame of it."""
    source = reference(image.sop_class_uid, image.sop_instance_uid, frame)
    source.PurposeOfReferenceCodeSequence = coded(_SOURCE)
    source.SpatialLocationsPreserved = "YES"
    derivation = Dataset()
    derivation.SourceImageSequence = Items([source])
    derivation.DerivationCodeSequence = coded(_SEGMENTATION)
    return Items([derivation])


def segment_of_frame(number: int) -> Items:
    """Segment Identification (PS3.3 C.8.20.3.1)."""
    item = Dataset()
    item.ReferencedSegmentNumber = number
    return Items([item])


def set_bits(ds: Dataset, rows: int, columns: int, masks: Iterable[NDArray[np.bool_]]) -> None:
    """Image Pixel module of frames of one bit, packed without padding between them (PS3.5 8.1.1)."""
    ds.Rows, ds.Columns = rows, columns
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 1, 0, 0
    counted = list(_packed(masks))
    ds.NumberOfFrames = sum(frames for frames, _ in counted)
    data = b"".join(bits for _, bits in counted)
    ds.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))


def _packed(masks: Iterable[NDArray[np.bool_]]) -> Iterator[tuple[int, bytes]]:
    """Eight frames at a time: they always fill whole bytes, and no more are held unpacked."""
    remaining = iter(masks)
    while group := list(islice(remaining, 8)):
        yield len(group), np.packbits(np.stack(group).ravel(), bitorder="little").tobytes()
