"""What the network tells apart: the five lowest presacral discs, counted up from the sacrum, and none of these.

The network sees where a disc stands above the sacrum, not what it is called. The names of the classes are those of the
usual spine; which discs they are in another one, `discs_of` says. The solver decides between spines.
"""

from __future__ import annotations

from functools import cache

from numbering.anatomy import USUAL, Disc, Variant

POSITIONS = 5
"""Discs that have a class, the lowest presacral one last."""
CLASSES = (*(str(disc) for disc in USUAL.discs()[-POSITIONS:]), "none")
"""``L1-L2`` … ``L5-S1`` and ``none``: between two discs, above the fifth, below the last, or no lumbar spine at all."""
NONE = POSITIONS
"""Index of the class ``none``."""


@cache
def discs_of(variant: Variant) -> tuple[Disc, ...]:
    """The five discs that the classes 0…4 mean in this spine, head to foot.

    >>> [str(disc) for disc in discs_of(Variant(lumbar=4))]
    ['T12-L1', 'L1-L2', 'L2-L3', 'L3-L4', 'L4-S1']
    """
    return variant.discs()[-POSITIONS:]


def class_of(disc: Disc | None, variant: Variant) -> int:
    """The class of a slice through this disc of this spine; `NONE` for any other place.

    >>> CLASSES[class_of(Disc.parse("L6-S1"), Variant(lumbar=6))]
    'L5-S1'
    """
    found = discs_of(variant)
    return found.index(disc) if disc in found else NONE
