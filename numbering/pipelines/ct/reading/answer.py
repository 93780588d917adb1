"""What one series amounts to: named vertebrae, or why there are no names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from numbering.anatomy import Level, from_to
from numbering.enumeration import Numbering
from numbering.enumeration.abstention import AMBIGUOUS
from numbering.errors import ReasonCode
from numbering.pipelines.ct.model.preprocess import Direction
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.reading.bodies import Body, body_of
from numbering.pipelines.ct.reading.decode import Decoder
from numbering.pipelines.ct.reading.direct import Direct, direct, largest
from numbering.pipelines.ct.reading.eyes import Eyes
from numbering.pipelines.ct.reading.found import Found
from numbering.pipelines.ct.reading.merging import merge
from numbering.pipelines.ct.reading.names import (
    Gap,
    anchors,
    chance_of,
    gaps,
    least_probable,
    trimmed,
)
from numbering.pipelines.ct.reading.slices import Slices
from numbering.pipelines.ct.reading.walk import Walk, walk
from numbering.pipelines.ct.reading.working import Working, working_volume
from numbering.result import StatedReason
from numbering.stack import Stack

BOTH: tuple[Direction, ...] = ("down", "up")
"""Ways along the spine: the paper's top-down, its bottom-up, or both, made one."""
FEWEST = 3
"""So many vertebrae must have names: two alone, or one, may be anything that is round and made of bone."""
SHORTEST_MM = 40.0
"""A series that covers less holds no vertebra and its neighbours."""
AGREES = 0.5
"""The direct network agrees where at least this share of its L1 lies in the vertebra that is named so."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A series after the networks: what was found in it, head to foot."""

    stack: Stack
    slices: Slices
    working: Working
    walks: tuple[Walk, ...]
    found: tuple[Found, ...]
    bodies: tuple[Body, ...]
    torn: int
    direct: Direct


@dataclass(frozen=True, eq=False)
class Answer:
    """The names of what was found (``numbering``), and why they are not given, if they are not."""

    reading: Reading
    numbering: Numbering | None
    refused: StatedReason | None

    @cached_property
    def named(self) -> dict[Level, int]:
        """The vertebrae that have a name, head to foot, and their place in ``reading.found``."""
        if self.numbering is None:
            return {}
        return {level: place for place, level in enumerate(self.numbering.levels) if level is not None}

    @property
    def probabilities(self) -> dict[Level, float]:
        """The probability of each name."""
        assert self.numbering is not None
        return {level: self.numbering.probabilities[place] for level, place in self.named.items()}

    @property
    def confidence(self) -> float:
        """The probability of the least probable name. 0 without names."""
        return min(self.probabilities.values(), default=0.0) if self.numbering else 0.0

    @property
    def alternative(self) -> tuple[Level, ...] | None:
        """The likeliest other names, parallel to `named`."""
        if self.numbering is None or self.numbering.alternative is None:
            return None
        other = [self.numbering.alternative[place] for place in self.named.values()]
        return None if None in other else tuple(level for level in other if level is not None)

    @property
    def anchors(self) -> tuple[str, ...]:
        """What a count can start from here."""
        return () if self.numbering is None else anchors(self.numbering, self.reading.found)

    @property
    def gaps(self) -> list[Gap]:
        """Where levels were passed over, or distances do not go with the names."""
        return [] if self.numbering is None else gaps(self.numbering, self.reading.bodies)

    @property
    def disagreement(self) -> str | None:
        """What the direct network says of L1 where it does not agree with the names."""
        return None if self.numbering is None else _disagreement(self.reading.direct, self.numbering)


class Reader:
    """Reads series with some eyes at some operating point."""

    def __init__(self, eyes: Eyes, point: OperatingPoint, ways: Sequence[Direction] = BOTH) -> None:
        self.eyes, self.point, self.ways = eyes, point, tuple(ways)
        self.decoder = Decoder(point)

    def answer(self, stack: Stack) -> Answer | StatedReason:
        """Read, name, check. A series that is too short for anything gives the reason."""
        slices = Slices.of(stack)
        low, high = slices.bounds_mm()
        if (high - low).min() < SHORTEST_MM:
            text = f"the series covers {(high - low).min():.0f} mm, expected at least {SHORTEST_MM:.0f} mm each way"
            return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
        reading = self.read(stack, slices)
        if not reading.found:
            text = "no vertebra was found in this series; check that it shows the spine"
            return Answer(reading, None, StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text))
        return self.checked(reading, self.decoded(reading))

    def decoded(self, reading: Reading) -> Numbering:
        """The likeliest names of all that was found, whatever speaks against them."""
        return self.decoder.decode(
            reading.found, reading.bodies, reading.direct, reading.working.spacing_mm, len(reading.walks)
        )

    def checked(self, reading: Reading, numbering: Numbering) -> Answer:
        """What of these names is given, or why none is."""
        if reason := _not_in_view(numbering):
            return Answer(reading, numbering, reason)
        sure = trimmed(numbering, self.point.answer)
        if sum(level is not None for level in sure.levels) < FEWEST:
            return Answer(reading, numbering, self._unsure(numbering))
        return Answer(reading, sure, self._refused(reading, sure))

    def read(self, stack: Stack, slices: Slices) -> Reading:
        """Let the networks look: at all of it, and along the spine."""
        working = working_volume(stack, self.eyes.size.spacing_mm, slices)
        whole = self.eyes.whole(working)
        volume, at, weights = largest(whole, working)
        hints = (np.asarray(weights @ at / weights.sum()),) if volume >= self.point.direct_mm3 else ()
        walks = tuple(walk(working, self.eyes, direction, hints) for direction in self.ways)
        merged = merge(walks)
        return Reading(
            stack=stack,
            slices=slices,
            working=working,
            walks=walks,
            found=merged.found,
            bodies=tuple(body_of(one, working, slices) for one in merged.found),
            torn=merged.torn,
            direct=direct(whole, merged.found, working),
        )

    def _refused(self, reading: Reading, numbering: Numbering) -> StatedReason | None:
        if reason := self._unsure(numbering):
            return reason
        named = [level for level in numbering.levels if level is not None]
        place = numbering.levels.index(Level.L1)
        if reading.bodies[place].cut:
            seen = from_to(str(level) for level in named if level is not Level.L1)
            text = f"L1 is cut by the end of the scan, expected all of its body; seen beside it: {seen}"
            return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
        return _contradicted(reading, numbering) or self._nothing_to_count_from(reading, numbering, named)

    def _unsure(self, numbering: Numbering) -> StatedReason | None:
        level, probability = least_probable(numbering)
        if probability >= self.point.answer:
            return None
        sure = f"{level} has a probability of {probability:.2f}, expected {self.point.answer:.2f}"
        advice = "decide by counting from C2, the ribs or the sacrum"
        if numbering.alternative is not None and numbering.alternative_probability >= AMBIGUOUS:
            pairs = zip(numbering.levels, numbering.alternative, strict=True)
            other = ", ".join(f"{two} for {one}" for one, two in pairs if one is not None and two not in (one, None))
            text = (
                f"{sure}; another numbering ({other}) is likely too ({numbering.alternative_probability:.2f}); {advice}"
            )
            return StatedReason(code=ReasonCode.AMBIGUOUS, text=text)
        return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=f"{sure}; {advice}")

    def _nothing_to_count_from(self, reading: Reading, numbering: Numbering, named: list[Level]) -> StatedReason | None:
        if anchors(numbering, reading.found):
            return None
        text = (
            f"neither the last rib nor the sacrum nor C2 was found with {named[0]} to {named[-1]}, expected one to "
            "count from; take a series that shows one"
        )
        return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)


def _not_in_view(numbering: Numbering) -> StatedReason | None:
    """Why L1 has no place among the names: it is not in view, was missed, may be any of several; or hardly anything has
    a name."""
    named = [level for level in numbering.levels if level is not None]
    if len(named) < FEWEST:
        text = (
            f"{len(named)} vertebrae could be named, expected at least {FEWEST} in a row; check that this series "
            "shows the spine"
        )
        return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
    if Level.L1 in named:
        return None
    region = from_to(str(level) for level in named)
    chance = chance_of(numbering, Level.L1)
    if chance >= AMBIGUOUS:
        text = (
            f"what was seen looks like {region}, and L1 may be among it (probability {chance:.2f}); decide by counting "
            "from C2, the ribs or the sacrum"
        )
        return StatedReason(code=ReasonCode.AMBIGUOUS, text=text)
    if named[0] < Level.L1 < named[-1]:
        text = f"L1 was not found between what looks like {region}; look at the series"
        return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=text)
    text = f"L1 is not in view: what is seen looks like {region}"
    return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)


def _contradicted(reading: Reading, numbering: Numbering) -> StatedReason | None:
    """Distances that leave room for a vertebra that has no name, or no room for one that has."""
    for gap in gaps(numbering, reading.bodies):
        if gap.missing:
            continue
        upper, lower = numbering.levels[gap.upper], numbering.levels[gap.lower]
        what = "a vertebra may have been missed between them" if gap.ratio > 1 else "they may be pieces of one vertebra"
        text = (
            f"from {upper} to {lower} it is {gap.ratio:.1f} times as far as their names and neighbours let expect, "
            f"{what}; decide by counting"
        )
        return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=text)
    return None


def _disagreement(seen: Direct, numbering: Numbering) -> str | None:
    if Level.L1 not in numbering.levels:
        return None
    if not seen.volume_mm3:
        return "the direct search for L1 found none"
    place = numbering.levels.index(Level.L1)
    if seen.shares[place] >= AGREES:
        return None
    other = int(np.argmax(seen.shares))
    if seen.shares[other] <= seen.elsewhere:
        return "the direct search found L1 where no vertebra was found"
    name = numbering.levels[other]
    return f"the direct search found L1 at {'the vertebra named ' + str(name) if name else 'a vertebra without name'}"
