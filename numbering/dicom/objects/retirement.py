"""The Key Object Selection that takes the objects of an earlier revision of ours out of use, and nothing else.

Its title is "Rejected for Patient Safety Reasons" (DCM 113037): an archive that keeps to IHE's Imaging Object Change
Management hides what it names.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import KeyObjectSelectionDocumentStorage

from numbering.dicom.objects import content
from numbering.dicom.objects.content import CONTAINS
from numbering.dicom.objects.context import language, observer
from numbering.dicom.objects.header import begin, local_time, series_uid, settle_character_set
from numbering.dicom.objects.references import Sources, reference, references
from numbering.result import NumberingResult

REJECTED = Code("113037", "DCM", "Rejected for Patient Safety Reasons")
WHY = "Superseded by a later revision of the numbering of this series. Do not use these objects."


def retirement(result: NumberingResult, sources: Sources) -> Iterator[Dataset]:
    """The key objects of this result: one where it retires something, none where it does not."""
    if not result.retires:
        return
    first = sources[result.sources[0].sop_instance_uid]
    beside = bool(result.findings.key_images)  # which are in the same series
    number = 2 if beside else 1
    ds = begin(
        result, first, modality="KO", sop_class_uid=KeyObjectSelectionDocumentStorage, kind="KO", instance_number=number
    )
    if not beside:
        ds.SeriesDescription = "numbering: superseded results"
    when = local_time(result, first)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.CurrentRequestedProcedureEvidenceSequence = _evidence(result, first)
    items = [_composite(each.sop_class_uid, each.sop_instance_uid) for each in result.retires]
    why = content.text(CONTAINS, Code("113012", "DCM", "Key Object Description"), WHY)
    root = content.container(REJECTED, [language(), *observer(result), why, *items], template="2010")
    del root.RelationshipType
    ds.update(root)
    settle_character_set(ds, first)
    yield ds


def _composite(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.RelationshipType = CONTAINS
    item.ValueType = "COMPOSITE"
    item.ReferencedSOPSequence = Sequence([reference(sop_class_uid, sop_instance_uid)])
    return item


def _evidence(result: NumberingResult, source: Dataset) -> Sequence:
    """Every retired object by its series; all belong to one report, from whose UID their series' are derived."""
    report = next(each.sop_instance_uid for each in result.retires if each.modality == "SR")
    by_series: dict[str, list[Dataset]] = {}
    for each in result.retires:
        uid = series_uid(report, each.modality)
        by_series.setdefault(uid, []).append(reference(each.sop_class_uid, each.sop_instance_uid))
    return references(source.StudyInstanceUID, by_series)
