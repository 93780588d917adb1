"""What stands at the head of a structured report: its language, its observer, the procedure and the image library.

The image library is always there, because viewers need it, and holds what the source's header says and no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from numbering.dicom import MANUFACTURER
from numbering.dicom.objects import content
from numbering.dicom.objects.content import CONTAINS, HAS_ACQ_CONTEXT, HAS_CONCEPT_MOD, HAS_OBS_CONTEXT
from numbering.dicom.objects.references import Sources, image_of
from numbering.dicom.spacing import pixel_spacing
from numbering.result import NumberingResult
from numbering.uids import derived_uid

PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
}
"""CID 100, by modality; all else is a radiograph."""
RADIOGRAPHY = Code("43468-8", "LN", "XR unspecified body region")

MODALITIES = {
    "CT": Code("CT", "DCM", "Computed Tomography"),
    "MR": Code("MR", "DCM", "Magnetic Resonance"),
    "CR": Code("CR", "DCM", "Computed Radiography"),
    "DX": Code("DX", "DCM", "Digital Radiography"),
    "RF": Code("RF", "DCM", "Radiofluoroscopy"),
    "XA": Code("XA", "DCM", "X-Ray Angiography"),
    "RG": Code("RG", "DCM", "Radiographic imaging"),
}
"""CID 29; an image of another modality is described without it."""


def language() -> Dataset:
    """TID 1204."""
    name = Code("121049", "DCM", "Language of Content Item and Descendants")
    return content.code(HAS_CONCEPT_MOD, name, Code("en", "RFC5646", "English"))


def observer(result: NumberingResult) -> Iterator[Dataset]:
    """TID 1002 and 1004: the observer is a device, this program with these weights."""
    device = derived_uid((MANUFACTURER, result.software_version, result.model.weights_sha256), "device observer")
    yield content.code(HAS_OBS_CONTEXT, Code("121005", "DCM", "Observer Type"), Code("121007", "DCM", "Device"))
    yield content.uidref(HAS_OBS_CONTEXT, Code("121012", "DCM", "Device Observer UID"), device)
    yield content.text(HAS_OBS_CONTEXT, Code("121013", "DCM", "Device Observer Name"), MANUFACTURER)
    yield content.text(HAS_OBS_CONTEXT, Code("121014", "DCM", "Device Observer Manufacturer"), MANUFACTURER)
    yield content.text(HAS_OBS_CONTEXT, Code("121015", "DCM", "Device Observer Model Name"), result.pipeline)


def procedure(result: NumberingResult) -> Code:
    """The procedure reported, by modality."""
    return PROCEDURES.get(result.modality, RADIOGRAPHY)


def image_library(result: NumberingResult, sources: Sources) -> Dataset:
    """TID 1600. What all images of a volume have alike is said once, of the group."""
    headers = [sources[source.sop_instance_uid] for source in result.sources]
    described = [list(image_descriptors(header)) for header in headers]
    shared = described[0] if len(headers) > 1 and all(each == described[0] for each in described) else []
    entries = [
        _entry(result, header, [] if shared else descriptors)
        for header, descriptors in zip(headers, described, strict=True)
    ]
    group = content.container(Code("126200", "DCM", "Image Library Group"), [*shared, *entries])
    return content.container(Code("111028", "DCM", "Image Library"), [group])


def _entry(result: NumberingResult, source: Dataset, descriptors: list[Dataset]) -> Dataset:
    """TID 1601 with the descriptors of TID 1602 that the header holds; none is invented."""
    item = image_of(CONTAINS, result, source.SOPInstanceUID, None)
    if descriptors:
        item.ContentSequence = Sequence(descriptors)
    return item


def image_descriptors(source: Dataset) -> Iterator[Dataset]:
    """Descriptors of TID 1602 that the header holds."""
    if source.get("Modality") in MODALITIES:
        yield content.code(HAS_ACQ_CONTEXT, Code("121139", "DCM", "Modality"), MODALITIES[source.Modality])
    if source.get("FrameOfReferenceUID"):
        yield content.uidref(
            HAS_ACQ_CONTEXT, Code("112227", "DCM", "Frame of Reference UID"), source.FrameOfReferenceUID
        )
    for value, keyword, meaning in (("110910", "Rows", "Pixel Data Rows"), ("110911", "Columns", "Pixel Data Columns")):
        yield content.num(HAS_ACQ_CONTEXT, Code(value, "DCM", meaning), source[keyword].value, content.PIXELS)
    orientation = source.get("PatientOrientation") or []
    if len(orientation) == 2 and all(orientation):
        row, column = map(str, orientation)
        yield content.text(HAS_ACQ_CONTEXT, Code("111044", "DCM", "Patient Orientation Row"), row)
        yield content.text(HAS_ACQ_CONTEXT, Code("111043", "DCM", "Patient Orientation Column"), column)
    spacing = pixel_spacing(source)
    if spacing:
        vertical, horizontal = spacing
        mm = content.MILLIMETRE
        yield content.num(HAS_ACQ_CONTEXT, Code("111026", "DCM", "Horizontal Pixel Spacing"), horizontal, mm)
        yield content.num(HAS_ACQ_CONTEXT, Code("111066", "DCM", "Vertical Pixel Spacing"), vertical, mm)
