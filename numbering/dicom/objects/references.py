"""References from our objects to images and to other documents."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from numbering.dicom.objects import content
from numbering.dicom.objects.header import series_uid
from numbering.result import NumberingResult

Sources = Mapping[str, Dataset]
"""Headers of the source images by SOP Instance UID."""


def evidence(result: NumberingResult, sources: Sources) -> Sequence:
    """Current Requested Procedure Evidence Sequence (PS3.3 C.17.2): every source image, by series."""
    by_series: dict[str, list[Dataset]] = {}
    for source in result.sources:
        series = str(sources[source.sop_instance_uid].SeriesInstanceUID)
        by_series.setdefault(series, []).append(reference(source.sop_class_uid, source.sop_instance_uid))
    return references(sources[result.sources[0].sop_instance_uid].StudyInstanceUID, by_series)


def predecessor(sr_uid: str, sop_class_uid: str, source: Dataset) -> Sequence:
    """Predecessor Documents Sequence: the superseded SR, in the same study and a series of its own."""
    return references(source.StudyInstanceUID, {series_uid(sr_uid, "SR"): [reference(sop_class_uid, sr_uid)]})


def image_of(
    relationship: str, result: NumberingResult, sop_instance_uid: str, frame: int | None, name: Code | None = None
) -> Dataset:
    """IMAGE content item of one of the result's sources, or of one frame of it (1-based)."""
    source = next(source for source in result.sources if source.sop_instance_uid == sop_instance_uid)
    return content.image(relationship, name, source.sop_class_uid, sop_instance_uid, frame)


def references(study_uid: str, by_series: Mapping[str, list[Dataset]]) -> Sequence:
    """Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1)."""
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = Sequence()
    for uid, references in by_series.items():
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedSOPSequence = Sequence(references)
        study.ReferencedSeriesSequence.append(series)
    return Sequence([study])


def reference(sop_class_uid: str, sop_instance_uid: str, frame: int | None = None) -> Dataset:
    """Item of a Referenced SOP or Referenced Image Sequence, or of one frame of it (1-based; PS3.3 10.3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item
