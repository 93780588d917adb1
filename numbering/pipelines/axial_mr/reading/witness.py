"""What sagittal images of the same examination say of a numbering: discs in the same order, as many, as far apart.

They are read by other means (`column`), know no levels, and show the column whole. So they cannot say which disc is
which, but whether a disc was passed over or counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from numbering.pipelines.axial_mr.reading.column import Column, clearest
from numbering.pipelines.axial_mr.reading.course import Course
from numbering.plane import Plane
from numbering.stack import Stack

BEYOND_MM = 45.0
"""The column is followed so far beyond the numbered slices: one disc more to either side."""
AT_DISC_MM = 10.0
"""A slice this near to the middle of a disc lies at it: half a disc, a slice, and how patients move between series."""


class Verdict(StrEnum):
    """What the witness says."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Shown:
    """A numbered disc: its name, its position counted from above, and the slice that shows it best."""

    name: str
    position: int
    plane: Plane


@dataclass(frozen=True, eq=False)
class Told:
    """What was found, in words; ``column`` where sagittal images show one."""

    verdict: Verdict
    words: str
    column: Column | None = None

    @property
    def contradicts(self) -> bool:
        """Whether the numbering cannot be right if the witness is."""
        return self.verdict is Verdict.CONTRADICTS


def testimony(shown: Sequence[Shown], course: Course, companions: Sequence[Stack]) -> Told | None:
    """On these discs, head to foot; None without sagittal images or without a disc."""
    if not companions or not shown:
        return None
    cuts = [cut for cut in (course.cut(one.plane) for one in shown) if cut is not None]
    column = clearest(companions, course, min(cuts) - BEYOND_MM, max(cuts) + BEYOND_MM)
    if column is None:
        return Told(Verdict.UNCLEAR, "sagittal images do not show the column clearly where the axial slices lie")
    return judged(shown, column)


def judged(shown: Sequence[Shown], column: Column) -> Told:
    """Whether these discs, head to foot, are discs of the column, and as many apart as their names say."""
    at: Mapping[int, int] = {}
    off = []
    for number, one in enumerate(shown):
        place = column.course.cut(one.plane)
        if place is None or not column.discs[0] - AT_DISC_MM <= place <= column.discs[-1] + AT_DISC_MM:
            continue
        nearest = int(np.argmin(np.abs(column.discs - place)))
        if abs(column.discs[nearest] - place) <= AT_DISC_MM:
            at = {**at, number: nearest}
        else:
            off.append(one.name)
    for (upper, first), (lower, second) in pairwise(at.items()):
        named = shown[lower].position - shown[upper].position
        if second - first != named:
            words = (
                f"from {shown[upper].name} to {shown[lower].name} they show {_discs(second - first)} further down, "
                f"by name it is {_discs(named)}"
            )
            return Told(Verdict.CONTRADICTS, words, column)
    if len(off) > len(at):
        words = f"the slices named {', '.join(off)} pass through vertebral bodies there"
        return Told(Verdict.CONTRADICTS, words, column)
    if off or len(at) < 2:
        what = f"; the slices named {', '.join(off)} lie between discs there" if off else ""
        words = f"{len(at)} of {len(shown)} numbered discs are found on sagittal images{what}"
        return Told(Verdict.UNCLEAR, words, column)
    words = f"sagittal images show the {len(at)} numbered discs in this order and as many apart"
    return Told(Verdict.AGREES, words, column)


def _discs(count: int) -> str:
    return "the same disc" if count == 0 else f"{count} disc{'s' if count > 1 else ''}"
