"""Key Object Selection of the images worth looking at first: the middle slice of L1, the best slice of each disc."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import KeyObjectSelectionDocumentStorage

from numbering.dicom.objects import content
from numbering.dicom.objects.content import CONTAINS
from numbering.dicom.objects.context import language, observer
from numbering.dicom.objects.header import begin, local_time, notice, settle_character_set
from numbering.dicom.objects.references import Sources, image_of, reference, references
from numbering.result import NumberingResult

OF_INTEREST = Code("113000", "DCM", "Of Interest")


def key_images(result: NumberingResult, sources: Sources) -> Iterator[Dataset]:
    """One selection of all key images of this result; none where it has none."""
    keys = result.findings.key_images
    if not keys:
        return
    first = sources[keys[0].sop_instance_uid]
    ds = begin(
        result, first, modality="KO", sop_class_uid=KeyObjectSelectionDocumentStorage, kind="KO key images",
        instance_number=1,
    )  # fmt: skip
    when = local_time(result, first)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.CurrentRequestedProcedureEvidenceSequence = _evidence(result, sources)
    words = content.text(CONTAINS, Code("113012", "DCM", "Key Object Description"), _description(result))
    places = dict.fromkeys((one.sop_instance_uid, one.frame) for one in keys)
    images = [image_of(CONTAINS, result, uid, frame) for uid, frame in places]
    root = content.container(OF_INTEREST, [language(), *observer(result), words, *images], template="2010")
    del root.RelationshipType
    ds.update(root)
    settle_character_set(ds, first)
    yield ds


def _description(result: NumberingResult) -> str:
    """What each image shows, in the order of the images, and what it is worth."""
    keys = result.findings.key_images
    return f"{'; '.join(f'{one.level}: {one.shows}' for one in keys)}. {notice(result)}"


def _evidence(result: NumberingResult, sources: Sources) -> Sequence:
    """Current Requested Procedure Evidence Sequence: the selected images, by series, each once."""
    by_series: dict[str, dict[str, Dataset]] = {}
    classes = {source.sop_instance_uid: source.sop_class_uid for source in result.sources}
    for one in result.findings.key_images:
        uid = one.sop_instance_uid
        series = str(sources[uid].SeriesInstanceUID)
        by_series.setdefault(series, {}).setdefault(uid, reference(classes[uid], uid))
    study = str(sources[result.findings.key_images[0].sop_instance_uid].StudyInstanceUID)
    return references(study, {series: list(items.values()) for series, items in by_series.items()})
