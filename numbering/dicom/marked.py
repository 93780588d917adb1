"""Marks that somebody else's report or presentation state holds: points on an image, and nothing else.

A point is a POINT of an SR (PS3.3 C.18.6.1.2) or of a presentation state in PIXEL units, or the visible anchor of a
text there (PS3.3 C.10.5). In both, the origin is the outer corner of the first pixel. Lines, circles and outlines are
no marks. A document with a point that cannot be placed for certain has no marks at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import dcmread

from numbering.dicom import MANUFACTURER
from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.part10 import refuse_bomb
from numbering.dicom.priors.matches import text_of
from numbering.levelcheck import MarkSource
from numbering.priors.source import Patient

GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
DEEPEST = 40
"""Levels of content items that are looked at; no report has more."""


class NoMarks(ValueError):
    """This document has no marks that can be read; says why, and repeats nothing of it."""


@dataclass(frozen=True)
class Point:
    """A point on an image: x right, y down, pixel centres at integers; ``frame`` 1-based, None where none is named."""

    sop_instance_uid: str
    frame: int | None
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class MarkedDocument:
    """The points of a document, and whose it is."""

    source: MarkSource
    points: tuple[Point, ...]
    patient: Patient = field(repr=False)


def marked_document(path: Path) -> MarkedDocument:
    """The points in this file; `NoMarks` when it is no such document, or one of them cannot be placed."""
    try:
        with path.open("rb") as file:
            refuse_bomb(file)
            ds = dcmread(file, stop_before_pixels=True)
        return _document(ds)
    except NoMarks:
        raise
    except BROKEN_DICOM as error:
        raise NoMarks(f"the document cannot be read ({type(error).__name__})") from None


def _document(ds: Dataset) -> MarkedDocument:
    sop_class = text_of(ds, "SOPClassUID")
    if text_of(ds, "Manufacturer") == MANUFACTURER:
        raise NoMarks("the document was written by this software: it cannot vouch for its own mark")
    if sop_class == GSPS:
        source, points = MarkSource.GSPS, list(_of_presentation(ds))
    elif sop_class.startswith(_REPORTS):
        source, points = MarkSource.SR, list(_of_report(ds, DEEPEST))
    else:
        raise NoMarks("expected a structured report or a grayscale presentation state")
    patient = Patient(text_of(ds, "PatientID"), text_of(ds, "IssuerOfPatientID"))
    return MarkedDocument(source=source, points=tuple(dict.fromkeys(points)), patient=patient)


def _of_report(ds: Dataset, depth: int) -> Iterator[Point]:
    if depth == 0:
        raise NoMarks(f"the report is nested deeper than {DEEPEST} levels")
    for item in ds.get("ContentSequence") or []:
        if text_of(item, "ValueType") == "SCOORD3D" and text_of(item, "GraphicType") in ("POINT", "MULTIPOINT"):
            raise NoMarks("the report has a point in space: expected one on an image")
        if text_of(item, "ValueType") == "SCOORD" and text_of(item, "GraphicType") in ("POINT", "MULTIPOINT"):
            yield _point(item.GraphicData, _selected_from(item))
        yield from _of_report(item, depth - 1)


def _selected_from(item: Dataset) -> Dataset:
    if text_of(item, "PixelOriginInterpretation") not in ("", "FRAME"):
        raise NoMarks("a point refers to the whole of a tiled image")
    images = [one for one in item.get("ContentSequence") or [] if text_of(one, "ValueType") == "IMAGE"]
    references = [reference for one in images for reference in one.get("ReferencedSOPSequence") or []]
    return _only(references)


def _of_presentation(ds: Dataset) -> Iterator[Point]:
    shown = [one for series in ds.get("ReferencedSeriesSequence") or [] for one in series.ReferencedImageSequence]
    for annotation in ds.get("GraphicAnnotationSequence") or []:
        images = annotation.get("ReferencedImageSequence") or shown
        for graphic in annotation.get("GraphicObjectSequence") or []:
            if text_of(graphic, "GraphicType") == "POINT":
                yield _in_pixels(text_of(graphic, "GraphicAnnotationUnits"), graphic.GraphicData, images)
        for text in annotation.get("TextObjectSequence") or []:
            if "AnchorPoint" in text and text_of(text, "AnchorPointVisibility") == "Y":
                yield _in_pixels(text_of(text, "AnchorPointAnnotationUnits"), text.AnchorPoint, images)


def _in_pixels(units: str, data: object, images: list[Dataset]) -> Point:
    if units != "PIXEL":
        raise NoMarks("a point is placed on the display: expected one on the image")
    return _point(data, _only(images))


def _only(references: list[Dataset]) -> Dataset:
    if len(references) != 1:
        raise NoMarks(f"a point refers to {len(references)} images: expected one")
    return references[0]


def _point(data: object, image: Dataset) -> Point:
    values = [float(value) for value in data]  # type: ignore[attr-defined]
    if len(values) != 2:
        raise NoMarks("several points are marked as one: expected each by itself")
    frames = text_of(image, "ReferencedFrameNumber")
    if frames and not frames.isdecimal():
        raise NoMarks("a point refers to several frames: expected one")
    x, y = values
    return Point(text_of(image, "ReferencedSOPInstanceUID"), int(frames) if frames else None, x - 0.5, y - 0.5)
