"""Whether the names of a series may be given: how sure the least sure is, and what distances say against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Disc
from numbering.enumeration.abstention import AMBIGUOUS
from numbering.errors import ReasonCode
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading.decode import Decoded
from numbering.pipelines.axial_mr.reading.sightings import Sighting
from numbering.pipelines.axial_mr.reading.witness import Told
from numbering.result import StatedReason

Array = NDArray[np.float64]

FEWEST = 2
"""So many discs must be named: a single one has no neighbour to be counted from."""
SHORTEST_STEP_MM, LONGEST_STEP_MM = 22.0, 50.0
"""From one lumbar disc to the next, of any adult."""
AT_MM = 4.0
"""A slice this near to where a disc should be shows it."""
ADVICE = "decide by counting on sagittal images"


def refusal(
    found: Sequence[Sighting], decoded: Decoded, along_mm: Array, told: Told | None, point: OperatingPoint
) -> StatedReason | None:
    """Why the names of this series are not given; None where they are."""
    named = [row for row, name in enumerate(decoded.names) if name is not None]
    if not named:
        return _nothing(found, decoded, len(along_mm), point)
    if told is not None and told.contradicts:
        text = f"sagittal images of the study contradict the numbering: {told.words}; {ADVICE}"
        return StatedReason(code=ReasonCode.CONTRADICTORY, text=text)
    if reason := _unsure(decoded, named, point.answer):
        return reason
    if len(named) < FEWEST:
        text = (
            f"one disc is shown ({decoded.names[named[0]]} by its looks), expected at least {FEWEST}: a single level "
            f"cannot be checked against its neighbours; {ADVICE}"
        )
        return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=text)
    for upper, lower, apart, levels in steps(found, decoded):
        if not levels * SHORTEST_STEP_MM <= apart <= levels * LONGEST_STEP_MM:
            text = (
                f"from {upper} to {lower} it is {apart:.0f} mm, expected {levels * SHORTEST_STEP_MM:.0f} to "
                f"{levels * LONGEST_STEP_MM:.0f}; {ADVICE}"
            )
            return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=text)
    return _overlooked(found, decoded, along_mm)


def steps(found: Sequence[Sighting], decoded: Decoded) -> Iterator[tuple[Disc, Disc, float, int]]:
    """From each named disc to the next one below: both, mm between them, and how many levels that is."""
    places = zip(found, decoded.names, decoded.positions, strict=True)
    named = [(one, name, place) for one, name, place in places if name is not None and place is not None]
    for (one, upper, above), (other, lower, below) in pairwise(named):
        yield upper, lower, other.along_mm - one.along_mm, below - above


def _nothing(found: Sequence[Sighting], decoded: Decoded, count: int, point: OperatingPoint) -> StatedReason:
    if not found:
        text = f"none of the {count} slices shows a lumbar disc; check that the series shows the lumbar spine"
        return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
    likeliest = max(float(row.sum()) for row in decoded.marginals)
    text = (
        f"{len(found)} places along the spine may show a lumbar disc, the likeliest with a probability of "
        f"{likeliest:.2f}, expected {point.answer:.2f}; check that the series shows the lumbar spine"
    )
    code = ReasonCode.LOW_CONFIDENCE if likeliest >= AMBIGUOUS else ReasonCode.TARGET_NOT_IN_VIEW
    return StatedReason(code=code, text=text)


def _unsure(decoded: Decoded, named: Sequence[int], least: float) -> StatedReason | None:
    row = min(named, key=lambda one: decoded.probabilities[one])
    probability = decoded.probabilities[row]
    if probability >= least:
        return None
    sure = f"{decoded.names[row]} has a probability of {probability:.2f}, expected {least:.2f}"
    if decoded.alternative is not None and decoded.alternative_probability >= AMBIGUOUS:
        pairs = zip(decoded.names, decoded.alternative, strict=True)
        other = ", ".join(f"{two} for {one}" for one, two in pairs if one is not None and two not in (one, None))
        text = f"{sure}; another numbering ({other}) is likely too ({decoded.alternative_probability:.2f}); {ADVICE}"
        return StatedReason(code=ReasonCode.AMBIGUOUS, text=text)
    return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=f"{sure}; {ADVICE}")


def _overlooked(found: Sequence[Sighting], decoded: Decoded, along_mm: Array) -> StatedReason | None:
    """A disc that the names pass over although slices lie where it should be: then the count may be off by one."""
    named = [(one, place) for one, place in zip(found, decoded.positions, strict=True) if place is not None]
    for (one, above), (other, below) in pairwise(named):
        for passed in range(1, below - above):
            at = one.along_mm + (other.along_mm - one.along_mm) * passed / (below - above)
            if np.nanmin(np.abs(along_mm - at)) <= AT_MM:
                text = (
                    f"between the named discs a further one should lie at {at - one.along_mm:.0f} mm below the upper "
                    f"one, and the slices there show none; {ADVICE}"
                )
                return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=text)
    return None
