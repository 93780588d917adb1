"""Grayscale softcopy presentation states: names and outlines on a film, for viewers that draw no SR.

Under a presentation state an absent modality or VOI LUT means identity, not "leave alone" (PS3.4 N.2), and the image's
own shutter and overlays are off: so the image's own are copied in, and the picture stays as it was. The tests compare
grey levels with DCMTK's ``dcmp2pgm``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableSequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from numbering.dicom.objects.header import NOTICE, begin, local_time, settle_character_set
from numbering.geometry import Box, Point, closed_polyline, corners_of, to_graphic
from numbering.result import NumberingResult, SourceImage, Status

OUTLINES, NAMES, IMAGE_OVERLAYS = "OUTLINES", "NAMES", "IMAGE OVERLAYS"
"""Graphic layers, bottom to top: the image's own overlays, our outlines, our names."""

NAME_HEIGHT = 1 / 60
"""Height of a name's box as a share of the image's longer side: 18 pixels on a screen 1,080 high."""

CHARACTER_WIDTH = 0.62
"""Width of a character in heights of its box, a little more than most fonts take."""

LEAST_SHRINK = 0.6
"""A name is made smaller to fit beside its structure, but not below this share of its size."""

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


@dataclass(frozen=True)
class Mark:
    """What is drawn for one structure: its outline in image coordinates, and its name."""

    frame: int | None
    box: Box
    outline: tuple[Point, ...]
    name: str


def presentations(result: NumberingResult, sources: Mapping[str, Dataset]) -> Iterator[Dataset]:
    """One presentation state for each image on which something is marked, in the order of the result's sources."""
    number = 0
    for source in result.sources:
        if marks := marks_on(result, source.sop_instance_uid):
            number += 1
            yield _presentation(result, source, sources[source.sop_instance_uid], marks, number)


def marks_on(result: NumberingResult, sop_instance_uid: str) -> list[Mark]:
    """The vertebrae on this image, or the candidates of an abstention."""
    findings = result.findings
    if findings.status is Status.ABSTAINED:
        return [
            Mark(found.frame, found.box, corners_of(found.box), f"not numbered {found.score:.2f}")
            for found in findings.candidates
            if found.sop_instance_uid == sop_instance_uid
        ]
    presumed = " presumed" if findings.basis is not None and findings.basis.assumptions else ""
    return [
        Mark(
            found.frame,
            found.box,
            found.corners or corners_of(found.box),
            _name(found.level, presumed, found.probability),
        )
        for found in findings.vertebrae
        if found.sop_instance_uid == sop_instance_uid
    ]


def _name(level: str, presumed: str, probability: float) -> str:
    # Rounded down: 0.996 must not be read as certainty
    return f"{level}{presumed} {np.floor(probability * 100) / 100:.2f}"


def _presentation(
    result: NumberingResult, image: SourceImage, source: Dataset, marks: list[Mark], number: int
) -> Dataset:
    ds = begin(
        result,
        source,
        modality="PR",
        sop_class_uid=GrayscaleSoftcopyPresentationStateStorage,
        kind=f"PR {image.sop_instance_uid}",
        instance_number=number,
    )
    when = local_time(result, source)
    ds.PresentationCreationDate, ds.PresentationCreationTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.BodyPartExamined = "SPINE"  # unpaired, so that Laterality is not asked for (PS3.3 C.7.3.1)
    ds.ContentLabel = "NUMBERING"
    ds.ContentDescription = "Numbering of vertebrae: AI, unverified"
    ds.ContentCreatorName = ""
    ds.ReferencedSeriesSequence = _relationship(source, image)
    ds.DisplayedAreaSelectionSequence = _displayed_area(source, image)
    ds.GraphicAnnotationSequence = Sequence(_annotations(image, marks))
    _set_layers(ds, [OUTLINES, NAMES])
    _copy_shutter(ds, source)
    _copy_overlays(ds, source)
    _copy_modality_lut(ds, source)
    _copy_voi_lut(ds, source)
    ds.PresentationLUTShape = lut_shape(source)
    settle_character_set(ds, source)
    return ds


def lut_shape(source: Dataset) -> str:
    """The image's own Presentation LUT Shape, else INVERSE for MONOCHROME1 and IDENTITY for MONOCHROME2."""
    shape = str(source.get("PresentationLUTShape", ""))
    if shape in {"IDENTITY", "INVERSE"}:
        return shape
    return "INVERSE" if source.get("PhotometricInterpretation") == "MONOCHROME1" else "IDENTITY"


def _relationship(source: Dataset, image: SourceImage) -> Sequence:
    """Presentation State Relationship (PS3.3 C.11.11): the whole image, all its frames."""
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedImageSequence = Sequence([_reference(image)])
    return Sequence([series])


def _reference(image: SourceImage, frame: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.sop_class_uid
    item.ReferencedSOPInstanceUID = image.sop_instance_uid
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def _displayed_area(source: Dataset, image: SourceImage) -> Sequence:
    """The whole image, fitted (PS3.3 C.10.4)."""
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [image.columns, image.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    spacing = source.get("PixelSpacing") or source.get("ImagerPixelSpacing")
    if spacing:
        area.PresentationPixelSpacing = list(spacing)
    else:
        area.PresentationPixelAspectRatio = list(source.get("PixelAspectRatio") or [1, 1])
    return Sequence([area])


def _annotations(image: SourceImage, marks: list[Mark]) -> Iterator[Dataset]:
    """One Graphic Annotation item a frame for outlines, one for names, and the notice on all frames (C.10.5)."""
    for frame in dict.fromkeys(mark.frame for mark in marks):
        here = [mark for mark in marks if mark.frame == frame]
        outlines = _annotation(image, frame, OUTLINES)
        outlines.GraphicObjectSequence = Sequence([_outline(image, mark) for mark in here])
        names = _annotation(image, frame, NAMES)
        names.TextObjectSequence = Sequence([_name_beside(image, mark) for mark in here])
        yield from (outlines, names)
    notice = _annotation(image, None, NAMES)
    notice.TextObjectSequence = Sequence([_corner_notice()])
    yield notice


def _annotation(image: SourceImage, frame: int | None, layer: str) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = Sequence([_reference(image, frame)])
    item.GraphicLayer = layer
    return item


def _outline(image: SourceImage, mark: Mark) -> Dataset:
    points = closed_polyline(mark.outline, image.rows, image.columns)
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(points)
    item.GraphicData = _floats(points)
    item.GraphicType = "POLYLINE"
    item.GraphicFilled = "N"
    return item


def _name_beside(image: SourceImage, mark: Mark) -> Dataset:
    """The name's box and an invisible anchor at the structure."""
    place, anchor, justification = _place_beside(image, mark)
    corners = np.clip(to_graphic([place[:2], place[2:], anchor]), 0, [image.columns, image.rows])
    item = Dataset()
    item.BoundingBoxAnnotationUnits = item.AnchorPointAnnotationUnits = "PIXEL"
    item.UnformattedTextValue = mark.name
    item.BoundingBoxTopLeftHandCorner = _floats(corners[0])
    item.BoundingBoxBottomRightHandCorner = _floats(corners[1])
    item.BoundingBoxTextHorizontalJustification = justification
    item.AnchorPoint = _floats(corners[2])
    item.AnchorPointVisibility = "N"
    return item


def _place_beside(image: SourceImage, mark: Mark) -> tuple[Box, Point, str]:
    """Box of the name, its anchor and its justification, in image coordinates.

    Right of the structure and level with its middle, so that text begins at it; left where the image ends too soon;
    above (or below) where a structure leaves no room on either side.
    """
    x0, y0, x1, y1 = mark.box
    middle = (y0 + y1) / 2
    height = NAME_HEIGHT * max(image.rows, image.columns)
    width, gap = CHARACTER_WIDTH * height * len(mark.name), 0.5 * height
    right, left = image.columns - x1 - gap, x0 - gap
    if max(right, left) < LEAST_SHRINK * width:
        start = max(0.0, min(x0, image.columns - width))
        top = y0 - gap - height if y0 - gap - height >= 0 else y1 + gap
        return (start, top, start + width, top + height), ((x0 + x1) / 2, y0), "LEFT"
    room = right if right >= LEAST_SHRINK * width else left
    shrink = min(1.0, room / width)
    width, half = width * shrink, height * shrink / 2
    if room == right:
        return (x1 + gap, middle - half, x1 + gap + width, middle + half), (x1, middle), "LEFT"
    return (x0 - gap - width, middle - half, x0 - gap, middle + half), (x0, middle), "RIGHT"


def _corner_notice() -> Dataset:
    """At the lower left of what is displayed, wherever that is."""
    item = Dataset()
    item.BoundingBoxAnnotationUnits = "DISPLAY"
    item.UnformattedTextValue = NOTICE
    item.BoundingBoxTopLeftHandCorner = [0.01, 0.96]
    item.BoundingBoxBottomRightHandCorner = [0.99, 0.99]
    item.BoundingBoxTextHorizontalJustification = "LEFT"
    return item


def _floats(points: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in points.ravel()]


def _set_layers(ds: Dataset, names: list[str]) -> None:
    ds.GraphicLayerSequence = Sequence()
    for order, name in enumerate(names, start=1):
        layer = Dataset()
        layer.GraphicLayer = name
        layer.GraphicLayerOrder = order
        ds.GraphicLayerSequence.append(layer)


def _copy(target: Dataset, source: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        if source.get(keyword) not in (None, ""):
            setattr(target, keyword, source[keyword].value)


def _copy_shutter(ds: Dataset, source: Dataset) -> None:
    shapes = source.get("ShutterShape")
    if shapes:
        _copy(ds, source, _SHUTTER)
        if "ShutterPresentationValue" not in ds:
            ds.ShutterPresentationValue = 0


def _copy_overlays(ds: Dataset, source: Dataset) -> None:
    """Overlay Activation (PS3.3 C.11.7): the image's own overlays (burned-in side marks) stay visible."""
    groups = [group for group in range(0x6000, 0x6020, 2) if (group, 0x0010) in source]
    for group in groups:
        ds.add_new((group, 0x1001), "CS", IMAGE_OVERLAYS)
    if groups:
        _set_layers(ds, [IMAGE_OVERLAYS, OUTLINES, NAMES])


def _copy_modality_lut(ds: Dataset, source: Dataset) -> None:
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


def _copy_voi_lut(ds: Dataset, source: Dataset) -> None:
    """Softcopy VOI LUT (PS3.3 C.11.8): the image's first table, or its first window; nothing is identity."""
    macro = _functional_group(source, "FrameVOILUTSequence") or source
    voi = Dataset()
    if macro.get("VOILUTSequence"):
        voi.VOILUTSequence = Sequence([_copied_table(macro.VOILUTSequence[0], source)])
    elif macro.get("WindowCenter") not in (None, "") and macro.get("WindowWidth") not in (None, ""):
        for keyword in _WINDOW:
            if macro.get(keyword) not in (None, ""):
                setattr(voi, keyword, _first(macro[keyword].value))
    if len(voi):
        ds.SoftcopyVOILUTSequence = Sequence([voi])


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
