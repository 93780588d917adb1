"""The CT pipeline for ``numbering train``, ``evaluate``, ``models install`` (`numbering.pipelines.commands`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from numbering.pipelines.judging.cells import number, share, spread
from numbering.weights import Entry

if TYPE_CHECKING:
    from numbering.pipelines.ct.judging.evaluation import Judged

PARTS = ("direct", "instances", "abstention")
"""What an evaluation can leave out: the direct search for L1, the walk along the spine, and the refusal to answer."""


def train(order: Training) -> Path:
    """Train the networks (see `training.train`). An epoch is one step: volumes are cut anew for each."""
    refuse_unknown("part to leave out", order.without, ())
    refuse_unknown("layout", [order.layout], ["auto", "volumes"])
    if order.simulated is not None:
        raise ValueError("--simulated: simulated volumes are data like others here; put them into --data")
    from numbering.pipelines.ct.learning import training

    return training.train(
        order.data,
        order.out,
        size=order.size,
        resume=order.resume,
        start=order.start,
        hours=order.hours,
        steps=order.epochs,
        device=order.device,
        network=order.network,
    )


def evaluate(order: Examination, progress: Progress = silent) -> Figures:
    """The paper's table and more (see `evaluation.evaluate`); ``gallery`` also gets good series beside it."""
    refuse_unknown("part to leave out", order.without, PARTS)
    if {"direct", "instances"} <= order.without:
        raise ValueError("nothing is left without direct and instances: leave out one of them at most")
    from numbering.pipelines.ct.install import candidate_entry
    from numbering.pipelines.ct.judging.cases import cases
    from numbering.pipelines.ct.judging.evaluation import evaluate as judge_all
    from numbering.pipelines.ct.judging.variants import Variants

    series = list(cases(order.data, order.layout, order.split))[: order.films]
    variants = Variants(order.device, candidate_entry(order.weights) if order.weights else None)
    done = iter(range(1, len(series) + 1))
    report, judged = judge_all(
        variants.without,
        series,
        without=order.without,
        seed=order.seed,
        progress=lambda case: progress(case.region, next(done), len(series)),
    )
    if order.gallery:
        report["pictures"] = draw(report, judged, order.gallery)
    return Figures(report=report, tables=tables(report))


def draw(report: dict[str, Any], judged: list[Judged], path: Path) -> dict[str, int]:
    """Write the failures to ``path`` and beside it ``-good`` and ``-reliability``; how many series are shown."""
    from numbering.pipelines.ct.judging import plots
    from numbering.pipelines.judging.sheets import reliability_curves, sheet

    def beside(what: str) -> Path:
        return path.with_name(f"{path.stem}-{what}{path.suffix}")

    answers = [one.answer for one in judged]
    probabilities = {name: group["probabilities"] for name, group in report["groups"].items()}
    reliability_curves(probabilities, "names of vertebrae", beside("reliability"))
    return {
        "failures": sheet([plots.tile(one) for one in plots.worst(answers)], path),
        "good": sheet([plots.tile(one) for one in plots.best(answers)], beside("good")),
    }


def tables(report: dict[str, Any]) -> list[FigureTable]:
    """Table 2 with the whole spine, series without L1, then for each anatomy its levels."""
    found = [_headline(report), _without_l1(report)]
    return found + [_levels(anatomy, group) for anatomy, group in report["groups"].items()]


def _headline(report: dict[str, Any]) -> FigureTable:
    from numbering.pipelines.ct.judging.figures import SHARES

    names = list(report["rows"][0]["figures"]) if report["rows"] else []
    rows = []
    for row in report["rows"]:
        cells = [
            (share if name in SHARES else spread)(row["figures"][name], row["interval"].get(name))
            if "Dice" not in name
            else number(row["figures"][name])
            for name in names
        ]
        rows.append([row["method"], row["anatomy"], row["shapes"], row["series"], f"{row['n']}", *cells])
    left_out = f", without {', '.join(report['without'])}" if report["without"] else ""
    columns = [f"{name} %" if name in SHARES else name for name in names]
    return FigureTable(
        title=f"CT that shows L1 (95 % interval), {report['runtime']}{left_out}",
        columns=("Method", "Anatomy", "Shapes", "Series", "n", *columns),
        rows=rows,
    )


def _without_l1(report: dict[str, Any]) -> FigureTable:
    figures = report["without_l1"]
    cells = [str(figures[key]) for key in ("n", "abstained", "named L1", "confident_wrong")]
    reasons = ", ".join(f"{code} {count}" for code, count in figures["reasons"].items()) or "–"
    return FigureTable(
        title=f"CT without L1 ({report['cut_off']} more cut it off and are not judged)",
        columns=("n", "abstained", "named L1", "wrong ≥ 0.9", "reasons"),
        rows=[[*cells, reasons]],
    )


def _levels(anatomy: str, group: dict[str, Any]) -> FigureTable:
    rows = [[level, str(one["n"]), share(one["right"]), number(one["Dice"])] for level, one in group["levels"].items()]
    hu, honest = group["density"], group["probabilities"]
    density = f"L1 HU: bias {number(hu['bias'], 1)}, SD {number(hu['SD'], 1)}, n {hu['n']}"
    title = (
        f"By level, {anatomy} anatomy, {group['n']} series, {group['abstained']:.0%} abstained on; {density}; ECE "
        f"{number(honest['ECE'])}"
    )
    return FigureTable(title=title, columns=("Vertebra", "n", "right %", "Dice"), rows=rows)


def install(order: Installation, progress: Progress = silent) -> Entry:
    """Register weights (see `install.install`)."""
    from numbering.pipelines.ct import install as installing

    return installing.install(
        order.weights, order.data, trained_on=order.trained_on, command=order.command, progress=progress
    )
