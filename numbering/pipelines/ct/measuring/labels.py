"""Voxels of named vertebrae on the series' own slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from numbering.anatomy import Level
from numbering.packed import LabelVolume
from numbering.pipelines.ct.reading.answer import Answer, Reading
from numbering.pipelines.ct.reading.found import VOXEL, Found

Array = NDArray[np.float64]


def label_volume(answer: Answer) -> LabelVolume | None:
    """Every named vertebra on the source slices; None where no slice shows one."""
    reading = answer.reading
    levels: Sequence[Level] = list(answer.named)
    found = [reading.found[place] for place in answer.named.values()]
    planes = [reading.stack.planes[index] for index in reading.slices.indices]
    places = [(plane.sop_instance_uid, plane.frame) for plane in planes]
    volume = LabelVolume.of(_planes(reading, found), places, [str(level) for level in levels])
    return volume if volume.planes else None


def _planes(reading: Reading, found: Sequence[Found]) -> Iterator[NDArray[np.uint8]]:
    windows = [window(one.corner - 1.0, one.corner + one.share.shape, reading) for one in found]
    for place in range(len(reading.slices)):
        labels = np.zeros(reading.slices.shape, np.uint8)
        best = np.full(reading.slices.shape, VOXEL, np.float32)
        for number, (one, (slices, rows, columns)) in enumerate(zip(found, windows, strict=True), 1):
            if not (slices.start <= place < slices.stop and len(rows) and len(columns)):
                continue
            share = on_slice(one.share, one.corner, place, rows, columns, reading)
            near = np.ix_(rows, columns)
            here = share >= best[near]
            labels[near] = np.where(here, number, labels[near])
            best[near] = np.where(here, share, best[near])
        yield labels


def window(low: ArrayLike, high: ArrayLike, reading: Reading) -> tuple[slice, NDArray[np.intp], NDArray[np.intp]]:
    """Slices (places in ``reading.slices``), rows and columns that a box of the working volume reaches into."""
    corners = np.stack(
        np.meshgrid(*zip(np.asarray(low, float), np.asarray(high, float), strict=True), indexing="ij"), -1
    ).reshape(-1, 3)
    points = reading.working.to_mm(corners)
    slices = reading.slices
    heights = points @ slices.normal
    first, last = np.searchsorted(slices.heights, [heights.min(), heights.max()])
    # Where the stack is sheared, rows and columns depend on the slice: those of both ends.
    outer = max(0, int(first) - 1), min(int(last), len(slices) - 1)
    ends = [slices.to_mm(place, np.zeros(1), np.zeros(1))[0, 0] for place in outer]
    index = np.stack([(points - end) @ slices.along.T / slices.spacing for end in ends]).reshape(-1, 2)
    rows, columns = (
        np.arange(max(0, int(index[:, axis].min())), min(slices.shape[axis], int(np.ceil(index[:, axis].max())) + 1))
        for axis in (0, 1)
    )
    return slice(int(first), int(last)), rows, columns


def on_slice(
    values: NDArray[np.float32],
    corner: NDArray[np.intp],
    place: int,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    reading: Reading,
) -> NDArray[np.float32]:
    """``[row, column]`` of a box of the working volume that begins at ``corner``, on these pixels of one slice; 0
    outside of the box."""
    index = reading.working.to_index(reading.slices.to_mm(place, rows.astype(float), columns.astype(float))) - corner
    found = map_coordinates(np.pad(values, 1), np.moveaxis(index + 1, -1, 0), order=1, mode="constant")
    return np.asarray(found, np.float32)
