"""Meshes from files: OBJ, STL, legacy VTK, or vertices and faces as CSV; millimetres, axes of the phantom.

vtk is imported when a mesh is read: only training from an atlas needs it (``pip install numbering[train]``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Array = NDArray[np.float64]
Faces = NDArray[np.int64]

AXES = {"left": (0, 1), "right": (0, -1), "back": (1, 1), "front": (1, -1), "up": (2, 1), "down": (2, -1)}
"""Direction → column and sign in the phantom's frame (x left, y back, z up)."""


class AtlasError(RuntimeError):
    """A mesh or a folder of an atlas is not what its description says; the message names the file and what to do."""


@dataclass(frozen=True)
class Mesh:
    """A surface of triangles. ``points`` ``(n, 3)`` mm, x left, y back, z up; ``faces`` ``(m, 3)`` indices."""

    points: Array
    faces: Faces

    def moved(self, centre: Array, rotation: Array) -> Mesh:
        """The same surface in a frame at ``centre`` whose axes are the columns of ``rotation``."""
        return Mesh((self.points - centre) @ rotation, self.faces)

    def largest_parts(self, count: int) -> list[Mesh]:
        """The ``count`` connected parts with most points, head to foot."""
        edges = np.concatenate([self.faces[:, :2], self.faces[:, 1:]])
        joined = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(self.points),) * 2)
        number, part = connected_components(joined, directed=False)
        if number < count:
            raise AtlasError(f"the mesh has {number} separate parts; {count} vertebrae were expected in it")
        sizes = np.bincount(part)
        found = []
        for index in np.argsort(-sizes, kind="stable")[:count]:
            kept = part == index
            renumbered = np.cumsum(kept) - 1
            found.append(Mesh(self.points[kept], renumbered[self.faces[kept[self.faces[:, 0]]]]))
        return sorted(found, key=lambda mesh: -float(mesh.points[:, 2].mean()))


def read(path: Path, axes: tuple[str, str, str], scale: tuple[float, float, float]) -> Mesh:
    """The mesh of a file, once cleaned (points that coincide are one; strips and polygons are triangles).

    ``axes`` says where the file's x, y and z point ("left", "back", "up" and opposites), ``scale`` turns its units
    into mm, axis by axis of the file. Raises `AtlasError` for a file that is missing, empty or no mesh.
    """
    if not path.is_file():
        raise AtlasError(f"{path}: no such file; check the atlas's folder against its description")
    points, faces = _csv(path) if path.suffix == ".csv" else _vtk(path)
    if len(faces) < 4 or not np.isfinite(points).all():
        raise AtlasError(f"{path}: {len(points)} points and {len(faces)} triangles; expected a closed surface")
    turned = np.empty_like(points)
    for axis, (direction, factor) in enumerate(zip(axes, scale, strict=True)):
        column, sign = AXES[direction]
        turned[:, column] = points[:, axis] * sign * factor
    return Mesh(turned, faces)


def _csv(path: Path) -> tuple[Array, Faces]:
    """``…_vertices.csv`` with its ``…_faces.csv`` beside it, which counts from one."""
    faces_path = path.with_name(path.name.replace("vertices", "faces"))
    if not faces_path.is_file():
        raise AtlasError(f"{path}: its faces are expected in {faces_path.name} beside it")
    points = np.loadtxt(path, delimiter=",", ndmin=2)
    faces = np.loadtxt(faces_path, delimiter=",", ndmin=2).astype(np.int64)
    return points, faces - faces.min()


def _vtk(path: Path) -> tuple[Array, Faces]:
    try:
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkFiltersCore import vtkCleanPolyData, vtkTriangleFilter
        from vtkmodules.vtkIOGeometry import vtkOBJReader, vtkSTLReader
        from vtkmodules.vtkIOLegacy import vtkPolyDataReader
    except ImportError as error:
        raise AtlasError("reading an atlas needs vtk: pip install 'numbering[train]'") from error
    readers: dict[str, Any] = {".obj": vtkOBJReader, ".stl": vtkSTLReader, ".vtk": vtkPolyDataReader}
    if path.suffix not in readers:
        raise AtlasError(f"{path}: a mesh is expected as {', '.join(sorted(readers))} or a pair of .csv")
    reader = readers[path.suffix]()
    reader.SetFileName(str(path))
    triangles, clean = vtkTriangleFilter(), vtkCleanPolyData()
    triangles.SetInputConnection(reader.GetOutputPort())
    triangles.PassVertsOff()
    triangles.PassLinesOff()
    clean.SetInputConnection(triangles.GetOutputPort())
    clean.Update()
    found = clean.GetOutput()
    if found.GetNumberOfPolys() == 0:
        raise AtlasError(f"{path}: no surface in it; expected the triangles of one bone")
    return (
        vtk_to_numpy(found.GetPoints().GetData()).astype(float),
        vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64),
    )
