"""Pictures of numberings: the worst scans with what went wrong, how sure against how right, and one worked example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.vid_keypoints.identification import BINS, Judged
from numbering.anatomy import Level
from numbering.enumeration import LEVELS, Numbering
from numbering.enumeration.detections import Bodies

RIGHT, WRONG, QUIET = "#1b7837", "#b2182b", "#999999"


def fault(one: Judged) -> str:
    """What went wrong with a scan, in a few words."""
    if not one.right.size or one.right.all():
        return "nothing"
    if not one.near.any():
        return "nothing found"
    away = np.linalg.norm(one.scan.centres[:, None] - one.named.places[None], axis=2).argmin(1)
    shifts = Counter(
        LEVELS.index(one.named.levels[nearest]) - LEVELS.index(level)
        for level, nearest, near, right in zip(one.scan.levels, away, one.near, one.right, strict=True)
        if near and not right
    )
    missing = int((~one.near).sum())
    words = []
    if shifts:
        shift, count = shifts.most_common(1)[0]
        # T12 and L1 are two columns apart: T13 lies between them.
        words.append(f"{count} named one too {'low' if shift > 0 else 'high'}" if abs(shift) <= 2 else f"{count} wrong")
    if missing:
        words.append(f"{missing} not found")
    if one.scan.has_l6:
        words.append("has L6")
    if one.scan.has_11_ribs:
        words.append("11 ribs")
    return ", ".join(words)


def draw_worst(judged: Sequence[Judged], numberings: Mapping[str, tuple[Bodies, Numbering]], file: Path) -> None:
    """The twenty scans with the most wrong names: truth on the left, our names on the right."""
    worst = sorted(judged, key=lambda one: (one.right.sum() - len(one.right), one.scan.name))[:20]
    figure, axes = plt.subplots(2, 10, figsize=(22, 13))
    for axis, one in zip(axes.flat, worst, strict=True):
        _spine(axis, one, *numberings[one.scan.name])
    figure.suptitle(
        "The twenty scans with the most wrong names. Side view, mm; left: truth; right: our name and its probability; "
        "far right: the network's segments. Red: wrong or not found.",
        fontsize=11,
    )
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    figure.savefig(file, dpi=60)
    plt.close(figure)


def _spine(axis: plt.Axes, one: Judged, bodies: Bodies, numbering: Numbering) -> None:
    centre = np.median(one.scan.centres[:, 1])
    axis.scatter(one.scan.centres[:, 1] - centre, one.scan.centres[:, 2], s=60, facecolors="none", edgecolors=RIGHT)
    axis.scatter(bodies.centres[:, 1] - centre, bodies.centres[:, 2], s=14, color=np.where(bodies.found, "k", QUIET))
    for level, place, right in zip(one.scan.levels, one.scan.centres, one.right, strict=True):
        axis.text(-75, place[2], str(level), color=RIGHT if right else WRONG, fontsize=7, va="center")
    for place, scores, level, sure in zip(
        bodies.centres, bodies.segments, numbering.levels, numbering.probabilities, strict=True
    ):
        seen = "".join(letter for letter, score in zip("CTL", scores, strict=True) if score > 0.2)
        axis.text(52, place[2], f"{level or '–'} {sure:.2f}", fontsize=7, va="center")
        axis.text(125, place[2], seen, fontsize=7, va="center", color=QUIET)
    axis.set_xlim(-85, 150)
    axis.set_title(f"{one.scan.name}\n{fault(one)}", fontsize=7)
    axis.tick_params(labelsize=6)


def draw_curves(judged: Sequence[Judged], file: Path) -> None:
    """How right the answers are when the least sure scans are abstained on, and probabilities against frequencies."""
    order = sorted(judged, key=lambda one: -one.named.confidence)
    right = np.cumsum([one.right.sum() for one in order])
    every = np.cumsum([len(one.right) for one in order])
    found = np.cumsum([one.near.sum() for one in order])
    share = 1 - np.arange(1, len(order) + 1) / len(order)
    figure, (curve, reliability) = plt.subplots(1, 2, figsize=(9, 3.6))
    curve.plot(100 * share, 100 * right / every, color="k", label="of all true vertebrae")
    curve.plot(100 * share, 100 * right / np.maximum(found, 1), color=RIGHT, label="of those found")
    curve.axhline(99.5, color=QUIET, linewidth=0.8)
    curve.set(xlim=(0, 30), ylim=(94, 100.1), xlabel="scans abstained on, %", ylabel="named rightly, %")
    curve.legend(frameon=False, fontsize=8)
    sure = np.concatenate([one.probability[one.near] for one in judged])
    true = np.concatenate([one.right[one.near] for one in judged])
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    filled = [b for b in range(BINS) if (bins == b).any()]
    reliability.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    reliability.scatter(
        [sure[bins == b].mean() for b in filled],
        [true[bins == b].mean() for b in filled],
        s=[8 + 200 * (bins == b).mean() for b in filled],
        color="k",
    )
    reliability.set(xlabel="probability given", ylabel="share right", xlim=(0, 1.02), ylim=(0, 1.02))
    figure.tight_layout()
    figure.savefig(file, dpi=90)
    plt.close(figure)


def draw_example(bodies: Bodies, numbering: Numbering, truth: Sequence[tuple[Level, np.ndarray]], file: Path) -> None:
    """One spine: what was found, the marginals of each candidate, and the variants."""
    figure, (side, heat, bars) = plt.subplots(1, 3, figsize=(11, 5), width_ratios=(1.1, 2.4, 1))
    for level, place in truth:
        side.text(place[1] - 62, place[2], str(level), color=RIGHT, fontsize=8, va="center")
    side.scatter(bodies.centres[:, 1], bodies.centres[:, 2], s=25, color=np.where(bodies.found, "k", QUIET))
    for number, (place, level) in enumerate(zip(bodies.centres, numbering.levels, strict=True)):
        side.text(place[1] + 14, place[2], f"{number}: {level or '–'}", fontsize=8, va="center")
    side.set(xlim=(bodies.centres[:, 1].min() - 70, bodies.centres[:, 1].max() + 70), title="truth | found: named")
    side.set_xticks([])
    shown = [column for column in range(len(LEVELS)) if numbering.marginals[:, column].max() > 1e-3]
    table = np.concatenate([numbering.marginals[:, shown], 1 - numbering.marginals.sum(1, keepdims=True)], 1)
    heat.imshow(table, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(table > 0.005):
        value = table[row, column]
        colour = "w" if value > 0.5 else "k"
        heat.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    heat.set_xticks(range(len(shown) + 1), [*(str(LEVELS[column]) for column in shown), "none"], fontsize=8)
    heat.set_yticks(range(len(table)), [str(number) for number in range(len(table))], fontsize=8)
    heat.set_title("marginals of each candidate")
    likeliest = sorted(numbering.variants.items(), key=lambda item: -item[1])[:5]
    bars.barh([str(variant) for variant, _ in likeliest][::-1], [share for _, share in likeliest][::-1], color="k")
    bars.tick_params(labelsize=8)
    bars.set(xlim=(0, 1), title="variants")
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    plt.close(figure)
