"""Where the images of a series lie in space, from their headers: the planes by which names are carried over.

An image whose header does not say it, or says what cannot be, has none: nothing is then carried to or from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import dcmread

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.spacing import two_lengths
from numbering.plane import Plane
from numbering.record.filed import FiledImage
from numbering.uids import checked_uid

SPATIAL = ("CT", "MR")
"""Modalities whose images lie in a frame of reference; that of a projection says nothing of depth."""
MOST_FRAMES = 5000
_MACROS = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
"""Functional groups that say where a frame lies (PS3.3 C.7.6.16.2)."""


def planes(paths: Iterable[Path]) -> tuple[str | None, tuple[Plane | FiledImage, ...]]:
    """The series' frame of reference and its images with their planes; None and () where it has not exactly one."""
    frames_of_reference: set[str] = set()
    images: list[Plane | FiledImage] = []
    for path in paths:
        try:
            header = dcmread(path, stop_before_pixels=True)
            if header.get("Modality") not in SPATIAL:
                return None, ()
            frames_of_reference.add(checked_uid(header.get("FrameOfReferenceUID"), "Frame of Reference UID"))
            images += images_in(header, checked_uid(header.SOPInstanceUID, "SOP Instance UID"))
        except BROKEN_DICOM:
            return None, ()
    if len(frames_of_reference) != 1:
        return None, ()
    return frames_of_reference.pop(), tuple(images)


def images_in(header: Dataset, uid: str) -> Iterator[Plane | FiledImage]:
    """The image of an object, or each of its frames: a plane, or what has none."""
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        yield _plane(header, uid, None, [header]) or FiledImage(sop_instance_uid=uid)
        return
    shared = macros(header.get("SharedFunctionalGroupsSequence") or [], _MACROS)
    for number, frame in enumerate(frames[:MOST_FRAMES], 1):
        places = [*macros([frame], _MACROS), *shared]
        yield _plane(header, uid, number, places) or FiledImage(sop_instance_uid=uid, frame=number)


def macros(groups: Iterable[Dataset], names: Sequence[str]) -> list[Dataset]:
    """The items of these macros in these functional groups."""
    return [item for group in groups for name in names if name in group for item in group[name].value or []]


def _plane(header: Dataset, uid: str, frame: int | None, places: list[Dataset]) -> Plane | None:
    """From the first place that holds each value; None without all of them."""
    try:
        x, y, z = _numbers(places, "ImagePositionPatient", 3)
        rx, ry, rz, cx, cy, cz = _numbers(places, "ImageOrientationPatient", 6)
        spacing = next(filter(None, (two_lengths(place, "PixelSpacing") for place in places)))
        return Plane(
            sop_instance_uid=uid,
            frame=frame,
            rows=int(header.Rows),
            columns=int(header.Columns),
            position_mm=(x, y, z),
            row_direction=(rx, ry, rz),
            column_direction=(cx, cy, cz),
            spacing_mm=spacing,
            thickness_mm=_thickness(places),
        )
    except BROKEN_DICOM:
        return None


def _numbers(places: list[Dataset], keyword: str, count: int) -> list[float]:
    value: Any = next(place[keyword].value for place in places if keyword in place)
    found = [float(number) for number in value]
    if len(found) != count:
        raise ValueError(keyword)
    return found


def _thickness(places: list[Dataset]) -> float:
    """In mm; 0 where the header does not say, or says what cannot be."""
    for place in places:
        try:
            value = float(place.SliceThickness)
        except BROKEN_DICOM:
            continue
        if math.isfinite(value) and value > 0:
            return value
    return 0.0
