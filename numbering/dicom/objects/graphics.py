"""Marks as graphic and text objects of a presentation state (PS3.3 C.10.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from numbering.dicom.objects.references import reference
from numbering.geometry import Point, closed_polyline, polyline, to_graphic
from numbering.labels import Label, labels
from numbering.marks import AngleMark, Mark
from numbering.result import SourceImage

OUTLINES, NAMES, ANGLES, IMAGE_OVERLAYS = "OUTLINES", "NAMES", "ANGLES", "IMAGE OVERLAYS"
"""Graphic layers: our outlines, our names, lines and values of angles; the image's own overlays lie at the bottom."""


def graphic_annotations(
    image: SourceImage, marks: Sequence[Mark], angles: Sequence[AngleMark], notice: str
) -> Iterator[Dataset]:
    """One Graphic Annotation item a frame for each layer with something on it, and the notice on all frames."""
    for frame in dict.fromkeys([*(mark.frame for mark in marks), *(angle.frame for angle in angles)]):
        marks_here = [mark for mark in marks if mark.frame == frame]
        angles_here = [angle for angle in angles if angle.frame == frame]
        words = labels(marks_here, angles_here, image.rows, image.columns)
        names, values = words[: len(marks_here)], words[len(marks_here) :]
        if outlines := [_outline(image, mark) for mark in marks_here if mark.outline]:
            yield _annotation(image, frame, OUTLINES, drawn=outlines)
        yield _annotation(image, frame, NAMES, words=[_text(image, name) for name in names])
        if angles_here:
            lines = [_line(image, line, closed=False) for angle in angles_here for line in angle.lines]
            yield _annotation(image, frame, ANGLES, drawn=lines, words=[_text(image, value) for value in values])
    yield _annotation(image, None, NAMES, words=[_corner_notice(notice)])


def _annotation(
    image: SourceImage, frame: int | None, layer: str, *, drawn: Sequence[Dataset] = (), words: Sequence[Dataset] = ()
) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = Items([reference(image.sop_class_uid, image.sop_instance_uid, frame)])
    item.GraphicLayer = layer
    if words:
        item.TextObjectSequence = Items(words)
    if drawn:
        item.GraphicObjectSequence = Items(drawn)
    return item


def _outline(image: SourceImage, mark: Mark) -> Dataset:
    return _line(image, mark.outline, closed=mark.closed)


def _line(image: SourceImage, through: Sequence[Point], *, closed: bool) -> Dataset:
    points = (closed_polyline if closed else polyline)(through, image.rows, image.columns)
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(points)
    item.GraphicData = _floats(points)
    item.GraphicType = "POLYLINE"
    item.GraphicFilled = "N"
    return item


def _text(image: SourceImage, label: Label) -> Dataset:
    """The label's box and an invisible anchor at what it belongs to."""
    corners = np.clip(to_graphic([label.box[:2], label.box[2:], label.anchor]), 0, [image.columns, image.rows])
    item = Dataset()
    item.BoundingBoxAnnotationUnits = item.AnchorPointAnnotationUnits = "PIXEL"
    item.UnformattedTextValue = label.text
    item.BoundingBoxTopLeftHandCorner = _floats(corners[0])
    item.BoundingBoxBottomRightHandCorner = _floats(corners[1])
    item.BoundingBoxTextHorizontalJustification = label.justification
    item.AnchorPoint = _floats(corners[2])
    item.AnchorPointVisibility = "N"
    return item


def _corner_notice(notice: str) -> Dataset:
    """At the lower left of what is displayed, wherever that is."""
    item = Dataset()
    item.BoundingBoxAnnotationUnits = "DISPLAY"
    item.UnformattedTextValue = notice
    item.BoundingBoxTopLeftHandCorner = [0.01, 0.96]
    item.BoundingBoxBottomRightHandCorner = [0.99, 0.99]
    item.BoundingBoxTextHorizontalJustification = "LEFT"
    return item


def _floats(points: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in points.ravel()]
