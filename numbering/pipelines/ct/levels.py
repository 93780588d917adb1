"""Where along the spine a vertebra stands, as one patch of a CT can show it: the number that `instance` regresses.

A patch shows ribs, a sacrum or a dens, and not how many vertebrae there are. So its number is not the ordinal but a
*place* on the usual spine: C1 is 1, T1 is 8, the last thoracic vertebra (T11, T12 or T13) is 19, L1 is 20, the lowest
lumbar-type vertebra (L4, L5 or L6) is 24; what is between them is spread evenly. In the usual spine places are the
paper's integers (Methods 2.1). The solver (`numbering.enumeration`) makes names of places.
"""

from __future__ import annotations

from numbering.anatomy import USUAL, Level, Variant

FIRST_THORACIC, LAST_THORACIC, FIRST_LUMBAR, LAST_LUMBAR = 8.0, 19.0, 20.0, 24.0
EMPTY = 0.0
"""The level of a patch without a vertebra to segment, as in the paper."""


def place(level: Level, variant: Variant = USUAL) -> float:
    """The place of a vertebra C1…L6 in a spine of this variant; ``ValueError`` when it has no such vertebra.

    >>> place(Level.L1), place(Level.L5), place(Level.T13, Variant(13, 4))
    (20.0, 24.0, 19.0)
    >>> place(Level.L6, Variant(12, 6)), place(Level.L5, Variant(12, 6))
    (24.0, 23.2)
    """
    variant.ordinal(level)
    number = int(str(level)[1:])
    if level.region == "C":
        return float(number)
    if level.region == "T":
        return FIRST_THORACIC + (number - 1) * (LAST_THORACIC - FIRST_THORACIC) / (variant.thoracic - 1)
    if level.region == "L":
        return FIRST_LUMBAR + (number - 1) * (LAST_LUMBAR - FIRST_LUMBAR) / (variant.lumbar - 1)
    raise ValueError(f"{level} has no place: expected a vertebra C1…L6")
