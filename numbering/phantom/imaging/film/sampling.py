"""How finely a film is computed: full size for the archive, coarse for training."""

from __future__ import annotations

from dataclasses import dataclass

from numbering.phantom.imaging.film.projection import Blocks


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Pitch of the pixels, mm; widths of the lattices' cells in pixels; steps along the rays, mm."""

    pitch: float
    fine: int
    """Vertebrae, metal, calcification."""
    middle: int
    """Ribs, pelvis, limbs."""
    soft: int
    soft_step: float
    fine_blocks: Blocks
    middle_blocks: Blocks

    @staticmethod
    def full(pitch: float) -> Sampling:
        """A film as an archive holds it."""
        return Sampling(
            pitch=pitch,
            fine=max(1, round(0.42 / pitch)),
            middle=max(1, round(0.7 / pitch)),
            soft=max(1, round(2.2 / pitch)),
            soft_step=5.0,
            fine_blocks=Blocks(side=8, steps=2, step=1.6),
            middle_blocks=Blocks(side=8, steps=2, step=2.4),
        )

    @staticmethod
    def quick(pitch: float) -> Sampling:
        """A small film for training: a pixel is a cell."""
        return Sampling(
            pitch=pitch,
            fine=1,
            middle=max(1, round(1.3 / pitch)),
            soft=max(1, round(3.4 / pitch)),
            soft_step=10.0,
            fine_blocks=Blocks(side=4, steps=2, step=2.0),
            middle_blocks=Blocks(side=4, steps=2, step=2.5),
        )
