"""Marks as graphic and text objects of a presentation state (PS3.3 C.10.5)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from numbering.dicom.objects.header import NOTICE
from numbering.dicom.objects.marks import Mark
from numbering.dicom.objects.references import reference
from numbering.geometry import Box, Point, closed_polyline, to_graphic
from numbering.result import SourceImage

OUTLINES, NAMES, IMAGE_OVERLAYS = "OUTLINES", "NAMES", "IMAGE OVERLAYS"
"""Graphic layers, bottom to top: the image's own overlays, our outlines, our names."""

NAME_HEIGHT = 1 / 60
"""Height of a name's box as a share of the image's longer side: 18 pixels on a screen 1,080 high."""

CHARACTER_WIDTH = 0.62
"""Width of a character in heights of its box, a little more than most fonts take."""

LEAST_SHRINK = 0.6
"""A name is made smaller to fit beside its structure, but not below this share of its size."""


def graphic_annotations(image: SourceImage, marks: list[Mark]) -> Iterator[Dataset]:
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
    item.ReferencedImageSequence = Sequence([reference(image.sop_class_uid, image.sop_instance_uid, frame)])
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
