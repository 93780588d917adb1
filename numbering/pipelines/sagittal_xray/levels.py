"""The 24 levels of the networks' channels, and which channel a vertebra of an unusual spine trains.

Channels are *positions*, not names: an image shows how far a vertebra lies above the sacrum, or from the last rib, and
not what it is called. The solver (`numbering.enumeration`) makes names of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from numbering.anatomy import Level

LEVELS24: tuple[Level, ...] = tuple(
    Level.parse(name)
    for name in (
        *(f"C{n}" for n in range(2, 8)),
        *(f"T{n}" for n in range(1, 13)),
        *(f"L{n}" for n in range(1, 6)),
        "S1",
    )
)
"""Head to foot, as in the paper (Methods: Dataset): C2…C7, T1…T12, L1…L5, S1."""
CHANNEL: dict[Level, int] = {level: index for index, level in enumerate(LEVELS24)}
SACRUM = CHANNEL[Level.S1]
LOWEST_PRESACRAL = CHANNEL[Level.L5]
LAST_RIB = CHANNEL[Level.T12]

CORNERS = ("upper-anterior", "upper-posterior", "lower-posterior", "lower-anterior")
"""Order of the four corners in every array; S1 has the first two."""


class _Vertebra(Protocol):
    @property
    def ordinal(self) -> int: ...
    @property
    def rib_bearing(self) -> bool: ...


def channels(vertebrae: Sequence[_Vertebra], lowest: int, *, sacrum_in_view: bool) -> list[int | None]:
    """The channel of each vertebra in view, None where there is none for it.

    ``vertebrae`` come head to foot; ``lowest`` is the ordinal (C1 = 1) of the patient's lowest presacral vertebra.
    Positions are counted up from the sacrum where it is in view; else from the last rib, where vertebrae with and
    without ribs are in view below the neck; else down from the dens. So the last of six lumbar vertebrae trains L5.
    """
    ordinals = [one.ordinal for one in vertebrae]
    shift = _shift(vertebrae, lowest, sacrum_in_view)
    found = [ordinal - 2 + shift for ordinal in ordinals]
    return [channel if 0 <= channel <= LOWEST_PRESACRAL else None for channel in found]


def _shift(vertebrae: Sequence[_Vertebra], lowest: int, sacrum_in_view: bool) -> int:
    """What is added to a vertebra's place below C2."""
    if sacrum_in_view:
        return LOWEST_PRESACRAL - (lowest - 2)
    for upper, lower in pairwise(vertebrae):
        if upper.rib_bearing and not lower.rib_bearing:
            return LAST_RIB - (upper.ordinal - 2)
    return 0
