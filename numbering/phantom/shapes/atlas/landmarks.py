"""Where a vertebra of a mesh has its endplates, canal, pedicles and tips, and the frame that follows from them.

The frame is that of `numbering.phantom.pose`: origin at the middle of the body, x to the left, y to the back, z up, the
endplates tilted by half the wedge each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from numbering.phantom.shapes.atlas.mesh import AtlasError, Mesh
from numbering.phantom.shapes.atlas.voxels import Lattice, occupied

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NAMES = (
    "upper_anterior", "upper_posterior", "lower_posterior", "lower_anterior",
    "upper_right", "upper_left", "lower_left", "lower_right",
    "canal_back", "canal_right", "canal_left",
    "pedicle_right_outer", "pedicle_right_top", "pedicle_right_bottom",
    "pedicle_left_outer", "pedicle_left_top", "pedicle_left_bottom",
    "transverse_right", "transverse_left", "spinous",
    "superior_facet_right", "superior_facet_left", "inferior_facet_right", "inferior_facet_left",
)  # fmt: skip
"""The landmarks of a vertebra, in the order of its arrays: `body_corners`, `body_edges`, then the arch."""


@dataclass(frozen=True)
class Framed:
    """A vertebra's place in its mesh file's space, and its landmarks ``(len(NAMES), 3)`` in its own frame, mm."""

    centre: Array
    rotation: Array
    landmarks: Array


def find(mesh: Mesh, name: str) -> Framed:
    """Frame and landmarks of one vertebra, whose axes are within some 40° of the phantom's.

    Raises `AtlasError` where the mesh has no vertebral canal, or no body in front of it.
    """
    centre, rotation = mesh.points.mean(0), np.eye(3)
    corners, edges, canal = _body(mesh.moved(centre, rotation), name)
    for _ in range(4):
        points = np.vstack([corners, edges, canal[None]]) @ rotation.T + centre
        centre = points[:4].mean(0)
        rotation = _axes(points)
        corners, edges, canal = _body(mesh.moved(centre, rotation), name)
    centre = centre + rotation @ corners.mean(0)
    arch = _arch(occupied(mesh.moved(centre, rotation), 0.5, 2.0), corners - corners.mean(0), name)
    return Framed(centre, rotation, np.vstack([corners - corners.mean(0), edges - corners.mean(0), arch]))


def _axes(points: Array) -> Array:
    """Columns x, y, z of the frame: y along the mean of the endplates from front to back, x as square to it as the
    line from the right to the left rim is, turned so that the canal lies right behind the body."""
    upper_front, upper_back, lower_back, lower_front, upper_right, upper_left, lower_left, lower_right, canal = points
    back = _unit(_unit(upper_back - upper_front) + _unit(lower_back - lower_front))
    left = _unit(_unit(upper_left - upper_right) + _unit(lower_left - lower_right))
    up = _unit(np.cross(left, back))
    behind = canal - points[4:8].mean(0)
    back = _unit(behind - up * (behind @ up))
    return np.stack([np.cross(back, up), back, up], 1)


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


def _body(mesh: Mesh, name: str) -> tuple[Array, Array, Array]:
    """Four corners, four edges and the middle of the canal, in the frame in which the mesh is given."""
    solid = occupied(mesh, 1.0, 2.0)
    inside: Mask = np.asarray(solid.values > 0.5)
    column, row = _canal(np.asarray(inside.any(0)), name)
    x, y, z = (solid.origin[axis] + solid.pitch * np.arange(inside.shape[2 - axis]) for axis in range(3))
    front, middle = y[row.start], (x[column.start] + x[column.stop - 1]) / 2
    section = _piece(np.asarray(inside[:, : row.start + 1, abs(x - middle) < 2.5].any(2)), name)
    corners = _supports(section, y[: row.start + 1], z)
    depth = np.ptp(corners[:, 0])
    axial = corners[:, 0].mean()
    slab = (y > axial - 0.2 * depth) & (y < axial + 1)
    frontal = _piece(inside[:, slab].any(1) & (abs(x - middle) < 1.1 * depth), name)
    edges = _supports(frontal, x, z)
    canal = np.array([middle, (front + y[row.stop - 1]) / 2, corners[:, 1].mean()])
    return (
        np.stack([np.full(4, middle), corners[:, 0], corners[:, 1]], 1),
        np.stack([edges[:, 0], np.full(4, axial), edges[:, 1]], 1),
        canal,
    )


def _canal(footprint: Mask, name: str) -> tuple[slice, slice]:
    """Columns and rows of the largest hole of a plan ``[y, x]``."""
    holes, number = ndimage.label(ndimage.binary_fill_holes(footprint) & ~footprint)
    if number == 0:
        raise AtlasError(f"{name}: no vertebral canal is seen from above; expected a whole vertebra, upright")
    largest = int(np.argmax(np.bincount(holes.ravel())[1:])) + 1
    rows, columns = ndimage.find_objects(holes)[largest - 1]
    return columns, rows


def _piece(section: Mask, name: str) -> Mask:
    """The largest connected piece of a section: the body."""
    pieces, number = ndimage.label(section)
    if number == 0:
        raise AtlasError(f"{name}: no body in front of the canal; check the axes in the atlas's description")
    return np.asarray(pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])))


def _supports(section: Mask, across: Array, up: Array) -> Array:
    """The four corners ``(4, 2)`` of a section ``[up, across]``: its furthest points along the diagonals, upper low,
    upper high, lower high, lower low side of the axis across."""
    rows, columns = np.nonzero(section)
    a, u = across[columns], up[rows]
    wide, tall = np.ptp(a), np.ptp(u)
    found = []
    for across_sign, up_sign in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
        reach = across_sign * a / wide + up_sign * u / tall
        best = reach > reach.max() - 0.02
        found.append([a[best].mean(), u[best].mean()])
    return np.array(found)


def _arch(solid: Lattice, corners: Array, name: str) -> Array:
    """The landmarks of `NAMES` behind the body, in the frame of the lattice."""
    inside: Mask = np.asarray(solid.values > 0.5)
    x, y, z = (solid.origin[axis] + solid.pitch * np.arange(inside.shape[2 - axis]) for axis in range(3))
    height = float(corners[:2, 2].mean() - corners[2:, 2].mean())
    wall = float(corners[1:3, 1].mean())
    column, row = _ring(inside, z, height, name)
    right, left, back = x[column.start], x[column.stop - 1], y[row.stop - 1]
    depth = back - wall
    pedicles = [_pedicle(inside, x, y, z, side, edge, wall, depth, name) for side, edge in ((-1, right), (1, left))]
    level = float(np.mean([pedicle[0, 2] for pedicle in pedicles]))
    mid = float(wall + depth / 2)
    points = np.stack(np.meshgrid(z, y, x, indexing="ij"), -1)[inside][:, ::-1]
    behind = points[points[:, 1] > wall]
    arch = behind[behind[:, 1] > mid]
    half = (left - right) / 2
    near = arch[(abs(arch[:, 0]) > 0.4 * half) & (abs(arch[:, 0]) < 2.6 * half)]
    return np.vstack(
        [
            [[(left + right) / 2, back, level], [right, mid, level], [left, mid, level]],
            *pedicles,
            _tip(behind, -behind[:, 0]),
            _tip(behind, behind[:, 0]),
            _tip(arch[abs(arch[:, 0]) < half], arch[abs(arch[:, 0]) < half][:, 1]),
            *(_tip(near[near[:, 0] * side > 0], near[near[:, 0] * side > 0][:, 2]) for side in (-1, 1)),
            *(_tip(near[near[:, 0] * side > 0], -near[near[:, 0] * side > 0][:, 2]) for side in (-1, 1)),
        ]
    )


def _ring(inside: Mask, z: Array, height: float, name: str) -> tuple[slice, slice]:
    """The canal where the bone around it is closed, nearest to the pedicles' height; seen from above if nowhere."""
    for level in np.argsort(abs(z - 0.15 * height), kind="stable"):
        if abs(z[level]) < 0.7 * height:
            holes = ndimage.binary_fill_holes(inside[level]) & ~inside[level]
            if holes.sum() * (z[1] - z[0]) ** 2 > 100:
                return _canal(inside[level], name)
    return _canal(np.asarray(inside.any(0)), name)


def _pedicle(
    inside: Mask, x: Array, y: Array, z: Array, side: int, edge: float, wall: float, depth: float, name: str
) -> Array:
    """Outer, top and bottom ``(3, 3)`` of a pedicle where it is thinnest behind the body's back wall."""
    best: tuple[float, Mask, float] | None = None
    outwards = (side * x > side * edge - 4) & (side * x < side * edge + 25)
    for row in np.nonzero((y > wall + 1) & (y < wall + 0.55 * depth))[0]:
        pieces, number = ndimage.label(inside[:, row] & outwards)
        if number:
            piece = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
            if best is None or piece.sum() < best[0]:
                best = (float(piece.sum()), piece, float(y[row]))
    if best is None:
        raise AtlasError(f"{name}: no pedicle beside the canal; expected a vertebra with its arch")
    _, piece, at = best
    centre_z, centre_x = ndimage.center_of_mass(piece)
    across = np.nonzero(piece[round(centre_z)])[0]
    upright = np.nonzero(piece[:, round(centre_x)])[0]
    outer = x[across].max() if side > 0 else x[across].min()
    middle = x[round(centre_x)]
    return np.array([[outer, at, z[round(centre_z)]], [middle, at, z[upright].max()], [middle, at, z[upright].min()]])


def _tip(points: Array, reach: Array) -> Array:
    """The middle of the furthest points ``(1, 3)``."""
    return np.asarray(points[reach > reach.max() - 1.5].mean(0, keepdims=True))
