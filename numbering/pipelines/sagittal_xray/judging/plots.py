"""Pictures of an evaluation: PCK curves, regression and Bland–Altman of the angles, and films with what was said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from numbering.pipelines.films import window_to_grey
from numbering.pipelines.judging.sheets import saved, sheet
from numbering.pipelines.sagittal_xray.judging.figures import ANGLES, LARGE_DEGREES, PCK_STEPS, angles_of
from numbering.pipelines.sagittal_xray.judging.scoring import Outcome

TILE = (300, 560)
"""Columns and rows of one film in the gallery; its caption stands below."""
CAPTION = 74
TRUTH, SAID, WRONG = (0, 220, 0), (90, 170, 255), (255, 70, 70)


def curves(report: dict[str, Any], path: Path) -> Path:
    """PCK over its threshold for every group of films and step, all levels and the paper's (T9 to S1)."""
    from matplotlib.figure import Figure

    groups = report["groups"]
    figure = Figure(figsize=(6 * len(groups), 4.5), layout="constrained")
    for axis, (name, group) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
        for level, curve in group["pck"]["step II"].items():
            if level in ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"):
                axis.plot(PCK_STEPS, np.array(curve) * 100, lw=0.8, label=level)
        for step, style in (("step I", "k:"), ("step II", "k-")):
            axis.plot(PCK_STEPS, np.array(group["pck"][step]["all"]) * 100, style, lw=2, label=f"all, {step}")
        axis.set(title=f"{name}, {group['n']} films", xlabel="threshold, % of the width", ylabel="corners within, %")
        axis.set_ylim(0, 101)
        axis.legend(fontsize=7, ncols=2)
    return saved(figure, path)


def agreement(outcomes: Sequence[Outcome], title: str, path: Path) -> Path:
    """Regression above, Bland–Altman below, of each angle that was given at least once."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    figure.suptitle(title)
    for column, name in zip(figure.subplots(2, len(ANGLES)).T, ANGLES, strict=True):
        given = [one for one in angles_of(outcomes, name) if one.said is not None]
        true, said = np.array([one.true for one in given]), np.array([one.said for one in given], float)
        column[0].set(title=f"{name}, n {len(given)}", xlabel="true, °", ylabel="said, °")
        column[1].set(xlabel="mean of both, °", ylabel="said − true, °")
        if not len(given):
            continue
        span = [float(min(true.min(), said.min())), float(max(true.max(), said.max()))]
        column[0].plot(span, span, "k-", lw=0.6)
        column[0].plot(true, said, ".", ms=4)
        error = said - true
        column[1].plot((true + said) / 2, error, ".", ms=4)
        for value in (error.mean(), error.mean() - 1.96 * error.std(), error.mean() + 1.96 * error.std()):
            column[1].axhline(float(value), color="k", lw=0.6)
        for value in (-LARGE_DEGREES, LARGE_DEGREES):
            column[1].axhline(value, color="r", lw=0.5, ls=":")
    return saved(figure, path)


def worst(outcomes: Sequence[Outcome], most: int = 24) -> list[Outcome]:
    """Films where something went wrong, worst first: sure and wrong, then by angle and by corner; then abstentions."""
    failed = [
        one for one in outcomes if not one.answered or not all(one.right.values()) or one.worst_angle > LARGE_DEGREES
    ]
    failed.sort(key=lambda one: (not one.answered, -one.confident_wrong, -one.worst_angle, -one.worst_corner))
    return failed[:most]


def best(outcomes: Sequence[Outcome], most: int = 10) -> list[Outcome]:
    """Answered films with every level right, the most exact first."""
    good = [one for one in outcomes if one.answered and all(one.right.values())]
    return sorted(good, key=lambda one: one.worst_corner)[:most]


def gallery(outcomes: Sequence[Outcome], path: Path) -> int:
    """A sheet of films, truth green, what was said blue where its name is right, else red; how many there are."""
    return sheet([tile(one) for one in outcomes], path)


def tile(one: Outcome) -> Image.Image:
    """One film with both outlines and a caption."""
    pixels = one.case.film.pixels
    scale = min((TILE[0] - 4) / pixels.shape[1], TILE[1] / pixels.shape[0])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    picture = Image.new("RGB", (TILE[0], TILE[1] + CAPTION), "black")
    picture.paste(Image.fromarray(window_to_grey(pixels)).convert("RGB").resize(size), (0, 0))
    draw = ImageDraw.Draw(picture)
    for corners in one.case.levels.values():
        _outline(draw, corners, scale, TRUTH)
    for vertebra in one.findings.vertebrae:
        points = vertebra.corners or vertebra.endplate
        if points is None:
            continue
        colour = SAID if one.right.get(vertebra.level, False) else WRONG
        at = _outline(draw, points, scale, colour)
        draw.text((at[0] + 3, at[1]), f"{vertebra.level} {vertebra.probability:.2f}", fill=colour)
    draw.text((4, TILE[1] + 2), _caption(one), fill="white")
    return picture


def _outline(draw: ImageDraw.ImageDraw, points: Any, scale: float, colour: tuple[int, int, int]) -> tuple[float, float]:
    """Draw a closed outline; its right-most point in the picture."""
    shown = [((float(x) + 0.5) * scale, (float(y) + 0.5) * scale) for x, y in points]
    draw.line([*shown, shown[0]], fill=colour)
    return max(shown)


def _caption(one: Outcome) -> str:
    said = "answered" if one.answered else f"abstained: {one.reason}"
    wrong = [level for level, right in one.right.items() if not right]
    lines = [
        f"{one.case.name[:34]} {one.case.shapes}",
        f"{one.case.field_of_view}, {one.case.anatomy}"[:48],
        f"{said}; {len(wrong)} of {len(one.right)} levels not right",
        f"worst angle {one.worst_angle:.1f}°, corner {one.worst_corner * 100:.0f} % of the width",
    ]
    return "\n".join(lines)
