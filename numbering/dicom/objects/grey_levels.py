"""What a presentation state copies from its image so that the picture stays as it was.

Under a presentation state an absent modality or VOI LUT means identity, not "leave alone" (PS3.4 N.2), and the image's
own shutter and overlays are off. The tests compare grey levels with DCMTK's ``dcmp2pgm``.
"""

from __future__ import annotations

from collections.abc import MutableSequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

_WINDOW = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction")
_RESCALE = ("RescaleIntercept", "RescaleSlope", "RescaleType")
_SHUTTER = (
    "ShutterShape",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "CenterOfCircularShutter",
    "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
    "ShutterPresentationValue",
)


def lut_shape(source: Dataset) -> str:
    """The image's own Presentation LUT Shape, else INVERSE for MONOCHROME1 and IDENTITY for MONOCHROME2."""
    shape = str(source.get("PresentationLUTShape", ""))
    if shape in {"IDENTITY", "INVERSE"}:
        return shape
    return "INVERSE" if source.get("PhotometricInterpretation") == "MONOCHROME1" else "IDENTITY"


def copy_shutter(ds: Dataset, source: Dataset) -> None:
    """Display Shutter (PS3.3 C.7.6.11), if the image has one."""
    shapes = source.get("ShutterShape")
    if shapes:
        _copy(ds, source, _SHUTTER)
        if "ShutterPresentationValue" not in ds:
            ds.ShutterPresentationValue = 0


def copy_modality_lut(ds: Dataset, source: Dataset) -> None:
    """Modality LUT (PS3.3 C.11.1): the table, or the rescaling; nothing is identity."""
    macro = _functional_group(source, "PixelValueTransformationSequence") or source
    if source.get("ModalityLUTSequence"):
        table = _copied_table(source.ModalityLUTSequence[0], source)
        table.ModalityLUTType = source.ModalityLUTSequence[0].get("ModalityLUTType") or "US"
        ds.ModalityLUTSequence = Sequence([table])
    elif macro.get("RescaleSlope") is not None and macro.get("RescaleIntercept") is not None:
        _copy(ds, macro, _RESCALE)
        if "RescaleType" not in ds:
            ds.RescaleType = "HU" if source.get("Modality") == "CT" else "US"


def copy_voi_lut(ds: Dataset, source: Dataset) -> None:
    """Softcopy VOI LUT (PS3.3 C.11.8): the image's first table, or its first window; nothing is identity.

    Frames of an enhanced object that have windows of their own keep them.
    """
    found: list[tuple[Dataset, list[int]]] = []
    frames = source.get("PerFrameFunctionalGroupsSequence") or []
    for number, item in enumerate(frames, start=1):
        for macro in list(item.get("FrameVOILUTSequence") or [])[:1]:
            voi = _voi(macro, source)
            same = next((numbers for other, numbers in found if other == voi), None)
            if same is None:
                found.append((voi, [number]))
            else:
                same.append(number)
    if not found:
        found = [(_voi(_functional_group(source, "FrameVOILUTSequence") or source, source), [])]
    elif len(found) > 1:
        for voi, numbers in found:
            image = Dataset()
            image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
            image.ReferencedFrameNumber = numbers
            voi.ReferencedImageSequence = Sequence([image])
    if any(len(voi) for voi, _ in found):
        ds.SoftcopyVOILUTSequence = Sequence([voi for voi, _ in found])


def _voi(macro: Dataset, source: Dataset) -> Dataset:
    voi = Dataset()
    if macro.get("VOILUTSequence"):
        voi.VOILUTSequence = Sequence([_copied_table(macro.VOILUTSequence[0], source)])
    elif macro.get("WindowCenter") not in (None, "") and macro.get("WindowWidth") not in (None, ""):
        for keyword in _WINDOW:
            if macro.get(keyword) not in (None, ""):
                setattr(voi, keyword, _first(macro[keyword].value))
    return voi


def _copy(target: Dataset, source: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        if source.get(keyword) not in (None, ""):
            setattr(target, keyword, source[keyword].value)


def _functional_group(source: Dataset, keyword: str) -> Dataset | None:
    """The macro's item in an enhanced object: the shared one, else the first frame's."""
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in list(source.get(groups) or [])[:1]:
            if item.get(keyword):
                first: Dataset = item[keyword].value[0]
                return first
    return None


def _first(value: object) -> object:
    return value[0] if isinstance(value, MutableSequence) else value


def _copied_table(table: Dataset, source: Dataset) -> Dataset:
    """One LUT with its data as OW in little-endian order, whatever the source's encoding.

    Tables of 65,536 entries do not fit a US of Explicit VR, whose length field has 16 bits.
    """
    item = Dataset()
    descriptor = [int(value) for value in table.LUTDescriptor]
    signed = descriptor[1] < 0
    item.add_new("LUTDescriptor", "SS" if signed else "US", _as_vr(descriptor, signed))
    if table.get("LUTExplanation"):
        item.LUTExplanation = str(table.LUTExplanation)
    item.add_new("LUTData", "OW", _little_endian(table.LUTData, source))
    return item


def _as_vr(descriptor: list[int], signed: bool) -> list[int]:
    entries, first, bits = descriptor
    if signed and entries > 32767:
        entries -= 65536
    return [entries, first, bits]


def _little_endian(data: object, source: Dataset) -> bytes:
    if isinstance(data, bytes):
        swap = source.file_meta.TransferSyntaxUID.is_little_endian is False
        return np.frombuffer(data, ">u2").astype("<u2").tobytes() if swap else data
    values = np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF
    return values.astype("<u2").tobytes()
