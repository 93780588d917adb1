"""Vertebrae, discs and spine variants: the one place that knows their order and their names.

A vertebra's truth is its ordinal counted from C1 (C1 = 1); its name follows from the patient's `Variant`. A spine with
eleven thoracic vertebrae has L1 at ordinal 19, a spine with thirteen has T13 there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import total_ordering
from itertools import pairwise


@total_ordering
class Level(Enum):
    """A vertebra, declared head to foot; that order is what ``<`` means.

    T13 and L6 are members because some spines have them, and a numbering that cannot say so shifts every level below
    by one.
    """

    C1, C2, C3, C4, C5, C6, C7 = (f"C{n}" for n in range(1, 8))
    T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13 = (f"T{n}" for n in range(1, 14))
    L1, L2, L3, L4, L5, L6 = (f"L{n}" for n in range(1, 7))
    S1, S2, S3, S4, S5 = (f"S{n}" for n in range(1, 6))

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        return _POSITION[self] < _POSITION[other]

    def __str__(self) -> str:
        return str(self.value)

    @property
    def region(self) -> str:
        """``C``, ``T``, ``L`` or ``S``."""
        return str(self.value)[0]

    @classmethod
    def parse(cls, name: str) -> Level:
        """The level of this name; ``ValueError`` names what was expected."""
        try:
            return cls(name.strip().upper())
        except ValueError:
            raise ValueError(f"{name!r} is not a vertebra: expected C1…C7, T1…T13, L1…L6 or S1…S5") from None


def from_to(names: Iterable[str]) -> str:
    """The highest and the lowest of these vertebrae and discs in words; empty for none.

    >>> from_to(["L1", "S1", "T12", "L1-L2"]), from_to(["L5", "L5"]), from_to([])
    ('T12 to S1', 'L5', '')
    """
    ordered = sorted(set(names), key=lambda name: Level.parse(name.partition("-")[0]))
    return f"{ordered[0]} to {ordered[-1]}" if len(ordered) > 1 else "".join(ordered)


_POSITION = {level: position for position, level in enumerate(Level)}


@dataclass(frozen=True)
class Variant:
    """How many thoracic and lumbar-type vertebrae a spine has; seven cervical and five sacral segments always.

    >>> [str(level) for level in Variant(thoracic=13, lumbar=4).levels()[18:25]]
    ['T12', 'T13', 'L1', 'L2', 'L3', 'L4', 'S1']
    """

    thoracic: int = 12
    lumbar: int = 5

    def __post_init__(self) -> None:
        if self.thoracic not in (11, 12, 13) or self.lumbar not in (4, 5, 6):
            raise ValueError(f"no variant {self.thoracic}T+{self.lumbar}L: expected 11–13 thoracic, 4–6 lumbar")

    def levels(self) -> tuple[Level, ...]:
        """All levels of this spine, head to foot."""
        counts = {"C": 7, "T": self.thoracic, "L": self.lumbar, "S": 5}
        return tuple(level for level in Level if int(str(level)[1:]) <= counts[level.region])

    def ordinal(self, level: Level) -> int:
        """Position counted from C1 = 1; ``ValueError`` when this spine has no such level."""
        try:
            return self.levels().index(level) + 1
        except ValueError:
            raise ValueError(f"a spine of {self} has no {level}") from None

    def name(self, ordinal: int) -> Level:
        """The level at this position counted from C1 = 1."""
        return self.levels()[ordinal - 1]

    def discs(self) -> tuple[Disc, ...]:
        """The discs from C2-C3 to the last lumbar vertebra's with S1, head to foot."""
        levels = self.levels()
        last = levels.index(Level.S1)
        return tuple(Disc(upper, lower) for upper, lower in pairwise(levels[1 : last + 1]))

    def __str__(self) -> str:
        return f"7C+{self.thoracic}T+{self.lumbar}L"


USUAL = Variant()
VARIANTS = tuple(Variant(thoracic, lumbar) for thoracic in (12, 11, 13) for lumbar in (5, 4, 6))


@total_ordering
@dataclass(frozen=True)
class Disc:
    """The disc between two vertebrae that are neighbours in at least one `Variant`.

    >>> str(Disc(Level.L4, Level.L5)), str(Disc.parse("t11-l1"))
    ('L4-L5', 'T11-L1')
    """

    upper: Level
    lower: Level

    def __post_init__(self) -> None:
        if (self.upper, self.lower) not in _ADJACENT:
            raise ValueError(f"{self.upper} and {self.lower} are neighbours in no spine")

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Disc):
            return NotImplemented
        return (self.upper, self.lower) < (other.upper, other.lower)

    def __str__(self) -> str:
        return f"{self.upper}-{self.lower}"

    @classmethod
    def parse(cls, name: str) -> Disc:
        """The disc spelt ``L4-L5``."""
        upper, dash, lower = name.partition("-")
        if not dash:
            raise ValueError(f"{name!r} is not a disc: expected two vertebrae with a hyphen, like L4-L5")
        return cls(Level.parse(upper), Level.parse(lower))


def _adjacent() -> Iterable[tuple[Level, Level]]:
    for variant in VARIANTS:
        levels = variant.levels()
        last = levels.index(Level.S1)
        yield from pairwise(levels[1 : last + 1])


_ADJACENT = frozenset(_adjacent())
