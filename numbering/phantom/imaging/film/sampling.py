"""How finely a film is computed: full size for the archive, coarse for training."""

from __future__ import annotations

from dataclasses import dataclass

from numbering.phantom.imaging.film.projection import Blocks


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Pitch of the pixels, mm; widths of the lattices' cells; steps along the rays, mm."""

    pitch: float
    cell: int
    """Width of a cell in pixels."""
    soft: int
    """Width of soft tissue's cells, in cells."""
    soft_step: float
    blocks: Blocks
    """How bones' cells are cut."""

    @staticmethod
    def full(pitch: float) -> Sampling:
        """A film as an archive holds it."""
        cell = max(1, round(0.4 / pitch))
        return Sampling(
            pitch=pitch,
            cell=cell,
            soft=max(1, round(2.2 / (pitch * cell))),
            soft_step=5.0,
            blocks=_blocks(pitch * cell),
        )

    @staticmethod
    def quick(pitch: float) -> Sampling:
        """A small film for training: a pixel is a cell."""
        return Sampling(pitch=pitch, cell=1, soft=max(1, round(3.4 / pitch)), soft_step=10.0, blocks=_blocks(pitch))


BLOCK_MM = 3.3


def _blocks(cell_mm: float) -> Blocks:
    """Cubes at the patient, so small that a distance (`numbering.phantom.shapes.field`) holds from their middles
    to their corners."""
    side = max(2, round(BLOCK_MM / cell_mm))
    return Blocks(side=side, steps=2, step=1.6, knots=3)
