"""What a spine with a truth teaches: the true numbering, and the rivals that it could be confused with.

A rival gives the same candidates levels up to three higher or lower, in one of six variants. What a candidate may be
in the truth: the level of the nearest true vertebra, where the two are each other's nearest within 20 mm; below the
last lumbar vertebra the sacrum or nothing; beyond the truth's end the next levels or nothing; else nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.vid_keypoints.identification import NEAR_MM
from benchmarks.vid_keypoints.scans import Scan
from numbering.anatomy import Level
from numbering.enumeration.detections import Bodies
from numbering.enumeration.features import features
from numbering.enumeration.graph import COLUMN, LEVELS, LOWEST
from numbering.enumeration.model import ODD_MM, PREVALENCE, SpineModel

Array = NDArray[np.float64]
NONE, IMPOSSIBLE = len(LEVELS), len(LEVELS) + 1
NEVER = -1e4
VARIANTS = list(PREVALENCE)[:6]
SHIFT = 3
RIVALS = len(VARIANTS) * (2 * SHIFT + 1)
ABOVE, BELOW = 8, 32
OFF = -99
"""Slot of a candidate that lies on no level of the spine."""


@dataclass(frozen=True)
class Lesson:
    """One spine to learn from. Arrays ``(n, RIVALS)`` hold for each candidate its level in each rival numbering.

    ``true`` says where that level is what the truth allows; ``may_be_none`` ``(n,)`` where none is allowed;
    ``spacing`` ``(RIVALS, scales)`` is the log density of the distances; ``first`` and ``last`` the rivals' end levels.
    """

    rows: Array
    levels: NDArray[np.intp]
    true: NDArray[np.bool_]
    may_be_none: NDArray[np.bool_]
    surely_none: NDArray[np.bool_]
    prior: Array
    spacing: Array
    first: NDArray[np.intp]
    last: NDArray[np.intp]


def allowed(scan: Scan, bodies: Bodies) -> NDArray[np.bool_]:
    """``(n, 32)``: which levels each candidate may have in the truth; the last column is none."""
    table = np.zeros((len(bodies), len(LEVELS) + 1), bool)
    if not len(bodies):
        return table
    away = np.linalg.norm(bodies.centres[:, None] - scan.centres[None], axis=2)
    for true, level in enumerate(scan.levels):
        nearest = away[:, true].argmin()
        if away[nearest, true] < NEAR_MM and away[nearest].argmin() == true:
            table[nearest, COLUMN[level]] = True
    free = ~table.any(1)
    table[free, NONE] = True
    above, below = (bodies.centres[:, 2] > scan.centres[0, 2] + 8), (bodies.centres[:, 2] < scan.centres[-1, 2] - 8)
    first, last = COLUMN[scan.levels[0]], COLUMN[scan.levels[-1]]
    table[free & above, max(0, first - 3) : first] = True
    if scan.levels[-1] in (Level.L4, Level.L5, Level.L6):
        table[free & below, COLUMN[Level.S1] : COLUMN[LOWEST] + 1] = True
        if scan.levels[-1] is Level.L4:
            table[free & below, COLUMN[Level.L5]] = True
    else:
        table[free & below, last + 1 : last + 4] = True
    return table


def slots(scan: Scan, bodies: Bodies, table: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many levels below the first true vertebra found each candidate lies; `OFF` where on none."""
    sure = np.flatnonzero((table.sum(1) == 1) & ~table[:, NONE])
    slot = np.full(len(bodies), OFF)
    if not len(sure):
        return slot
    place = {COLUMN[level]: index for index, level in enumerate(scan.levels)}
    slot[sure] = [place[int(table[i].argmax())] for i in sure]
    slot[sure] -= slot[sure[0]]
    for run, step, spacing in (
        (range(sure[-1] + 1, len(bodies)), 1, 33.0),
        (range(sure[0] - 1, -1, -1), -1, 24.0),
    ):
        end = sure[-1] if step > 0 else sure[0]
        reached = slot[end]
        for i in run:
            away = abs(bodies.centres[i, 2] - bodies.centres[end, 2])
            at = slot[end] + step * max(1, round(float(away) / spacing))
            if table[i].sum() > 1 and (at - reached) * step > 0 and -ABOVE <= at < BELOW - 2:
                slot[i] = reached = at
    return slot


def rivals(first: Level) -> tuple[NDArray[np.intp], Array]:
    """Columns of levels ``(RIVALS, ABOVE + BELOW)`` around the first slot, and log priors ``(RIVALS,)``."""
    table, prior = np.full((RIVALS, ABOVE + BELOW), IMPOSSIBLE), np.full(RIVALS, NEVER)
    for one, variant in enumerate(VARIANTS):
        levels = [level for level in variant.levels() if level <= LOWEST]
        start = levels.index(first) if first in levels else next(i for i, x in enumerate(levels) if x > first)
        for shift in range(-SHIFT, SHIFT + 1):
            row = one * (2 * SHIFT + 1) + shift + SHIFT
            for slot in range(-ABOVE, BELOW):
                if 0 <= start + shift + slot < len(levels):
                    table[row, slot + ABOVE] = COLUMN[levels[start + shift + slot]]
            if table[row, ABOVE] != IMPOSSIBLE:
                prior[row] = np.log(PREVALENCE[variant])
    return table, prior


def lesson(scan: Scan, bodies: Bodies, table: NDArray[np.bool_], model: SpineModel) -> Lesson | None:
    """What this spine teaches; None when nothing true was found in it."""
    slot = slots(scan, bodies, table)
    sure = np.flatnonzero((table.sum(1) == 1) & ~table[:, NONE])
    if not len(sure):
        return None
    columns, prior = rivals(LEVELS[int(table[sure[0]].argmax())])
    levels = np.where(slot[:, None] == OFF, IMPOSSIBLE, columns[:, np.clip(slot, -ABOVE, BELOW - 1) + ABOVE].T)
    permitted = np.concatenate([table[:, :NONE], np.zeros((len(table), 2), bool)], 1)
    mean = np.append(model.spacing_mm, [30.0, 30.0])
    variance = np.append(model.spacing_sd_mm, [3.0, 3.0]) ** 2
    spacing = np.zeros((RIVALS, len(model.scales)))
    for one, other in pairwise(sure):
        gap = np.linalg.norm(bodies.centres[other] - bodies.centres[one])
        passed = columns[:, slot[one] + ABOVE : slot[other] + ABOVE]
        spread = np.sqrt(variance[passed].sum(1))[:, None]
        away = (gap - mean[passed].sum(1)[:, None] * model.scales) / spread
        usual = np.exp(-0.5 * away**2) / (spread * np.sqrt(2 * np.pi))
        spacing += np.log((1 - model.odd_spacing) * usual + model.odd_spacing / ODD_MM)
    return Lesson(
        rows=features(bodies),
        levels=levels,
        true=np.take_along_axis(permitted, levels, 1),
        may_be_none=table[:, NONE],
        surely_none=table[:, NONE] & (table.sum(1) == 1),
        prior=prior,
        spacing=spacing + np.log(model.scale_weights),
        first=levels[sure[0]],
        last=levels[sure[-1]],
    )


def changed(bodies: Bodies, rng: np.random.Generator, cropped: float) -> tuple[Bodies, NDArray[np.bool_]]:
    """The spine as another patient's: scaled, shaken, perhaps mirrored, sometimes cut short; and which are left."""
    count = len(bodies)
    kept = np.ones(count, bool)
    if count > 3 and rng.random() < cropped:
        if rng.random() < 0.3:
            kept[: rng.integers(1, max(2, count // 2))] = False
        if rng.random() < 0.3:
            kept[count - rng.integers(1, max(2, count // 3)) :] = False
        kept &= rng.random(count) > 0.02
    if kept.sum() < 2:
        kept[:] = True
    left = int(kept.sum())
    centres = bodies.centres[kept] * rng.normal(1, 0.03) + rng.normal(0, 0.5, (left, 3))
    pedicles = bodies.pedicles[kept] * rng.normal(1, 0.03) + rng.normal(0, 0.5, (left, 2, 3))
    if rng.random() < 0.5:
        centres, pedicles = centres * [-1, 1, 1], pedicles[:, ::-1] * [-1, 1, 1]
    pedicles[rng.random((left, 2)) < 0.02] = np.nan
    scores = np.clip(bodies.segments[kept], 0.005, 0.995)
    logits = np.log(scores / (1 - scores)) + rng.normal(0, 0.15, scores.shape)
    return Bodies(centres, 1 / (1 + np.exp(-logits)), pedicles, bodies.found[kept]), kept
