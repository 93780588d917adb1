"""The axial MR pipeline for ``numbering train``, ``evaluate``, ``models install`` (`numbering.pipelines.commands`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numbering.pipelines.axial_mr.classes import CLASSES
from numbering.pipelines.commands import (
    Examination,
    Figures,
    FigureTable,
    Installation,
    Progress,
    Training,
    refuse_unknown,
    silent,
)
from numbering.pipelines.judging.cells import number, share
from numbering.weights import Entry

if TYPE_CHECKING:
    from numbering.pipelines.axial_mr.judging.evaluation import Judged

PARTS = ("series", "sagittal", "abstention")
"""What an evaluation can leave out: the joint decision about a series, its sagittal witness, the refusal to answer."""


def train(order: Training) -> Path:
    """Train the network (see `training.train`)."""
    refuse_unknown("part to leave out", order.without, ())
    refuse_unknown("layout", [order.layout], ["auto"])
    refuse_unknown("network", [order.network] if order.network else [], [])
    if order.simulated is not None:
        raise ValueError("--simulated: simulated slices are data like others here; put them into --data")
    from numbering.pipelines.axial_mr.learning import training

    return training.train(
        order.data,
        order.out,
        size=order.size,
        resume=order.resume,
        start=order.start,
        hours=order.hours,
        epochs=order.epochs,
        device=order.device,
    )


def evaluate(order: Examination, progress: Progress = silent) -> Figures:
    """The paper's tables and more (see `evaluation.evaluate`); ``gallery`` also gets curves and good series."""
    refuse_unknown("part to leave out", order.without, PARTS)
    from numbering.pipelines.axial_mr.install import candidate_entry
    from numbering.pipelines.axial_mr.judging.cases import cases
    from numbering.pipelines.axial_mr.judging.evaluation import evaluate as judge_all
    from numbering.pipelines.axial_mr.judging.variants import Variants

    series = list(cases(order.data, order.layout, order.split))[: order.films]
    variants = Variants(order.device, candidate_entry(order.weights) if order.weights else None)
    done = iter(range(1, len(series) + 1))
    report, judged = judge_all(
        variants.without,
        series,
        without=order.without,
        seed=order.seed,
        progress=lambda case: progress(case.layout, next(done), len(series)),
    )
    if order.gallery:
        report["pictures"] = draw(report, judged, order.gallery)
    return Figures(report=report, tables=tables(report))


def draw(report: dict[str, Any], judged: list[Judged], path: Path) -> dict[str, int]:
    """Write the failures to ``path`` and beside it ``-good``, ``-roc`` and ``-reliability``; how many series are
    shown."""
    from numbering.pipelines.axial_mr.judging import plots
    from numbering.pipelines.judging.sheets import reliability_curves, sheet

    def beside(what: str) -> Path:
        return path.with_name(f"{path.stem}-{what}{path.suffix}")

    answers = [one.answer for one in judged]
    plots.curves(judged, beside("roc"))
    honest = {
        f"{name}, {what}": group[what] for name, group in report["groups"].items() for what in ("slices", "names")
    }
    reliability_curves(honest, "single slices and names", beside("reliability"))
    return {
        "failures": sheet([plots.tile(one) for one in plots.worst(answers)], path, columns=2),
        "good": sheet([plots.tile(one) for one in plots.best(answers)], beside("good"), columns=2),
    }


def tables(report: dict[str, Any]) -> list[FigureTable]:
    """Single slices and whole series; then for each group Table 2, the confusions and the discs."""
    found = [_headline(report)]
    for name, group in report["groups"].items():
        found += [_levels(name, group), _confusion(name, group), _discs(name, group)]
    return found


def _headline(report: dict[str, Any]) -> FigureTable:
    names = list(report["rows"][0]["figures"]) if report["rows"] else []
    rows = [
        [row["origin"], row["anatomy"], row["series"], f"{row['n']} ({row['slices']})"]
        + [share(row["figures"][name], row["interval"].get(name)) for name in names]
        for row in report["rows"]
    ]
    left_out = f", without {', '.join(report['without'])}" if report["without"] else ""
    return FigureTable(
        title=f"Axial MR, % (95 % interval), {report['runtime']}{left_out}",
        columns=("Origin", "Anatomy", "Series", "n (slices)", *names),
        rows=rows,
    )


def _levels(name: str, group: dict[str, Any]) -> FigureTable:
    """The paper's Table 2."""
    rows = [
        [level, str(one["n"]), *(number(one[key], 4 if key == "AUC" else 3) for key in ("recall", "precision", "AUC"))]
        for level, one in group["levels"].items()
    ]
    honest = f"ECE of slices {number(group['slices']['ECE'])}, of names {number(group['names']['ECE'])}"
    title = f"Single slices by level, {name}, {group['n']} series, {group['abstained']:.0%} abstained on; {honest}"
    return FigureTable(title=title, columns=("Level", "n", "recall", "precision", "AUC"), rows=rows)


def _confusion(name: str, group: dict[str, Any]) -> FigureTable:
    rows = [[level, *(str(count) for count in row)] for level, row in zip(CLASSES, group["confusion"], strict=True)]
    return FigureTable(title=f"Single slices, true against said, {name}", columns=("True", *CLASSES), rows=rows)


def _discs(name: str, group: dict[str, Any]) -> FigureTable:
    rows = [[disc, str(one["n"]), share(one["right"])] for disc, one in group["discs"].items()]
    return FigureTable(
        title=f"Discs of answered series by true name, {name}", columns=("Disc", "n", "right"), rows=rows
    )


def install(order: Installation, progress: Progress = silent) -> Entry:
    """Register weights (see `install.install`)."""
    from numbering.pipelines.axial_mr import install as installing

    return installing.install(
        order.weights, order.data, trained_on=order.trained_on, command=order.command, progress=progress
    )
