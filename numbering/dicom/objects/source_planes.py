"""The planes of source images as their headers tell them, word for word, for objects that lie on the same planes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from numbering.dicom.planes import images_in, macros
from numbering.packed import Place
from numbering.plane import Plane
from numbering.result import NumberingResult, SourceImage

_MEASURES = ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices")


@dataclass(frozen=True)
class SourcePlane:
    """One source image, or one frame of it, and the header's values of where it lies (PS3.3 C.7.6.16.2)."""

    image: SourceImage
    plane: Plane
    position: Dataset
    orientation: Dataset
    measures: Dataset


def source_planes(
    result: NumberingResult, sources: Mapping[str, Dataset], places: Iterable[Place]
) -> list[SourcePlane]:
    """The planes of these places, along the normal of the first, towards the feet (or from the right, or the front).

    ``ValueError`` names a place that lies in no plane.
    """
    images = {image.sop_instance_uid: image for image in result.sources}
    wanted: dict[str, list[int | None]] = {}
    for uid, frame in places:
        wanted.setdefault(uid, []).append(frame)
    found = []
    for uid, frames in wanted.items():
        header = sources[uid]
        known = {one.frame: one for one in images_in(header, uid)}
        for frame in frames:
            plane = known.get(frame)
            if not isinstance(plane, Plane):
                raise ValueError(f"image {uid}, frame {frame}: its header does not say where it lies")
            found.append(_source_plane(images[uid], header, plane))
    if not found:
        return []
    normal = found[0].plane.normal
    largest = max(range(3), key=lambda axis: abs(normal[axis]))
    towards = (1.0, 1.0, -1.0)[largest] * (1 if normal[largest] > 0 else -1)
    heights = [(float(towards * normal @ one.plane.centre_mm), one.plane.name, one) for one in found]
    return [one for _, _, one in sorted(heights, key=itemgetter(0, 1))]


def _source_plane(image: SourceImage, header: Dataset, plane: Plane) -> SourcePlane:
    groups = [header]
    if plane.frame is not None:
        own = header.PerFrameFunctionalGroupsSequence[plane.frame - 1]
        names = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        groups = macros([own, *(header.get("SharedFunctionalGroupsSequence") or [])], names)
    return SourcePlane(
        image=image,
        plane=plane,
        position=_copied(groups, ("ImagePositionPatient",)),
        orientation=_copied(groups, ("ImageOrientationPatient",)),
        measures=_copied(groups, _MEASURES),
    )


def _copied(groups: Iterable[Dataset], keywords: Iterable[str]) -> Dataset:
    item = Dataset()
    groups = list(groups)
    for keyword in keywords:
        value: Any = next((group[keyword].value for group in groups if group.get(keyword) not in (None, "")), None)
        if value is not None:
            setattr(item, keyword, value)
    return item


def set_planes(shared: Dataset, frames: Iterable[tuple[Dataset, SourcePlane]]) -> None:
    """Position, orientation and pixel measures of frames: what all have alike is said once."""
    frames = list(frames)
    for keyword in ("orientation", "measures"):
        macro = {"orientation": "PlaneOrientationSequence", "measures": "PixelMeasuresSequence"}[keyword]
        first = getattr(frames[0][1], keyword)
        alike = all(getattr(plane, keyword) == first for _, plane in frames)
        for group, plane in [(shared, frames[0][1])] if alike else frames:
            setattr(group, macro, Items([getattr(plane, keyword)]))
    for group, plane in frames:
        group.PlanePositionSequence = Items([plane.position])


def referenced_series(sources: Mapping[str, Dataset], planes: Iterable[SourcePlane]) -> Items:
    """Common Instance Reference (PS3.3 C.12.2): each image once."""
    by_series: dict[str, dict[str, Dataset]] = {}
    for one in planes:
        item = Dataset()
        item.ReferencedSOPClassUID = one.image.sop_class_uid
        item.ReferencedSOPInstanceUID = uid = one.image.sop_instance_uid
        by_series.setdefault(str(sources[uid].SeriesInstanceUID), {}).setdefault(uid, item)
    found = Items()
    for uid, items in by_series.items():
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedInstanceSequence = Items(list(items.values()))
        found.append(series)
    return found
