"""What the networks are asked, and on which part of the working volume; a test can answer in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.ct.model.preprocess import Direction, direct_grid
from numbering.pipelines.ct.model.runtime import Instance, Networks
from numbering.pipelines.ct.reading.working import Working
from numbering.pipelines.ct.sizes import CLASSES, Size

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DirectLook:
    """What the direct network sees: ``probabilities`` ``[class, slice, row, column]`` of ``classes`` on its own grid;
    working index = index * ``step`` + ``first``."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    step: Array
    first: Array


class Eyes(Protocol):
    """The networks, looking at a working volume."""

    size: Size

    def whole(self, working: Working) -> DirectLook:
        """The direct network on all of it."""
        ...

    def patch(
        self, working: Working, corner: NDArray[np.intp], memory: NDArray[np.bool_], direction: Direction
    ) -> Instance:
        """The instance network on ``size.side`` voxels a side from ``corner`` on, which may lie outside; ``memory`` has
        the patch's shape."""
        ...


class NetworkEyes:
    """The networks as they are."""

    def __init__(self, networks: Networks) -> None:
        self.networks, self.size = networks, networks.size

    def whole(self, working: Working) -> DirectLook:
        """See `Eyes`."""
        grid = direct_grid(working.hu, self.size)
        return DirectLook(CLASSES[self.size.classes], self.networks.direct(grid.hu), grid.step, grid.first)

    def patch(
        self, working: Working, corner: NDArray[np.intp], memory: NDArray[np.bool_], direction: Direction
    ) -> Instance:
        """See `Eyes`."""
        return self.networks.instance(working.patch(corner, (self.size.side,) * 3), memory, direction)
