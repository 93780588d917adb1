"""How much of a pixel lies inside a surface, from the signed distance of its middle."""

from __future__ import annotations

from torch import Tensor


def covered(distance: Tensor, edge_mm: float) -> Tensor:
    """0…1; a triangular pixel of half width ``edge_mm``.

    A triangle, not a box: neighbouring layers of a thick slice then add up without ripples where a surface runs at an
    angle through them.
    """
    place = (distance / edge_mm).clamp(-1, 1)
    return 0.5 - place + 0.5 * place * place.abs()
