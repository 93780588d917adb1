"""A smooth warp through pairs of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Warp:
    """The spline of least bending in space (kernel ``r``) that takes ``controls`` ``(n, 3)`` to their images."""

    controls: Array
    weights: Array
    """``(n + 4, 3)``: of the kernels, then the affine part (constant, x, y, z)."""

    @staticmethod
    def through(controls: Array, images: Array, slack: Array | float = 0.0) -> Warp:
        """Exact where ``slack`` (mm, for each control) is 0, smoother where it is not; at least four controls must not
        lie in one plane. Affine far away."""
        number = len(controls)
        affine = np.hstack([np.ones((number, 1)), controls])
        kernel = np.linalg.norm(controls[:, None] - controls[None], axis=2) - np.diag(np.broadcast_to(slack, number))
        system = np.block([[kernel, affine], [affine.T, np.zeros((4, 4))]])
        return Warp(controls, np.linalg.solve(system, np.vstack([images, np.zeros((4, 3))])))

    def __call__(self, points: Array) -> Array:
        """Images ``(n, 3)`` of points ``(n, 3)``."""
        return self.on(torch.as_tensor(points, dtype=torch.float64)).numpy()

    def on(self, points: Tensor) -> Tensor:
        """The same for a tensor ``(..., 3)``, on its device and in its precision."""
        controls = torch.as_tensor(self.controls, dtype=points.dtype, device=points.device)
        weights = torch.as_tensor(self.weights, dtype=points.dtype, device=points.device)
        flat = points.reshape(-1, 3)
        kernel = torch.cdist(flat, controls, compute_mode="donot_use_mm_for_euclid_dist")
        return (kernel @ weights[:-4] + weights[-4] + flat @ weights[-3:]).reshape(points.shape)
