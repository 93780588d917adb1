"""The paper's figures out of scored series (Cho et al. 2022, Tables 2 and 3), and of whole series, with intervals.

Everything is in plain numbers so that a report is JSON: shares 0…1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from numbering.anatomy import Disc
from numbering.pipelines.axial_mr.classes import CLASSES, NONE
from numbering.pipelines.axial_mr.judging.scoring import Outcome
from numbering.pipelines.judging import calibration, intervals
from numbering.pipelines.judging.intervals import Interval, mean

Numbers = dict[str, float | None]
Classes = NDArray[np.intp]
Shares = NDArray[np.float64]


def pooled(outcomes: Sequence[Outcome]) -> tuple[Classes, Shares]:
    """True classes ``(n,)`` and probabilities ``(n, 6)`` of all slices that show one thing."""
    classes = [one.classes for one in outcomes]
    singles = [one.singles for one in outcomes]
    return np.concatenate([np.zeros(0, np.intp), *classes]), np.concatenate([np.zeros((0, len(CLASSES))), *singles])


def single_slices(outcomes: Sequence[Outcome]) -> Numbers:
    """Slices through the five discs, each by itself. ``top-1`` and ``top-2`` choose among five levels, as in the paper
    (Table 3), ``with none`` among six classes; ``none`` is of slices that show no such disc."""
    classes, shares = pooled(outcomes)
    levels = classes != NONE
    order = np.argsort(-shares[levels, :NONE], axis=1, kind="stable")
    hit = order == classes[levels, None]
    six = shares.argmax(1) == classes
    return {
        "top-1": mean(hit[:, 0]),
        "top-2": mean(hit[:, :2].any(1)),
        "with none": mean(six[levels]),
        "none": mean(six[~levels]),
    }


def whole_series(outcomes: Sequence[Outcome]) -> Numbers:
    """What the series' numbering gets right: shares of slices through the discs, of discs, and of series."""
    right = [right for one in outcomes for right in one.right.values()]
    justified = [right for one in outcomes for right in one.justified.values()]
    discs = [right for one in outcomes for right in one.discs.values()]
    return {
        "slices": mean(right),
        "discs": mean(discs),
        "as justified": mean(justified),
        "all right": mean([one.all_right for one in outcomes]),
        "wrong ≥ 0.9": mean([one.confident_wrong for one in outcomes]),
        "abstained": mean([not one.answered for one in outcomes]),
    }


def table_two(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Of each level recall, precision and AUC of single slices, chosen among the five, as in Table 2; and how many."""
    classes, shares = pooled(outcomes)
    levels = classes != NONE
    true, among = classes[levels], shares[levels, :NONE]
    among = among / np.maximum(among.sum(1, keepdims=True), 1e-12)
    said = among.argmax(1) if len(among) else np.zeros(0, np.intp)
    return {
        name: {
            "n": int((true == position).sum()),
            "recall": mean(said[true == position] == position),
            "precision": mean(true[said == position] == position),
            "AUC": auc(among[:, position], true == position),
        }
        for position, name in enumerate(CLASSES[:NONE])
    }


def auc(scores: Shares, positive: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half; None without either."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def roc(scores: Shares, positive: NDArray[np.bool_]) -> tuple[Shares, Shares]:
    """False and true positive rates at every threshold, from the strictest."""
    order = np.argsort(-scores, kind="stable")
    hits = positive[order]
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1) if len(scores) else np.zeros(0, int)
    true, false = np.cumsum(hits)[last], np.cumsum(~hits)[last]
    return np.append(0.0, false / max(int((~positive).sum()), 1)), np.append(0.0, true / max(int(positive.sum()), 1))


def confusion(outcomes: Sequence[Outcome]) -> list[list[int]]:
    """Single slices among six classes: a row for each true one, a column for each said."""
    classes, shares = pooled(outcomes)
    table = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(table, (classes, shares.argmax(1) if len(shares) else classes), 1)
    return [[int(count) for count in row] for row in table]


def table_of_discs(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Of each disc by its true name: in how many series a slice passes through it, and in which share it is right."""
    every = sorted({disc for one in outcomes for disc in one.discs}, key=Disc.parse)
    return {
        disc: {
            "n": sum(disc in one.discs for one in outcomes),
            "right": mean([one.discs[disc] for one in outcomes if disc in one.discs]),
        }
        for disc in every
    }


def reliability_of_slices(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How honest the likeliest class of single slices is."""
    classes, shares = pooled(outcomes)
    best = shares.argmax(1) if len(shares) else np.zeros(0, np.intp)
    pairs = [(float(row[said]), bool(said == true)) for row, said, true in zip(shares, best, classes, strict=True)]
    return calibration.reliability(pairs)


def reliability_of_names(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How honest the probabilities of the names given are."""
    return calibration.reliability([pair for one in outcomes for pair in one.probabilities])


def interval(outcomes: Sequence[Outcome], seed: int = 0) -> dict[str, Interval | None]:
    """95 % bootstrap intervals of `headline`, drawn by patient."""
    return intervals.interval(outcomes, headline, lambda one: one.case.patient, seed)


def headline(outcomes: Sequence[Outcome]) -> Numbers:
    """Single slices and whole series."""
    return single_slices(outcomes) | whole_series(outcomes)
