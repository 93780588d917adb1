"""The two uppermost vertebrae: the dens and shoulders of C2, and the ring of C1 around it, in C2's own frame."""

from __future__ import annotations

from numbering.phantom.anatomy.patient import Vertebra
from numbering.phantom.shapes.arch import hind_wall
from numbering.phantom.shapes.solids import Part, ball, bar

DENS_MM = 15.0
"""Height of the dens over the body."""


def dens(vertebra: Vertebra) -> list[Part]:
    """The dens, and the shoulders that carry C1."""
    size = vertebra.size
    top, front = size.height / 2, -size.upper_depth / 2
    parts = [
        bar([0, front + 6.0, top - 4], [0, front + 6.5, top + DENS_MM - 4.6], (5.0, 4.6), blend=3.0),
    ]
    for side in (-1.0, 1.0):
        parts.append(
            bar(
                [side * 9.5, front + 8.0, top - 1.0],
                [side * 15.5, front + 8.5, top - 4.0],
                3.6,
                across=[0, 1, 0],
                wide=4.0,
                blend=4.0,
            )
        )
    return parts


def atlas(vertebra: Vertebra) -> list[Part]:
    """C1: two lateral masses and two arches, two millimetres above C2's shoulders."""
    size = vertebra.size
    top, front, back = size.height / 2, -size.upper_depth / 2, hind_wall(vertebra)
    level = top + 8.0
    parts: list[Part] = []
    for side in (-1.0, 1.0):
        parts += [
            bar([side * 13, front + 8, level], [side * 19, front + 9, level + 1.5], 4.6, across=[0, 1, 0], wide=4.0),
            bar([side * 13, front + 4, level], [0, front - 3.5, level], 3.0, across=[0, 0, 1], wide=1.5),
            bar(
                [side * 20, front + 11, level],
                [side * 34.5, front + 14, level - 1],
                (3.4, 3.0),
                across=[0, 0, 1],
                wide=1.0,
            ),
            bar(
                [side * 17, front + 14, level],
                [0, back + size.canal_depth + 9.0, level - 1.0],
                (3.0, 2.8),
                across=[0, 0, 1],
                wide=1.5,
                bow=[side * 5.0, 1.5, 0],
            ),
        ]
    parts.append(ball([0, back + size.canal_depth + 11.0, level - 1.0], 3.2))
    return parts
