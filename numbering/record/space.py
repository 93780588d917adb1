"""Chains that lie in a frame of reference: in which order they count, and how far their structures are apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import dist

from numbering.plane import Mm
from numbering.record.basis import weakness
from numbering.record.draft import DISCS, Chain, Draft, Named

LEAST_SPACING_MM = 15.0
"""That distance, where only one vertebra is known: about a cervical one's."""


@dataclass(frozen=True)
class Part:
    """One chain of one draft."""

    draft: Draft
    chain: Chain

    @property
    def order(self) -> tuple[object, ...]:
        """Strongest first; the rest only makes the order the same every time."""
        return (weakness(self.chain.strongest), -_mean(self.chain), self.draft.filed.key, *map(str, self.chain.levels))


def in_space(drafts: Sequence[Draft]) -> Iterator[Part]:
    """Every chain of these drafts that lies in a frame of reference."""
    for draft in drafts:
        yield from (Part(draft, chain) for chain in draft.chains if chain.space and chain.members)


def _mean(chain: Chain) -> float:
    return sum(one.probability for one in chain.members) / len(chain.members)


def with_discs(chain: Chain) -> list[Named]:
    """The structures and, between two neighbouring vertebrae without a named disc, the middle of the two."""
    listed = {one.levels for one in chain.members if one.is_disc}
    found = list(chain.members)
    runs = chain.runs
    for upper, lower in pairwise(chain.vertebrae):
        levels = (*upper.levels, *lower.levels)
        if levels in listed or levels not in DISCS or not any(set(levels) <= set(run) for run in runs):
            continue
        if upper.centre_mm is None or lower.centre_mm is None:
            continue
        weaker = max(upper, lower, key=lambda one: weakness(one.basis))
        middle: Mm = tuple((a + b) / 2 for a, b in zip(upper.centre_mm, lower.centre_mm, strict=True))  # type: ignore[assignment]
        probability = min(upper.probability, lower.probability)
        found.append(
            replace(
                weaker,
                own=None,
                levels=levels,
                probability=probability,
                centre_mm=middle,
                alternative=None,
                box=None,
                corners=None,
            )
        )
    return found


def apart(one: Named, other: Named) -> float:
    """Between two centres, mm; infinite where one is not known."""
    if one.centre_mm is None or other.centre_mm is None:
        return float("inf")
    return dist(one.centre_mm, other.centre_mm)


def spacing(chain: Chain, one: Named) -> float:
    """From one vertebra to the next, about there."""
    centres = [other.centre_mm for other in chain.vertebrae if other.centre_mm is not None]
    steps = [(dist(a, b), min(_to(one, a), _to(one, b))) for a, b in pairwise(centres)]
    return min(steps, key=lambda step: step[1])[0] if steps else LEAST_SPACING_MM


def _to(one: Named, point: Mm) -> float:
    return dist(one.centre_mm, point) if one.centre_mm else float("inf")
