"""The paper's figures out of scored films (Cina 2021: Table 1, Figs. 6 and 7, Table 2), with bootstrap intervals.

Everything is in plain numbers so that a report is JSON: errors in percent of the vertebra's size, angles in degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numbering.anatomy import Level
from numbering.pipelines.judging import calibration, intervals
from numbering.pipelines.judging.intervals import Interval, mean
from numbering.pipelines.sagittal_xray.judging.scoring import Angle, Outcome

PCK_STEPS = tuple(range(5, 101, 5))
"""Thresholds of PCK, percent of a vertebra's width."""
LARGE_DEGREES, WORST_DEGREES = 5.0, 15.0
"""Beyond the first observers differ too (Kyrölä 2018); beyond the second an angle misleads."""
ANGLES = ("lumbar-lordosis-l1-l5", "lumbar-lordosis-l1-s1", "sacral-slope")

Figure = Callable[[Sequence[Outcome]], dict[str, float | None]]


def headline(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """What matters most of some films. Shares 0…1, errors in percent; None where there is nothing to take it of.

    ``level accuracy`` is the paper's: true vertebrae whose name lies on them, of all in view. ``as justified`` compares
    with what a perfect reader of the film would say. ``wrong ≥ 0.9`` and ``angle > 15°`` count films.
    """
    right = [right for one in outcomes for right in one.right.values()]
    justified = [right for one in outcomes for right in one.justified.values()]
    x, y = weighted_medians(table_of_errors(outcomes))
    return {
        "level accuracy": mean(right),
        "as justified": mean(justified),
        "all levels right": mean([all(one.right.values()) and not one.extra for one in outcomes]),
        "median x %": x,
        "median y %": y,
        "wrong ≥ 0.9": mean([one.confident_wrong for one in outcomes]),
        "angle > 15°": mean([one.worst_angle > WORST_DEGREES for one in outcomes]),
        "abstained": mean([not one.answered for one in outcomes]),
    }


def table_of_errors(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Of each level its median errors in percent, x and y, and how many there are (half of the paper's Table 1)."""
    errors: dict[str, list[tuple[float, float]]] = {}
    counts: dict[str, int] = {}
    for outcome in outcomes:
        for one in outcome.corners:
            errors.setdefault(one.level, []).extend(zip(one.x, one.y, strict=True))
            counts[one.level] = counts.get(one.level, 0) + 1
    table = {}
    for level in sorted(errors, key=Level.parse):
        x, y = np.median(np.array(errors[level]), axis=0) * 100
        table[level] = {"x": float(x), "y": float(y), "n": counts[level]}
    return table


def weighted_medians(table: dict[str, dict[str, float]]) -> tuple[float | None, float | None]:
    """Means of the levels' medians weighted by their numbers (Eqs. 5 and 6), x and y."""
    total = sum(row["n"] for row in table.values())
    if not total:
        return None, None
    x, y = (sum(row[axis] * row["n"] for row in table.values()) / total for axis in ("x", "y"))
    return x, y


def pck(outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    """Share of the true corners in view that lie within 5, 10 … 100 % of the vertebra's width, by level and ``all``.

    A vertebra that was not named has all its corners out of reach.
    """
    distances: dict[str, list[float]] = {}
    for outcome in outcomes:
        found = {one.level: one.distance for one in outcome.corners}
        for level, true in outcome.case.levels.items():
            distances.setdefault(level, []).extend(found.get(level, (np.inf,) * len(true)))
    curves = {level: _reached(distances[level]) for level in sorted(distances, key=Level.parse)}
    return {"all": _reached([one for each in distances.values() for one in each]), **curves}


def _reached(distances: Sequence[float]) -> list[float]:
    values = np.array(distances) * 100
    return [float((values <= step).mean()) if len(values) else 0.0 for step in PCK_STEPS]


def angles_of(outcomes: Sequence[Outcome], name: str) -> list[Angle]:
    """The angles of one name, given or not."""
    return [angle for one in outcomes for angle in one.angles if angle.name == name]


def angle_figures(angles: Sequence[Angle]) -> dict[str, float | None]:
    """Regression and Bland–Altman of one angle over films: degrees and shares 0…1; None where too few were given.

    ``covered`` is the share of truths within the stated ±: 0.95 if it is honest.
    """
    given = [one for one in angles if one.said is not None]
    true, said = np.array([one.true for one in given]), np.array([one.said for one in given], float)
    figures: dict[str, float | None] = {"n": len(angles), "given": len(given)}
    if len(given) < 3:
        return figures
    error = said - true
    slope, intercept = np.polyfit(true, said, 1) if np.ptp(true) > 0 else (np.nan, np.nan)
    spread, sd = true.std() * said.std(), float(error.std(ddof=1))
    correlation = float(((true - true.mean()) * (said - said.mean())).mean() / spread) if spread else 0.0
    stated = [(abs(one.error), one.uncertainty) for one in given if one.uncertainty is not None]
    return figures | {
        "R²": correlation**2,
        "slope": float(slope),
        "intercept": float(intercept),
        "bias": float(error.mean()),
        "SD": sd,
        "limits low": float(error.mean() - 1.96 * sd),
        "limits high": float(error.mean() + 1.96 * sd),
        "median": float(np.median(np.abs(error))),
        "maximum": float(np.abs(error).max()),
        "above 5°": float((np.abs(error) > LARGE_DEGREES).mean()),
        "above 15°": float((np.abs(error) > WORST_DEGREES).mean()),
        "covered": mean([size <= uncertainty for size, uncertainty in stated]),
    }


def reliability(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How honest the names' probabilities are (see `calibration.reliability`)."""
    return calibration.reliability([pair for one in outcomes for pair in one.probabilities])


def interval(outcomes: Sequence[Outcome], figure: Figure, seed: int = 0) -> dict[str, Interval | None]:
    """95 % bootstrap intervals of a figure's numbers, drawn by patient."""
    return intervals.interval(outcomes, figure, lambda one: one.case.patient, seed)
