"""A surface as a lattice of signed distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from numbering.phantom.shapes.atlas.mesh import AtlasError, Mesh

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lattice:
    """``values`` ``[z, y, x]`` at ``origin + pitch * (x, y, z)``, mm."""

    values: NDArray[np.float32]
    origin: Array
    pitch: float

    def at(self, points: Array) -> Array:
        """Values at ``(n, 3)`` points, linear between the lattice's."""
        index = (points - self.origin) / self.pitch
        return np.asarray(ndimage.map_coordinates(self.values, index[:, ::-1].T, order=1, mode="nearest"), float)

    def gradient(self, points: Array) -> Array:
        """Central differences ``(n, 3)``."""
        step = self.pitch * np.eye(3)
        sides = [(self.at(points + axis) - self.at(points - axis)) / (2 * self.pitch) for axis in step]
        return np.stack(sides, 1)

    def onto_surface(self, points: Array) -> Array:
        """The nearest points of the surface, for points near it."""
        moved = points.copy()
        for _ in range(4):
            slope = self.gradient(moved)
            moved -= slope * (self.at(moved) / np.maximum((slope**2).sum(1), 0.25))[:, None]
        return moved


def occupied(mesh: Mesh, pitch: float, margin: float) -> Lattice:
    """1 inside the surface, 0 outside; cavities are filled. Raises `AtlasError` where nothing is inside."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersModeling import vtkFillHolesFilter
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

    surface, points, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(mesh.points), deep=True))
    connectivity = numpy_to_vtkIdTypeArray(np.ascontiguousarray(mesh.faces.ravel()), deep=True)
    cells.SetData(3, connectivity)
    surface.SetPoints(points)
    surface.SetPolys(cells)
    closed = vtkFillHolesFilter()
    closed.SetInputData(surface)
    closed.SetHoleSize(float(np.ptp(mesh.points, axis=0).max()) / 4)

    low = mesh.points.min(0) - margin
    shape = np.ceil((mesh.points.max(0) + margin - low) / pitch).astype(int) + 1
    stencil, image = vtkPolyDataToImageStencil(), vtkImageStencilToImage()
    stencil.SetInputConnection(closed.GetOutputPort())
    stencil.SetOutputOrigin(*low)
    stencil.SetOutputSpacing(pitch, pitch, pitch)
    stencil.SetOutputWholeExtent(0, int(shape[0]) - 1, 0, int(shape[1]) - 1, 0, int(shape[2]) - 1)
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.SetOutputScalarTypeToUnsignedChar()
    image.Update()
    inside = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape(shape[::-1])
    filled = ndimage.binary_fill_holes(inside)
    if not filled.any():
        raise AtlasError(f"a mesh of {len(mesh.faces)} triangles holds no volume; expected a closed surface")
    return Lattice(np.asarray(filled, np.float32), low, pitch)


def signed_distance(mesh: Mesh, pitch: float, margin: float = 6.0, smooth_mm: float = 0.0) -> Lattice:
    """Distances to the surface in mm, negative inside.

    Voxelised at half the pitch and averaged two by two by two, so that the surface lies within about a tenth of a
    millimetre of the mesh's.
    """
    fine = occupied(mesh, pitch / 2, margin)
    inside = fine.values > 0.5
    inside = np.pad(inside, [(0, size % 2) for size in inside.shape])
    half = pitch / 4
    outward = ndimage.distance_transform_edt(~inside, sampling=pitch / 2)
    inward = ndimage.distance_transform_edt(inside, sampling=pitch / 2)
    distance = np.where(inside, half - inward, outward - half).astype(np.float32)
    z, y, x = (size // 2 for size in distance.shape)
    coarse = distance.reshape(z, 2, y, 2, x, 2).mean((1, 3, 5))
    if smooth_mm > 0:
        coarse = ndimage.gaussian_filter(coarse, smooth_mm / pitch, mode="nearest")
    return Lattice(np.ascontiguousarray(coarse, np.float32), fine.origin + half, pitch)
