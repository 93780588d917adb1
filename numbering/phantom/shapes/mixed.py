"""Several sources of shapes in one, for training: each patient has the bones of one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.source import ShapeSource


class Mixed:
    """A `numbering.phantom.shapes.source.ShapeSource`: which of ``sources`` a patient gets follows from the seed.

    ``weights`` are their shares, equal by default. Raises `ValueError` for no source or weights that do not match.
    """

    def __init__(self, sources: Sequence[ShapeSource], weights: Sequence[float] | None = None) -> None:
        shares = np.ones(len(sources)) if weights is None else np.asarray(weights, float)
        if len(sources) == 0 or len(shares) != len(sources) or (shares < 0).any() or shares.sum() == 0:
            raise ValueError(f"{len(sources)} sources and weights {weights}: expected one share for each source")
        self.name = "mixed"
        self._sources = tuple(sources)
        self._shares = shares / shares.sum()

    def of(self, skeleton: Skeleton) -> ShapeSource:
        """The source of this patient."""
        rng = np.random.default_rng([skeleton.patient.seed, 4])
        return self._sources[int(rng.choice(len(self._sources), p=self._shares))]

    def vertebra(self, skeleton: Skeleton, placed: Placed) -> list[Structure]:
        """The vertebra."""
        return self.of(skeleton).vertebra(skeleton, placed)

    def sacrum(self, skeleton: Skeleton) -> list[Structure]:
        """Sacrum and coccyx."""
        return self.of(skeleton).sacrum(skeleton)

    def pelvis(self, skeleton: Skeleton) -> list[Structure]:
        """Hip bones and the upper femora."""
        return self.of(skeleton).pelvis(skeleton)

    def ribs(self, skeleton: Skeleton) -> list[Structure]:
        """Every rib, right and left."""
        return self.of(skeleton).ribs(skeleton)

    def skull(self, skeleton: Skeleton) -> list[Structure]:
        """Base of the skull and jaw."""
        return self.of(skeleton).skull(skeleton)
