"""Where the images of a series lie in space, from their headers: the planes by which names are carried over.

An image whose header does not say it, or says what cannot be, has none: nothing is then carried to or from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import dcmread

from numbering.dicom.broken import BROKEN_DICOM
from numbering.plane import Plane
from numbering.record.filed import FiledImage
from numbering.uids import checked_uid

SPATIAL = ("CT", "MR")
"""Modalities whose images lie in a frame of reference; that of a projection says nothing of depth."""
MOST_FRAMES = 5000


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
            images += _images(header)
        except BROKEN_DICOM:
            return None, ()
    if len(frames_of_reference) != 1:
        return None, ()
    return frames_of_reference.pop(), tuple(images)


def _images(header: Dataset) -> Iterator[Plane | FiledImage]:
    uid = checked_uid(header.SOPInstanceUID, "SOP Instance UID")
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        yield _plane(header, uid, None, [header]) or FiledImage(sop_instance_uid=uid)
        return
    shared = [*header.get("SharedFunctionalGroupsSequence", [])]
    for number, frame in enumerate(frames[:MOST_FRAMES], 1):
        macros = [element.value for group in (frame, *shared) for element in group if element.VR == "SQ"]
        places = [item for macro in macros for item in macro]
        yield _plane(header, uid, number, places) or FiledImage(sop_instance_uid=uid, frame=number)


def _plane(header: Dataset, uid: str, frame: int | None, places: list[Dataset]) -> Plane | None:
    """The first place that holds each value; None without all of them."""

    def numbers(keyword: str, count: int) -> list[float]:
        value: Any = next(place[keyword].value for place in places if keyword in place)
        found = [float(number) for number in (value if count > 1 else [value])]
        if len(found) != count:
            raise ValueError(keyword)
        return found

    try:
        origin, along, spacing = (
            numbers("ImagePositionPatient", 3),
            numbers("ImageOrientationPatient", 6),
            numbers("PixelSpacing", 2),
        )
        thick = any("SliceThickness" in place and place.SliceThickness is not None for place in places)
        return Plane(
            sop_instance_uid=uid,
            frame=frame,
            rows=int(header.Rows),
            columns=int(header.Columns),
            position_mm=(origin[0], origin[1], origin[2]),
            row_direction=(along[0], along[1], along[2]),
            column_direction=(along[3], along[4], along[5]),
            spacing_mm=(spacing[0], spacing[1]),
            thickness_mm=numbers("SliceThickness", 1)[0] if thick else 0.0,
        )
    except BROKEN_DICOM:
        return None
