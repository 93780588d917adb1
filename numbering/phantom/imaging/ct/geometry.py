"""Where the slices of a protocol lie in the patient, and where the scanner's axis is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numbering.phantom.imaging.ct.protocol import EXTENTS, Protocol
from numbering.phantom.pose import Array, Skeleton
from numbering.phantom.pose import rotation as turned
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Grid, Structure

SCAN_COLUMNS = 96
SCAN_MARGIN = 1.12


@dataclass(frozen=True)
class Geometry:
    """``grid`` of the images; ``axis`` x and y of the scanner's rotation axis, mm, patient frame."""

    grid: Grid
    axis: tuple[float, float]

    def square(self, middle: tuple[float, float], pitch_mm: float, columns: int, every: int = 1) -> Grid:
        """``every``-th slice with other pixels, centred where the line along the body through ``middle`` pierces it."""
        affine = self.grid.affine.copy()
        for column in (1, 2):
            affine[:3, column] *= pitch_mm / np.linalg.norm(affine[:3, column])
        start = self._pierced(0, middle)
        affine[:3, 0] = (self._pierced(1, middle) - start) * every
        affine[:3, 3] = start - (affine[:3, 1] + affine[:3, 2]) * (columns - 1) / 2
        return Grid(affine, (-(-self.grid.shape[0] // every), columns, columns))

    def scan_grid(self, field_mm: float, every: int = 1) -> Grid:
        """Coarse pixels over all that the X-rays cross, not only what is reconstructed."""
        return self.square(self.axis, field_mm * SCAN_MARGIN / SCAN_COLUMNS, SCAN_COLUMNS, every)

    @property
    def leans(self) -> bool:
        """Whether a line along the body pierces each slice elsewhere."""
        return bool(abs(self.grid.affine[:2, 0]).max() > 1e-6 or abs(self.grid.affine[2, 1:3]).max() > 1e-6)

    def middle(self, index: int, of: tuple[float, float]) -> tuple[float, float]:
        """mm along columns and along rows from where the line through ``of`` pierces the slice to its middle."""
        found = np.linalg.inv(self.grid.affine) @ np.array([*self._pierced(index, of), 1.0])
        rows, columns = self.grid.shape[1:]
        spacing = self.grid.spacing
        return float(((columns - 1) / 2 - found[2]) * spacing[2]), float(((rows - 1) / 2 - found[1]) * spacing[1])

    def _pierced(self, index: int, at: tuple[float, float]) -> Array:
        linear = self.grid.affine[:3, :3]
        origin = self.grid.affine[:3, 3] + index * linear[:, 0]
        normal = np.cross(linear[:, 2], linear[:, 1])
        z = origin[2] - (normal[0] * (at[0] - origin[0]) + normal[1] * (at[1] - origin[1])) / normal[2]
        return np.array([*at, z])


def place(protocol: Protocol, skeleton: Skeleton, structures: Sequence[Structure]) -> Geometry:
    """The slices of this protocol; the first is at the head end unless it says otherwise."""
    extent = EXTENTS[protocol.region]
    top = float(skeleton.at(extent.top)[2]) + extent.above_mm + protocol.shift_mm[0]
    bottom = float(skeleton.at(extent.bottom)[2]) - extent.below_mm + protocol.shift_mm[1]
    count = max(3, round((top - bottom) / protocol.increment_mm) + 1)
    body = trunk_middle(structures, skeleton, (top + bottom) / 2)
    axis = (body[0] - protocol.table_offset_mm[0], body[1] - protocol.table_offset_mm[1])
    aim = body
    if extent.spine:
        x, y = skeleton.midline((top + bottom) / 2)
        aim = (float(x), float(y) + 12.0)
    aim = (aim[0] + protocol.offset_mm[0], aim[1] + protocol.offset_mm[1])
    rows, columns, slices = _directions(protocol)
    pitch = protocol.field_mm / protocol.matrix
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = slices * protocol.increment_mm, rows * pitch, columns * pitch
    middle = np.array([*aim, (top + bottom) / 2])
    half = (protocol.matrix - 1) / 2
    affine[:3, 3] = middle - affine[:3, :3] @ np.array([(count - 1) / 2, half, half])
    return Geometry(Grid(affine, (count, protocol.matrix, protocol.matrix)), axis)


def _directions(protocol: Protocol) -> tuple[Array, Array, Array]:
    """Unit steps ``(3,)`` from row to row, column to column and (along the table, where tilted) slice to slice."""
    side = -1.0 if protocol.position.endswith("P") else 1.0
    lean = turned(protocol.tilt + protocol.oblique[0], protocol.oblique[1], 0)
    down = side * lean[:, 1]
    across = side * lean[:, 0]
    along = np.array([0.0, 0.0, 1.0]) if protocol.oblique == (0.0, 0.0) else lean[:, 2]
    return down, across, along if protocol.feet_to_head else -along


def trunk_middle(structures: Sequence[Structure], skeleton: Skeleton, z: float) -> tuple[float, float]:
    """Middle of the trunk across and front to back."""
    boxes = [one.bounds for one in structures if one.label in (Label.SKIN, Label.FAT)]
    if not boxes:
        x, y = skeleton.midline(z)
        return float(x), float(y) - 45.0
    widest = max(boxes, key=lambda box: float(np.prod(box[1] - box[0])))
    return 0.0, float(widest[:, 1].mean())


def heights(grid: Grid) -> tuple[float, float]:
    """Lowest and highest z of a grid, and 3 mm beyond."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape], indexing="ij")).reshape(3, -1)
    z = grid.affine[2, :3] @ corners + grid.affine[2, 3]
    return float(z.min()) - 3, float(z.max()) + 3
