"""A smooth warp through pairs of points, and its quick evaluation on a lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Warp:
    """The spline of least bending in space (kernel ``r``) that takes each of ``controls`` ``(n, 3)`` to its image."""

    controls: Array
    weights: Array
    """``(n + 4, 3)``: of the kernels, then the affine part (constant, x, y, z)."""

    @staticmethod
    def through(controls: Array, images: Array) -> Warp:
        """Exact at the controls, affine far away. At least four controls must not lie in one plane."""
        number = len(controls)
        affine = np.hstack([np.ones((number, 1)), controls])
        kernel = np.linalg.norm(controls[:, None] - controls[None], axis=2)
        system = np.block([[kernel, affine], [affine.T, np.zeros((4, 4))]])
        return Warp(controls, np.linalg.solve(system, np.vstack([images, np.zeros((4, 3))])))

    def __call__(self, points: Array) -> Array:
        """Images ``(n, 3)`` of points ``(n, 3)``."""
        kernel = np.linalg.norm(points[:, None] - self.controls[None], axis=2)
        return np.asarray(kernel @ self.weights[:-4] + self.weights[-4] + points @ self.weights[-3:])

    def on(self, points: Tensor) -> Tensor:
        """The same on the points' device, float32 ``(..., 3)``."""
        controls = torch.as_tensor(self.controls, dtype=torch.float32, device=points.device)
        weights = torch.as_tensor(self.weights, dtype=torch.float32, device=points.device)
        flat = points.reshape(-1, 3)
        kernel = torch.cdist(flat, controls, compute_mode="donot_use_mm_for_euclid_dist")
        return (kernel @ weights[:-4] + weights[-4] + flat @ weights[-3:]).reshape(points.shape)
