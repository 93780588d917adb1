"""The slices of a CT or MR series in the order in which they lie in the body, their pixels decoded when asked for.

A stack says what its geometry is and what is wrong with it (gaps, duplicates, tilt); it corrects nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numbering.orientation import view_of
from numbering.plane import Plane
from numbering.study import Facts, View

__all__ = ["Facts", "Gap", "Stack"]

PARALLEL_DEGREES = 0.5
"""Planes whose normals are nearer to each other than this are parallel; stacks tilted along discs differ by more."""
UNEVEN = 0.1
"""A slice further than this share of the step from its place is not evenly spaced; headers round to less."""
SAME_STEP_MM = 1e-3
"""Pixels whose steps differ by less are of one size and direction: 0.5 mm over an image of 512."""
GAP = 1.5
"""Neighbours further apart than this many usual distances have a gap between them."""
MOST_CROSSED_DEGREES = 75.0
"""Planes that cross more steeply have no order; stacks along the discs of one spine differ by less."""
KEPT_SLICES = 8
"""Decoded slices that a stack holds: 8 MiB of 512 × 512."""
SHEARED_DEGREES = 0.5
"""Slices stacked this far from their normal are told as sheared (gantry tilt); headers round to less."""

_ONWARDS = np.array([1.0, 1.0, -1.0])
"""The order of slices: from right to left, from front to back, from head to feet (LPS)."""

Decode = Callable[[Plane], NDArray[np.float32]]


@dataclass(frozen=True)
class Gap:
    """Missing slices: the planes of index ``after`` and ``after + 1`` are ``mm`` apart."""

    after: int
    mm: float


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Slices of one series, sorted head first (sagittal ones from the right, coronal ones from the front).

    ``duplicates`` lie where another slice of the series does, and are not among ``planes``. Build with `Stack.of` or
    `Stack.of_array`; `numbering.dicom` reads one from files.
    """

    planes: tuple[Plane, ...]
    modality: str
    frame_of_reference_uid: str | None
    facts: Facts
    duplicates: tuple[Plane, ...]
    decode: Decode = field(repr=False, compare=False)
    _kept: OrderedDict[int, NDArray[np.float32]] = field(default_factory=OrderedDict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        planes: Sequence[Plane],
        decode: Decode,
        *,
        modality: str = "CT",
        frame_of_reference_uid: str | None = None,
        facts: Facts | None = None,
        duplicates: Sequence[Plane] = (),
    ) -> Stack:
        """These planes, sorted. ``decode`` gives the pixels of one: HU for CT, ``[row, column]``.

        ``ValueError`` without a plane.
        """
        if not planes:
            raise ValueError("a stack has at least one plane")
        return cls(
            planes=tuple(planes[index] for index in _in_order(planes)),
            modality=modality,
            frame_of_reference_uid=frame_of_reference_uid,
            facts=facts or Facts(),
            duplicates=tuple(duplicates),
            decode=decode,
        )

    @classmethod
    def of_array(
        cls,
        volume: ArrayLike,
        affine: ArrayLike,
        *,
        modality: str = "CT",
        frame_of_reference_uid: str | None = "1.2.826.0.1.3680043.8.498.1",
        facts: Facts | None = None,
        series_uid: str = "1.2.3",
        multi_frame: bool = False,
        thickness_mm: float | None = None,
    ) -> Stack:
        """An array ``[slice, row, column]`` with its affine ``(4, 4)`` (index to mm LPS) as a stack.

        Slices of the stack are head first, whichever way the array counts. Slice ``n`` of the array (from 0) is SOP
        instance ``{series_uid}.{n + 1}``, or frame ``n + 1`` of ``{series_uid}.1`` where ``multi_frame``.
        """
        pixels = np.asarray(volume)
        matrix = np.asarray(affine, float)
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        _, row_direction, column_direction = _tuples((matrix[:3, :3] / spacing)[:, [0, 2, 1]].T)
        across = float(abs(matrix[:3, 0] @ np.cross(row_direction, column_direction)))
        planes = [
            Plane(
                sop_instance_uid=f"{series_uid}.1" if multi_frame else f"{series_uid}.{number}",
                frame=number if multi_frame else None,
                rows=pixels.shape[1],
                columns=pixels.shape[2],
                position_mm=_tuples([matrix[:3, 3] + (number - 1) * matrix[:3, 0]])[0],
                row_direction=row_direction,
                column_direction=column_direction,
                spacing_mm=(float(spacing[1]), float(spacing[2])),
                thickness_mm=across if thickness_mm is None else thickness_mm,
            )
            for number in range(1, len(pixels) + 1)
        ]
        at: Mapping[str, int] = {plane.name: index for index, plane in enumerate(planes)}
        return cls.of(
            planes,
            lambda plane: np.asarray(pixels[at[plane.name]], np.float32),
            modality=modality,
            frame_of_reference_uid=frame_of_reference_uid,
            facts=facts,
        )

    def __len__(self) -> int:
        return len(self.planes)

    @cached_property
    def view(self) -> View:
        """Axial, sagittal or coronal, whichever its planes are nearest to."""
        return view_of(_mean_normal(self.planes))

    @cached_property
    def heights_mm(self) -> NDArray[np.float64]:
        """``(n,)``: how far each plane lies from the first, along a line through the middle of the images in the
        direction in which they are sorted. For parallel planes that is the distance along their normal.
        """
        places = _places(self.planes)
        heights: NDArray[np.float64] = places - places[0]
        return heights

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Indices of planes that are parallel to each other, each group in order, the groups by their first plane."""
        groups: list[list[int]] = []
        for index, plane in enumerate(self.planes):
            same = (group for group in groups if _parallel(self.planes[group[0]].normal, plane.normal))
            group = next(same, None)
            if group is None:
                groups.append([index])
            else:
                group.append(index)
        return tuple(map(tuple, groups))

    @cached_property
    def spacing_mm(self) -> float | None:
        """The usual distance of neighbouring parallel planes, along their normal; None where there are no two."""
        distances = np.concatenate([self._distances(group) for group in self.groups])
        return float(np.median(distances)) if len(distances) else None

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Where slices are missing: neighbours of one block that are further apart than usual.

        Stacks that lie along discs have none between them: they are apart by intention.
        """
        if len(self.groups) > 1 or self.spacing_mm is None:
            return ()
        distances = self._distances(self.groups[0])
        wide = np.flatnonzero(distances > GAP * self.spacing_mm)
        return tuple(Gap(int(index), float(distances[index])) for index in wide)

    @cached_property
    def affine(self) -> NDArray[np.float64] | None:
        """``(4, 4)``: (slice, row, column, 1) to mm LPS, sheared where the gantry was tilted; None unless `uniform`."""
        first, last = self.planes[0], self.planes[-1]
        if len(self) > 1:
            step = np.subtract(last.position_mm, first.position_mm) / (len(self) - 1)
        else:
            step = _onwards(first.normal) * (first.thickness_mm or 1.0)
        matrix = np.eye(4)
        matrix[:3, 0], (matrix[:3, 2], matrix[:3, 1]) = step, first.steps_mm
        matrix[:3, 3] = first.position_mm
        return matrix if self._fits(matrix) else None

    @property
    def uniform(self) -> bool:
        """Whether all planes are of one size, parallel, and evenly spaced."""
        return self.affine is not None

    @cached_property
    def shear_degrees(self) -> float:
        """Between the direction in which slices follow each other and their normal (gantry tilt); 0 where not known."""
        if len(self) < 2 or len(self.groups) > 1:
            return 0.0
        step = np.subtract(self.planes[-1].position_mm, self.planes[0].position_mm)
        cosine = abs(step @ self.planes[0].normal) / np.linalg.norm(step)
        return float(np.degrees(np.arccos(min(cosine, 1.0))))

    @property
    def sheared(self) -> bool:
        """Whether the slices are stacked at an angle."""
        return self.shear_degrees > SHEARED_DEGREES

    def pixels(self, index: int) -> NDArray[np.float32]:
        """``[row, column]`` of one slice, read-only: HU for CT, the maker's units for MR. Decoded when asked for.

        `QuarantinedInput` where the pixels are damaged.
        """
        index = range(len(self))[index]
        if index not in self._kept:
            pixels = self.decode(self.planes[index])
            pixels.setflags(write=False)
            self._kept[index] = pixels
            if len(self._kept) > KEPT_SLICES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]

    def block(self, slices: slice = slice(None), step: tuple[int, int] = (1, 1)) -> NDArray[np.float32]:
        """``[slice, row, column]`` of these slices, of every ``step``-th row and column.

        Only these slices are decoded, and held one at a time. ``ValueError`` where they differ in size.
        """
        chosen = range(len(self))[slices]
        sizes = {(self.planes[index].rows, self.planes[index].columns) for index in chosen}
        if len(sizes) != 1:
            raise ValueError(f"found {len(sizes)} sizes of slices: expected one")
        ((rows, columns),) = sizes
        shape = len(chosen), len(range(0, rows, step[0])), len(range(0, columns, step[1]))
        block = np.empty(shape, np.float32)
        for place, index in enumerate(chosen):
            block[place] = self.pixels(index)[:: step[0], :: step[1]]
        return block

    def _distances(self, group: Sequence[int]) -> NDArray[np.float64]:
        """Of neighbours in this group along their normal, mm."""
        normal = self.planes[group[0]].normal
        steps = [
            abs(normal @ np.subtract(self.planes[b].position_mm, self.planes[a].position_mm))
            for a, b in pairwise(group)
        ]
        return np.array(steps, float)

    def _fits(self, matrix: NDArray[np.float64]) -> bool:
        first = self.planes[0]
        if any((plane.rows, plane.columns) != (first.rows, first.columns) for plane in self.planes):
            return False
        positions = np.array([plane.position_mm for plane in self.planes])
        off = positions - (matrix[:3, 3] + np.arange(len(self))[:, None] * matrix[:3, 0])
        steps = np.array([plane.steps_mm for plane in self.planes])
        even = np.linalg.norm(off, axis=1).max() <= UNEVEN * np.linalg.norm(matrix[:3, 0])
        return bool(even and np.abs(steps - first.steps_mm).max() <= SAME_STEP_MM)


def _onwards(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal in the direction in which slices are sorted."""
    return normal * _sign(normal)


def _sign(normal: NDArray[np.float64]) -> float:
    axis = int(np.argmax(np.abs(normal)))
    return 1.0 if normal[axis] * _ONWARDS[axis] > 0 else -1.0


def _mean_normal(planes: Sequence[Plane]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean([_onwards(plane.normal) for plane in planes], axis=0)
    return _onwards(mean / np.linalg.norm(mean))


def _places(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Where each plane cuts a line through the middle of the images, mm along it."""
    along = _mean_normal(planes)
    middle = np.mean([plane.centre_mm for plane in planes], axis=0)
    normals = np.array([plane.normal * _sign(plane.normal) for plane in planes])
    directions = np.unique(normals.round(3), axis=0)
    offsets = np.array([plane.position_mm for plane in planes]) - middle
    if (directions @ directions.T).min() < np.cos(np.radians(MOST_CROSSED_DEGREES)):
        raise ValueError("found planes that cross each other steeply: expected those of one view")
    places: NDArray[np.float64] = (normals * offsets).sum(1) / (normals @ along)
    return places


def _in_order(planes: Sequence[Plane]) -> list[int]:
    places = _places(planes)
    return sorted(range(len(planes)), key=lambda index: (round(float(places[index]), 4), planes[index].name))


def _parallel(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(abs(a @ b) >= np.cos(np.radians(PARALLEL_DEGREES)))


def _tuples(vectors: ArrayLike) -> list[tuple[float, float, float]]:
    return [(float(x), float(y), float(z)) for x, y, z in np.asarray(vectors, float)]
