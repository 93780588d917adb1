"""What one axial series amounts to: which slice shows which disc, or why there are no names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Disc
from numbering.errors import ReasonCode
from numbering.pipelines.axial_mr.model.runtime import Network
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading.checks import refusal
from numbering.pipelines.axial_mr.reading.course import Course, presumed
from numbering.pipelines.axial_mr.reading.decode import Decoded, Decoder
from numbering.pipelines.axial_mr.reading.look import Look, look
from numbering.pipelines.axial_mr.reading.sightings import SPREAD_MM, Sighting, sightings
from numbering.pipelines.axial_mr.reading.witness import Shown, Told, testimony
from numbering.result import StatedReason
from numbering.stack import Stack

Array = NDArray[np.float64]

SHOWN = 0.5
"""A slice is given its disc's name where it is at least so likely to lie at a disc …"""
WITHIN_MM = 8.0
"""… and no further from the middle of its slices than half a disc and a slice; the best slice always is."""


@dataclass(frozen=True)
class NamedSlice:
    """One slice (index of the stack) at a disc. ``position`` is that of the network; ``best``: it shows it best.

    ``probability``: that this disc has this name and that the slice lies at it.
    """

    index: int
    disc: Disc
    other: Disc | None
    position: int
    probability: float
    best: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """One series: what was seen on its slices, where they cut the spine, and what the solver made of it.

    ``along_mm`` ``(n,)`` grows towards the feet, nan where a slice does not cut the spine; ``told`` is what sagittal
    images of the study say, None where there are none.
    """

    stack: Stack
    look: Look
    course: Course
    along_mm: Array
    sightings: tuple[Sighting, ...]
    decoded: Decoded
    told: Told | None
    refused: StatedReason | None

    @cached_property
    def slices(self) -> tuple[NamedSlice, ...]:
        """Slices that have a name, in the stack's order."""
        others = self.decoded.alternative or (None,) * len(self.sightings)
        found = []
        for row, (one, disc, other) in enumerate(zip(self.sightings, self.decoded.names, others, strict=True)):
            position = self.decoded.positions[row]
            if disc is None or position is None:
                continue
            best = self._best(one, position)
            found += [
                NamedSlice(index, disc, other, position, self.decoded.probabilities[row] * float(shown), index == best)
                for index, shown in zip(one.slices, one.showing, strict=True)
                if index == best or (shown >= SHOWN and abs(self.along_mm[index] - one.along_mm) <= WITHIN_MM)
            ]
        return tuple(sorted(found, key=lambda one: one.index))

    @property
    def shown(self) -> list[Shown]:
        """The numbered discs, head to foot, each by its best slice."""
        best = sorted((one for one in self.slices if one.best), key=lambda one: one.position)
        return [Shown(str(one.disc), one.position, self.stack.planes[one.index]) for one in best]

    @property
    def confidence(self) -> float:
        """The probability of the least probable name: what `OperatingPoint.answer` asks for. 0 without names."""
        pairs = zip(self.decoded.names, self.decoded.probabilities, strict=True)
        return min((probability for name, probability in pairs if name is not None), default=0.0)

    def _best(self, one: Sighting, position: int) -> int:
        """The slice that shows this disc best: sure of it, and near to the middle of all that do."""
        indices = list(one.slices)
        sure = np.exp(self.look.log_probabilities[indices, position])
        near = np.exp(-((self.along_mm[indices] - one.along_mm) ** 2) / (2 * SPREAD_MM**2))
        return indices[int(np.argmax(sure * near))]


class Reader:
    """Reads series with some network at some operating point."""

    def __init__(self, network: Network, point: OperatingPoint) -> None:
        self.network, self.point = network, point
        self.decoder = Decoder(point)

    def answer(self, stack: Stack, companions: Sequence[Stack] = ()) -> Answer | StatedReason:
        """Look, gather, name, check; ``companions`` are sagittal stacks of the same frame of reference.

        A series without a slice across the spine gives the reason.
        """
        course = presumed(stack)
        if course is None:
            text = "no slice lies across the spine (within 60° of axial); check that this is an axial series"
            return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
        cuts = [course.cut(plane) for plane in stack.planes]
        along = np.array([np.nan if cut is None else cut for cut in cuts])
        seen = look(stack, self.network, self.point.temperature)
        found = _sighted(seen, along, self.point.slice_trust)
        decoded = self.decoder.decode(found)
        answer = Answer(stack, seen, course, along, tuple(found), decoded, None, None)
        told = testimony(answer.shown, course, companions)
        if told is not None and told.contradicts:
            answer = replace(answer, decoded=doubted(decoded, self.point.contradicted))
        answer = replace(answer, told=told)
        return replace(answer, refused=refusal(found, answer.decoded, along, told, self.point))


def _sighted(seen: Look, along: Array, trust: float) -> list[Sighting]:
    """Sightings among the slices that cut the spine, under the stack's indices."""
    cutting = np.flatnonzero(np.isfinite(along))
    found = sightings(seen.log_probabilities[cutting], along[cutting], trust)
    return [replace(one, slices=tuple(int(cutting[index]) for index in one.slices)) for one in found]


def doubted(decoded: Decoded, log_odds: float) -> Decoded:
    """The same names, each less probable by so much."""
    odds = np.array(decoded.probabilities)
    odds = np.log(odds.clip(1e-9, 1 - 1e-9)) - np.log1p(-odds.clip(1e-9, 1 - 1e-9))
    less = tuple(
        float(1 / (1 + np.exp(log_odds - odd))) if name is not None else probability
        for odd, name, probability in zip(odds, decoded.names, decoded.probabilities, strict=True)
    )
    return replace(decoded, probabilities=less)
