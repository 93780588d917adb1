"""Arrays within a stored result: labels of a volume's voxels, and maps of where a network looked. Small and exact.

Pixels are zlib in base64, made once and stored; unpacking gives the same array at any time. Planes are packed one by
one, so that nobody has to hold a whole volume.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from numbering.anatomy import Disc, Level
from numbering.frozen import Frozen
from numbering.geometry import Box

Place = tuple[str, int | None]
"""An image or a frame of it: SOP Instance UID, and the 1-based frame of a multi-frame object, else None."""
Count = Annotated[int, Field(ge=1)]
MOST_LEVELS = 255
"""A label is one byte, and zero means none."""


def packed(pixels: NDArray[np.uint8]) -> str:
    """The bytes as text."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(pixels).tobytes(), level=9)).decode()


def unpacked(text: str, rows: int, columns: int) -> NDArray[np.uint8]:
    """``[row, column]``; ``ValueError`` when the text holds another number of pixels, or none at all."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), rows * columns + 1)
    except zlib.error as error:
        raise ValueError(f"packed pixels cannot be read: {error}") from None
    if len(data) != rows * columns:
        raise ValueError(f"packed pixels: found {len(data)} or more, expected {rows} x {columns}")
    return np.frombuffer(data, np.uint8).reshape(rows, columns)


class LabelPlane(Frozen):
    """The labels of one source plane; ``packed`` has its rows and columns."""

    sop_instance_uid: str
    frame: int | None = None
    packed: str


class LabelVolume(Frozen):
    """Which voxel belongs to which vertebra, on the source's own planes: ``[slice, row, column]``, head first.

    The voxels of value 1 are of ``levels[0]``, and so on; 0 is none of them. ``planes`` are those that hold a label.
    """

    rows: Count
    columns: Count
    levels: Annotated[tuple[str, ...], Field(max_length=MOST_LEVELS)]
    planes: tuple[LabelPlane, ...]

    @model_validator(mode="after")
    def _each_level_and_plane_once(self) -> LabelVolume:
        if len({Level.parse(level) for level in self.levels}) != len(self.levels):
            raise ValueError(f"segmented levels {', '.join(self.levels)}: expected each once")
        if len({(plane.sop_instance_uid, plane.frame) for plane in self.planes}) != len(self.planes):
            raise ValueError("segmented planes: expected each image or frame once")
        return self

    @classmethod
    def of(cls, labels: Iterable[NDArray[np.uint8]], places: Sequence[Place], levels: Sequence[str]) -> LabelVolume:
        """From planes ``[row, column]`` (a volume ``[slice, row, column]``, or a generator) on these places.

        Values are positions in ``levels``, from 1; planes without a label are left out. ``ValueError`` when a value has
        no level, or the planes are not as many as the places and all of one size.
        """
        planes: list[LabelPlane] = []
        sizes: set[tuple[int, int]] = set()
        for plane, (uid, frame) in zip(labels, places, strict=True):
            rows, columns = plane.shape
            sizes.add((rows, columns))
            if plane.max(initial=0) > len(levels):
                raise ValueError(f"label {plane.max()} has no level: expected at most {len(levels)}")
            if plane.any():
                planes.append(LabelPlane(sop_instance_uid=uid, frame=frame, packed=packed(plane.astype(np.uint8))))
        if len(sizes) != 1:
            raise ValueError(f"label planes of the sizes {sorted(sizes)}: expected one size")
        rows, columns = sizes.pop()
        return cls(rows=rows, columns=columns, levels=tuple(levels), planes=tuple(planes))

    def labels(self) -> Iterator[tuple[Place, NDArray[np.uint8]]]:
        """Each plane that holds a label and its values ``[row, column]``, head first, unpacked one at a time."""
        for plane in self.planes:
            yield (plane.sop_instance_uid, plane.frame), unpacked(plane.packed, self.rows, self.columns)

    def renamed(self, names: Mapping[str, str]) -> LabelVolume | None:
        """The same voxels under new names (old: new); those of a level without one are none of them any more.

        None where nothing is left, or one name would stand for two vertebrae.
        """
        kept = [level for level in self.levels if level in names]
        new = [names[level] for level in kept]
        if not kept or len(set(new)) < len(new):
            return None
        if kept == list(self.levels):
            return self.model_copy(update={"levels": tuple(new)})
        table = np.zeros(256, np.uint8)
        table[[self.value_of(level) for level in kept]] = np.arange(1, len(kept) + 1)
        places = [(plane.sop_instance_uid, plane.frame) for plane in self.planes]
        return LabelVolume.of((table[values] for _, values in self.labels()), places, new)

    def value_of(self, level: str) -> int:
        """The value of this level's voxels; ``ValueError`` when it is not segmented."""
        return self.levels.index(level) + 1


class HeatMap(Frozen):
    """Where on a slice the evidence for its disc lay (Grad-CAM): a grid over ``box`` of the image, 0…255.

    255 is the map's own greatest value, so grids of two slices are not to be compared. Each cell is an equal part of
    ``box``, which is continuous ``[x0, y0, x1, y1]`` in image coordinates: the whole image is
    ``(-0.5, -0.5, columns - 0.5, rows - 0.5)``.
    """

    level: str
    sop_instance_uid: str
    frame: int | None = None
    box: Box
    rows: Count
    columns: Count
    packed: str

    @model_validator(mode="after")
    def _is_of_a_disc(self) -> HeatMap:
        Disc.parse(self.level)
        x0, y0, x1, y1 = self.box
        if not (x0 < x1 and y0 < y1):
            raise ValueError(f"heat map of {self.level} covers the box {self.box}: expected x0 < x1 and y0 < y1")
        return self

    @classmethod
    def of(cls, level: str, place: Place, box: Box, values: NDArray[np.floating]) -> HeatMap:
        """From a map ``[row, column]`` of any scale; what is below zero speaks against the disc and is left out."""
        grid = np.clip(np.nan_to_num(np.asarray(values, np.float64), posinf=0, neginf=0), 0, None)
        grid = grid * (255 / grid.max()) if grid.any() else grid
        rows, columns = grid.shape
        text = packed(np.rint(grid).astype(np.uint8))
        uid, frame = place
        return cls(level=level, sop_instance_uid=uid, frame=frame, box=box, rows=rows, columns=columns, packed=text)

    def values(self) -> NDArray[np.float32]:
        """``[row, column]``, 0…1."""
        return unpacked(self.packed, self.rows, self.columns).astype(np.float32) / np.float32(255)
