"""From a series of CT or MR to a `Stack`: which slices lie where, and the way to the pixels of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.frames import FrameFile
from numbering.dicom.part10 import parse
from numbering.dicom.pixels import not_decodable, stored_values
from numbering.orientation import of_view
from numbering.plane import Plane
from numbering.stack import Stack
from numbering.study import Facts, Image, Series, View

AIR_HU = -1024.0
"""The least HU that is handed on: makers pad what lies outside of the scanner's field with less."""
SAME_PLACE_MM = 0.05
"""Parallel slices nearer to each other than this lie in one place; headers round to less."""


@dataclass(frozen=True)
class _Slice:
    """A plane and the object that it is in."""

    plane: Plane
    image: Image


def stack(series: Series, view: View) -> Stack:
    """The slices of this view in the series, of every place one. No pixel is read.

    ``ValueError`` where it has none: routing gives no pipeline such a series.
    """
    planes = of_view((plane for image in series.images for plane in image.planes), view)
    images = {image.sop_instance_uid: image for image in series.images}
    slices = [_Slice(plane, images[plane.sop_instance_uid]) for plane in planes]
    kept, duplicates = _one_of_each_place(slices)
    frames = {image.frame_of_reference_uid for image in series.images}
    return Stack.of(
        [one.plane for one in kept],
        _decoder(series),
        modality=series.modality,
        frame_of_reference_uid=frames.pop() if len(frames) == 1 else None,
        facts=_in_common({one.image.facts for one in kept}),
        duplicates=[one.plane for one in duplicates],
    )


def _in_common(several: Iterable[Facts]) -> Facts:
    values = zip(*map(astuple, several), strict=True)
    names = (field.name for field in fields(Facts))
    return Facts(**{name: value[0] for name, value in zip(names, values, strict=True) if len(set(value)) == 1})


def _one_of_each_place(slices: Sequence[_Slice]) -> tuple[list[_Slice], list[_Slice]]:
    """Slices in different places, and the rest.

    Where an echo, a point in time or an acquisition (in this order) gives a set that is whole by itself, all are of
    one set: the largest, then the one of the longest echo, the earliest time, the first acquisition. Else each place
    has its first by instance number.
    """
    places = _places(slices)
    if len(set(places)) == len(slices):
        return list(slices), []
    count = len(set(places))
    chosen = _first_of_each(slices, places)
    for said_by in _SETS:
        sets: dict[Hashable, list[int]] = defaultdict(list)
        for index, one in enumerate(slices):
            sets[said_by(one.image)].append(index)
        whole = [
            members
            for members in sets.values()
            if len(members) == len({places[index] for index in members}) and 2 * len(members) > count
        ]
        if len(sets) > 1 and whole:
            chosen = min(whole, key=lambda members: (-len(members), _preference(slices[members[0]])))
            break
    taken = set(chosen)
    return [slices[index] for index in chosen], [one for index, one in enumerate(slices) if index not in taken]


_SETS: tuple[Callable[[Image], Hashable], ...] = (
    lambda image: image.facts.echo_ms,
    lambda image: image.time_point,
    lambda image: image.acquisition_number,
)


def _preference(one: _Slice) -> tuple[float, int, int, str]:
    image = one.image
    return -(image.facts.echo_ms or 0.0), image.time_point or 0, image.acquisition_number or 0, one.plane.name


def _first_of_each(slices: Sequence[_Slice], places: Sequence[int]) -> list[int]:
    first: dict[int, int] = {}
    for index in sorted(range(len(slices)), key=lambda index: _turn(slices[index])):
        first.setdefault(places[index], index)
    return sorted(first.values())


def _turn(one: _Slice) -> tuple[int, str, int]:
    return one.image.instance_number or 0, one.image.sop_instance_uid, one.plane.frame or 0


def _places(slices: Sequence[_Slice]) -> list[int]:
    """A number for each slice; equal where parallel slices lie in one place."""
    if not slices:
        return []
    places = [0] * len(slices)
    number = 0
    for group in _parallel([one.plane for one in slices]):
        normal = slices[group[0]].plane.normal
        heights = {index: float(normal @ np.array(slices[index].plane.position_mm)) for index in group}
        ordered = sorted(group, key=lambda index: heights[index])
        places[ordered[0]] = number
        for before, index in pairwise(ordered):
            number += heights[index] - heights[before] > SAME_PLACE_MM
            places[index] = number
        number += 1
    return places


def _parallel(planes: Sequence[Plane]) -> list[list[int]]:
    groups: list[tuple[NDArray[np.float64], list[int]]] = []
    for index, plane in enumerate(planes):
        normal = plane.normal
        same = next((members for first, members in groups if abs(first @ normal) > 1 - 1e-6), None)
        if same is None:
            groups.append((normal, [index]))
        else:
            same.append(index)
    return [members for _, members in groups]


def _decoder(series: Series) -> Callable[[Plane], NDArray[np.float32]]:
    """Reads the file of a plane when it is asked to; of a multi-frame object the one frame."""
    images = {image.sop_instance_uid: image for image in series.images}
    files: dict[str, FrameFile] = {}
    hounsfield = series.modality == "CT"

    def decode(plane: Plane) -> NDArray[np.float32]:
        image, uid = images[plane.sop_instance_uid], plane.sop_instance_uid
        try:
            if plane.frame is None:
                ds = parse(image.path.read_bytes())
            else:
                files[uid] = files.get(uid) or FrameFile(image.path)
                ds = files[uid].dataset(plane.frame)
            return _slice(ds, plane, hounsfield=hounsfield)
        except BROKEN_DICOM as error:
            found = f"slice {plane.name} damaged or absurd ({type(error).__name__})"
            raise not_decodable(uid, found) from None

    return decode


def _slice(ds: Dataset, plane: Plane, *, hounsfield: bool) -> NDArray[np.float32]:
    """``[row, column]``: through the modality LUT (PS3.3 C.11.1); HU are at least `AIR_HU`, padding is air."""
    stored = stored_values(ds)
    if stored.shape != (plane.rows, plane.columns):
        raise ValueError(f"{stored.shape}: expected {plane.rows} rows and {plane.columns} columns of one sample")
    values = np.array(apply_modality_lut(stored, ds), np.float32)
    if not np.isfinite(values).all():
        raise ValueError("values that are no numbers")
    if hounsfield:
        values[_padded(stored, ds)] = AIR_HU
        np.maximum(values, AIR_HU, out=values)
    return values


def _padded(stored: NDArray[np.generic], ds: Dataset) -> NDArray[np.bool_]:
    """Where there is no picture (Pixel Padding Value, PS3.3 C.7.5.1.1.2)."""
    value = ds.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = ds.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if limit is None else limit)))
    padded: NDArray[np.bool_] = (stored >= low) & (stored <= high)  # type: ignore[operator]
    return padded
