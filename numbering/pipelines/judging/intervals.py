"""Bootstrap intervals of figures, drawn by patient: images of one patient are right or wrong together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

BOOTSTRAPS = 500

One = TypeVar("One")
Numbers = Mapping[str, float | None]
"""Figures by name; None where there is nothing to take one of."""
Interval = tuple[float, float]


def interval(
    outcomes: Sequence[One],
    figure: Callable[[Sequence[One]], Numbers],
    patient: Callable[[One], str],
    seed: int = 0,
    draws: int | None = None,
) -> dict[str, Interval | None]:
    """95 % bootstrap intervals of a figure's numbers; None where most draws have no number."""
    groups: dict[str, list[One]] = {}
    for one in outcomes:
        groups.setdefault(patient(one), []).append(one)
    members, rng = list(groups.values()), np.random.default_rng(seed)
    found = []
    for _ in range(BOOTSTRAPS if draws is None else draws):
        chosen = rng.integers(0, len(members), len(members))
        found.append(figure([one for index in chosen for one in members[index]]))
    return {name: percentiles([draw.get(name) for draw in found]) for name in figure(outcomes)}


def percentiles(values: Sequence[float | None]) -> Interval | None:
    """The middle 95 % of what there is; None when that is less than half."""
    numbers: NDArray[np.float64] = np.array([value for value in values if value is not None], float)
    if not len(numbers) or len(numbers) < len(values) / 2:
        return None
    low, high = np.percentile(numbers, [2.5, 97.5])
    return float(low), float(high)


def mean(values: Iterable[float]) -> float | None:
    """Their mean; None of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else None


def median(values: Iterable[float]) -> float | None:
    """Their median; None of nothing."""
    found = list(values)
    return float(np.median(found)) if found else None


def counts(names: Iterable[str]) -> dict[str, int]:
    """How often each name comes, in the order of their first coming."""
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found
