"""Pictures of an evaluation: ROC curves, and series as contact sheets with names, truth and heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from numbering.packed import HeatMap
from numbering.pipelines.axial_mr.classes import CLASSES, NONE
from numbering.pipelines.axial_mr.judging.evaluation import Judged, groups
from numbering.pipelines.axial_mr.judging.figures import auc, pooled, roc
from numbering.pipelines.axial_mr.judging.scoring import Outcome
from numbering.pipelines.films import window_to_grey
from numbering.pipelines.judging.sheets import saved
from numbering.stack import Stack

SIDE = 150
"""Pixels of one slice."""
ACROSS, DOWN = 8, 5
CAPTION = 34
TRUTH, SAID, WRONG = (0, 220, 0), (90, 170, 255), (255, 70, 70)
OUTLINED: dict[str, Any] = {"stroke_width": 1, "stroke_fill": "black"}
BLENDED = 0.45
"""How much of the heat map stands over the slice."""


def curves(judged: Sequence[Judged], path: Path) -> Path:
    """ROC curves of single slices, a level each among the five, for every group of series."""
    from matplotlib.figure import Figure

    parts = groups(judged)
    figure = Figure(figsize=(4.5 * len(parts), 4.2), layout="constrained")
    for axis, (name, members) in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts.items(), strict=True):
        classes, shares = pooled([one.answer for one in members])
        levels = classes != NONE
        among = shares[levels, :NONE] / np.maximum(shares[levels, :NONE].sum(1, keepdims=True), 1e-12)
        for position, level in enumerate(CLASSES[:NONE]):
            positive = classes[levels] == position
            area = auc(among[:, position], positive)
            if area is not None:
                axis.plot(*roc(among[:, position], positive), lw=1, label=f"{level}, AUC {area:.4f}")
        axis.set(
            title=f"{' '.join(name)}, {int(levels.sum())} slices",
            xlabel="false positive rate",
            ylabel="true positive rate",
        )
        axis.legend(fontsize=7)
    return saved(figure, path)


def worst(outcomes: Sequence[Outcome], most: int = 12) -> list[Outcome]:
    """Series where something went wrong, worst first: sure and wrong, wrong, then abstentions."""
    failed = [one for one in outcomes if not one.answered or not one.all_right]
    failed.sort(key=lambda one: (not one.answered, -one.confident_wrong, -len(one.wrong), one.case.name))
    return failed[:most]


def best(outcomes: Sequence[Outcome], most: int = 12) -> list[Outcome]:
    """Answered series without a wrong name, the most discs first."""
    good = [one for one in outcomes if one.answered and one.all_right]
    return sorted(good, key=lambda one: (-len(one.discs), one.case.name))[:most]


def tile(one: Outcome) -> Image.Image:
    """One series: its slices head first, truth green, names blue or red, heat maps blended in; and a caption."""
    stack, *_ = one.case.study()
    picture = Image.new("RGB", (ACROSS * SIDE, DOWN * SIDE + CAPTION), "black")
    draw = ImageDraw.Draw(picture)
    said = {(found.sop_instance_uid, found.frame): found for found in one.findings.discs}
    heat = {(found.sop_instance_uid, found.frame): found for found in one.findings.heat_maps}
    every = max(1, -(-len(stack) // (ACROSS * DOWN)))
    for place, index in enumerate(range(0, len(stack), every)):
        plane = stack.planes[index]
        key = plane.sop_instance_uid, plane.frame
        left, top = place % ACROSS * SIDE, place // ACROSS * SIDE
        picture.paste(_slice(stack, index, heat.get(key)), (left, top))
        true = one.case.slices.get(plane.name)
        if true is not None and true.near is not None:
            draw.text((left + 4, top + 2), true.disc or f"({true.near})", fill=TRUTH, **OUTLINED)
        if key in said:
            found = said[key]
            right = plane.name not in one.wrong
            draw.text(
                (left + 4, top + SIDE - 14), f"{found.level} {found.probability:.2f}", fill=SAID if right else WRONG
            )
    draw.text((4, DOWN * SIDE + 3), _caption(one), fill="white")
    return picture


def _slice(stack: Stack, index: int, heat: HeatMap | None) -> Image.Image:
    grey = Image.fromarray(window_to_grey(stack.pixels(index)))
    shown = grey.convert("RGB")
    if heat is not None:
        overlay, weight = _coloured(heat, grey.size)
        shown = Image.composite(overlay, shown, weight)
    scale = min(SIDE / shown.width, SIDE / shown.height)
    resized = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
    square = Image.new("RGB", (SIDE, SIDE), "black")
    square.paste(resized, ((SIDE - resized.width) // 2, (SIDE - resized.height) // 2))
    return square


def _coloured(heat: HeatMap, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The map over the whole slice in colours, and how much of it is to be seen where."""
    x0, y0, x1, y1 = heat.box
    columns, rows = size
    values = Image.fromarray((heat.values() * 255).astype(np.uint8))
    cell_x, cell_y = (x1 - x0) / heat.columns, (y1 - y0) / heat.rows
    matrix = 1 / cell_x, 0.0, (-0.5 - x0) / cell_x, 0.0, 1 / cell_y, (-0.5 - y0) / cell_y
    placed = values.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    value: NDArray[np.float64] = np.asarray(placed, float) / 255
    colours = np.stack([np.clip(2 * value, 0, 1), np.clip(2 * value - 0.6, 0, 1), np.clip(1 - 2 * value, 0, 1)], -1)
    assert colours.shape[:2] == (rows, columns)
    weight = Image.fromarray((value * BLENDED * 255).astype(np.uint8))
    return Image.fromarray((colours * 255).astype(np.uint8)), weight


def _caption(one: Outcome) -> str:
    said = "answered" if one.answered else f"abstained: {one.reason}"
    wrong = sum(not right for right in one.right.values())
    case = one.case
    return (
        f"{case.name[:60]}   {case.origin}, {case.anatomy}, {case.weighting} {case.layout}\n"
        f"{said}; {wrong} of {len(one.right)} slices through discs not right, {len(one.wrong)} wrong names"
    )
