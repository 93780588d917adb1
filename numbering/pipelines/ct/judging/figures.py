"""The paper's figures out of scored series (Elton et al. 2020, Table 2), and more, with bootstrap intervals.

Everything is in plain numbers so that a report is JSON: shares and Dice 0…1, distances in mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numbering.anatomy import Level
from numbering.pipelines.ct.judging.scoring import Outcome
from numbering.pipelines.judging import calibration, intervals
from numbering.pipelines.judging.intervals import Interval, counts, mean, median

Numbers = dict[str, float | None]


def table_two(outcomes: Sequence[Outcome]) -> Numbers:
    """The columns of Table 2, of series that show L1 whole. A series without an L1 said has Dice 0 and no error.

    ``L1 accuracy`` is the share of all series whose L1 was named on L1; the errors are craniocaudal.
    """
    errors = [one.level_mm for one in outcomes if one.level_mm is not None]
    return {
        "L1 accuracy": mean([one.l1_right for one in outcomes]),
        "L1 Dice": mean([one.dice.get("L1", 0.0) for one in outcomes]),
        "mean mm": mean(errors),
        "median mm": median(errors),
    }


def headline(outcomes: Sequence[Outcome]) -> Numbers:
    """Table 2, and what matters of the whole spine. Shares of series but for ``vertebrae`` and ``as justified``."""
    found = table_two(outcomes)
    right = [right for one in outcomes for right in one.right.values()]
    justified = [right for one in outcomes for right in one.justified.values()]
    overlaps = [value for one in outcomes for value in one.dice.values()]
    return found | {
        "vertebrae": mean(right),
        "as justified": mean(justified),
        "all right": mean([one.all_right for one in outcomes]),
        "Dice": mean(overlaps),
        "wrong ≥ 0.9": mean([one.confident_wrong for one in outcomes]),
        "abstained": mean([not one.answered for one in outcomes]),
    }


SHARES = ("L1 accuracy", "vertebrae", "as justified", "all right", "wrong ≥ 0.9", "abstained")
"""Of `headline`: what is printed in percent."""


def without_l1(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What was said of series that show nothing of L1: all of them should be abstained on."""
    answered = [one for one in outcomes if one.answered]
    return {
        "n": len(outcomes),
        "abstained": len(outcomes) - len(answered),
        "answered": [one.case.name for one in answered],
        "named L1": sum(any(found.level == "L1" for found in one.findings.vertebrae) for one in outcomes),
        "confident_wrong": sum(one.confident_wrong for one in outcomes),
        "reasons": counts(one.reason for one in outcomes if not one.answered),
        "regions": counts(one.case.region for one in outcomes),
    }


def table_of_levels(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Of each level how many are wholly in view, which share was named right, and their mean Dice."""
    levels = sorted({level for one in outcomes for level in one.right}, key=Level.parse)
    return {
        level: {
            "n": sum(level in one.right for one in outcomes),
            "right": mean([one.right[level] for one in outcomes if level in one.right]),
            "Dice": mean([one.dice[level] for one in outcomes if level in one.dice]),
        }
        for level in levels
    }


def density(outcomes: Sequence[Outcome]) -> Numbers:
    """Errors of L1's mean trabecular HU against what it was given, of series without contrast medium."""
    errors = np.array([one.hu for one in outcomes if one.hu is not None and one.l1_right], float)
    if not len(errors):
        return {"n": 0, "bias": None, "SD": None, "median": None}
    return {
        "n": len(errors),
        "bias": float(errors.mean()),
        "SD": float(errors.std(ddof=1)) if len(errors) > 1 else None,
        "median": float(np.median(np.abs(errors))),
    }


def reliability(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How honest the names' probabilities are (see `calibration.reliability`)."""
    return calibration.reliability([pair for one in outcomes for pair in one.probabilities])


def interval(outcomes: Sequence[Outcome], seed: int = 0) -> dict[str, Interval | None]:
    """95 % bootstrap intervals of `headline`, drawn by patient."""
    return intervals.interval(outcomes, headline, lambda one: one.case.patient, seed)
