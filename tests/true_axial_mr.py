"""Axial MR series of simulated patients whose network knows the truth, with faults where a test asks for them.

Nothing is painted: a slice is a white square at a place that says which slice it is, and a sagittal image is a drawing
of bodies and discs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from numbering.anatomy import Variant
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.mr.levels import SliceLevel, discs, level_of
from numbering.phantom.imaging.mr.planes import plan
from numbering.phantom.imaging.mr.protocol import Layout, Protocol
from numbering.phantom.pose import Skeleton, pose
from numbering.pipelines.axial_mr.classes import CLASSES, NONE, class_of
from numbering.pipelines.axial_mr.model.runtime import Seen
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading.answer import Answer, Reader
from numbering.pipelines.axial_mr.sizes import SIZES
from numbering.plane import Plane
from numbering.stack import Stack

CELLS = 12
"""Slices are told apart by which of so many by so many cells of the picture is white."""
FRAME = "1.2.826.0.1.3680043.8.498.7"


@cache
def posed(seed: int = 3, anomaly: str = "none") -> Skeleton:
    """A patient lying in the scanner."""
    return pose(sample(seed, anomaly), "supine")


def variant_of(skeleton: Skeleton) -> Variant:
    """How many vertebrae this spine has."""
    regions = [one.vertebra.level.region for one in skeleton.vertebrae]
    return Variant(regions.count("T"), regions.count("L"))


@dataclass(frozen=True, eq=False)
class TrueSeries:
    """An axial series: in the order of its stack what each slice shows, and which square is white on it."""

    stack: Stack
    levels: tuple[SliceLevel, ...]
    cells: tuple[int, ...]
    skeleton: Skeleton

    @property
    def classes(self) -> list[int]:
        """What a network that is always right says."""
        return [class_of(level.disc, variant_of(self.skeleton)) for level in self.levels]

    @property
    def names(self) -> list[str | None]:
        """The disc that each slice passes through."""
        return [str(level.disc) if level.disc else None for level in self.levels]

    def at(self, name: str) -> list[int]:
        """The slices through this disc."""
        return [index for index, one in enumerate(self.names) if one == name]


def true_series(
    seed: int = 3,
    anomaly: str = "none",
    layout: Layout = "parallel",
    *,
    slices: int = 4,
    keep: Callable[[SliceLevel], bool] = lambda level: True,
    turned: bool = False,
    shuffled: bool = False,
) -> TrueSeries:
    """Slices as technologists place them. ``keep`` leaves some out; ``turned`` stores them mirrored and on their side;
    ``shuffled`` in any order."""
    skeleton = posed(seed, anomaly)
    protocol = Protocol(
        plane="axial", weighting="T2", layout=layout, repetition_ms=3500, echo_ms=100, fov_mm=200, matrix=(64, 64),
        reconstructed=96, readout="row", thickness_mm=4.0, gap_mm=0.4, slices=slices,
    )  # fmt: skip
    planned = plan(skeleton, protocol, np.random.default_rng([seed, 5]))
    levels = [level_of(skeleton, one.centre, one.normal) for one in planned]
    kept = [cell for cell, level in enumerate(levels) if keep(level)]
    order = np.random.default_rng(1).permutation(kept) if shuffled else np.array(kept)
    stored = [_stored(planned[cell].grid.affine, cell, number, turned) for number, cell in enumerate(order, 1)]
    pixels = {plane.name: picture for plane, picture in stored}
    cells = {plane.name: int(cell) for (plane, _), cell in zip(stored, order, strict=True)}
    stack = Stack.of(
        [plane for plane, _ in stored], lambda one: pixels[one.name], modality="MR", frame_of_reference_uid=FRAME
    )
    ordered = tuple(cells[plane.name] for plane in stack.planes)
    return TrueSeries(stack, tuple(levels[cell] for cell in ordered), ordered, skeleton)


def _stored(affine: np.ndarray, cell: int, number: int, turned: bool) -> tuple[Plane, np.ndarray]:
    """A slice of 96 × 96 pixels whose middle 72 have one white square of 6."""
    side, square = 96, 6
    picture = np.zeros((side, side), np.float32)
    row, column = (12 + square * one for one in divmod(cell, CELLS))
    picture[row : row + square, column : column + square] = 1000.0
    spacing = float(np.linalg.norm(affine[:3, 1]))
    along_y, along_x, first = affine[:3, 1] / spacing, affine[:3, 2] / spacing, affine[:3, 3]
    if turned:
        picture, first, along_x = picture[:, ::-1], first + along_x * spacing * (side - 1), -along_x
        picture, along_x, along_y = np.ascontiguousarray(picture.T), along_y, along_x
    plane = Plane(
        sop_instance_uid=f"1.2.3.{number}", rows=side, columns=side, position_mm=_mm(first), row_direction=_mm(along_x),
        column_direction=_mm(along_y), spacing_mm=(spacing, spacing), thickness_mm=4.0,
    )  # fmt: skip
    return plane, picture


def _mm(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector)
    return x, y, z


@dataclass(eq=False)
class TrueNetwork:
    """A network that knows what each slice shows. ``says`` overrides the class of some slices, ``shift`` moves all it
    says down; ``sure`` is the logit of what it says; ``blank`` makes all of its answers alike."""

    series: TrueSeries
    says: Mapping[int, int] = field(default_factory=dict)
    shift: int = 0
    sure: float = 6.0
    blank: bool = False
    runtime: str = "the truth"
    weights: Mapping[str, str] = field(default_factory=dict)
    size = replace(SIZES["small"], pixels=60, field_mm=250.0)
    asked: list[int] = field(default_factory=list)

    def slices(self, images: np.ndarray) -> Seen:
        """See `Network`."""
        self.asked.append(len(images))
        logits = np.zeros((len(images), len(CLASSES)), np.float32)
        maps = np.zeros((len(images), len(CLASSES), CELLS, CELLS), np.float32)
        for row, image in enumerate(images):
            cell = self._cell(image)
            index = self.series.cells.index(cell)
            said = self.says.get(index, self._shifted(self.series.classes[index]))
            logits[row, said] = 0.0 if self.blank else self.sure
            maps[row, said, *divmod(cell, CELLS)] = 1.0
        return Seen(logits, maps)

    def _shifted(self, said: int) -> int:
        return said + self.shift if said != NONE and 0 <= said + self.shift < NONE else NONE

    def _cell(self, image: np.ndarray) -> int:
        """72 of the slice's 96 pixels are the middle 36 of the picture's 60: 200 mm on 250."""
        middle = image[12:48, 12:48].reshape(CELLS, 3, CELLS, 3).mean((1, 3))
        return int(middle.argmax())


def answered(
    series: TrueSeries, point: OperatingPoint | None = None, companions: Sequence[Stack] = (), **faults: object
) -> Answer:
    """What the reader makes of a series whose network has these faults."""
    found = Reader(TrueNetwork(series, **faults), point or OperatingPoint()).answer(series.stack, companions)  # type: ignore[arg-type]
    assert isinstance(found, Answer)
    return found


def names_of(answer: Answer) -> dict[int, str]:
    """The names by slice."""
    return {one.index: str(one.disc) for one in answer.slices}


def drawn_sagittal(
    skeleton: Skeleton, *, body: float = 300.0, disc: float = 700.0, moved_mm: float = 0.0, noise: float = 20.0
) -> Stack:
    """Five sagittal images 5 mm apart on which bodies and discs are even; ``moved_mm`` shifts the patient upwards."""
    places = discs(skeleton)
    centres = np.array([place.centre for place in places])
    rng = np.random.default_rng(2)
    spacing, rows, columns = 1.5, 200, 120
    lowest = centres[-1]
    first = np.array([lowest[0] - 10.0, lowest[1] - 100.0, lowest[2] + 240.0])
    affine = np.eye(4)
    affine[:3, :3] = np.array([[5.0, 0, 0], [0, 0, spacing], [0, -spacing, 0]])
    affine[:3, 3] = first
    index = np.stack(np.meshgrid(np.arange(5), np.arange(rows), np.arange(columns), indexing="ij"), -1)
    points = index @ affine[:3, :3].T + first - [0, 0, moved_mm]
    nearest = np.linalg.norm(points[..., None, :] - centres[-9:], axis=-1).argmin(-1)
    axes = np.array([place.axes for place in places[-9:]])[nearest]
    offset = points - centres[-9:][nearest]
    sideways, back, up = np.moveaxis(np.einsum("...ji,...j->...i", axes, offset), -1, 0)
    within = (np.abs(sideways) < 22) & (np.abs(back) < 17) & (np.abs(up) < 30)
    volume = np.where(within, np.where(np.abs(up) < 5, disc, body), 60.0) + rng.normal(0, noise, within.shape)
    return Stack.of_array(volume, affine, modality="MR", frame_of_reference_uid=FRAME, series_uid="1.2.4")
