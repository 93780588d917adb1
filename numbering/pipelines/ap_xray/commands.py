"""The AP pipeline for ``numbering train``, ``evaluate`` and ``models install`` (see `numbering.pipelines.commands`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from numbering.weights import Entry


def train(order: Training) -> Path:
    """Train the detector (see `training.train`)."""
    from numbering.pipelines.ap_xray import training

    refuse_unknown("network", [order.network] if order.network else [], [])
    refuse_unknown("part to leave out", order.without, [])
    return training.train(
        order.data,
        order.out,
        size=order.size,
        layout=order.layout,
        resume=order.resume,
        start=order.start,
        simulated=order.simulated,
        hours=order.hours,
        epochs=order.epochs,
        device=order.device,
    )


def evaluate(order: Examination, progress: Progress = silent) -> Figures:
    """The paper's table (see `evaluation.evaluate`)."""
    from numbering.pipelines.ap_xray.cases import cases
    from numbering.pipelines.ap_xray.evaluation import evaluate as judge_all
    from numbering.pipelines.ap_xray.evaluation import gallery
    from numbering.pipelines.ap_xray.install import candidate_entry
    from numbering.pipelines.ap_xray.pipeline import ApXray

    refuse_unknown("part to leave out", order.without, [])
    films = list(cases(order.data, order.layout, order.split, order.seed))[: order.films]
    done = iter(range(1, len(films) + 1))
    report, outcomes = judge_all(
        ApXray(order.device, entry=candidate_entry(order.weights) if order.weights else None),
        films,
        order.seed,
        lambda case: progress(case.view, next(done), len(films)),
    )
    if order.gallery:
        report["failures"] = gallery(outcomes, order.gallery)
    return Figures(report=report, tables=tables(report))


def tables(report: dict[str, Any]) -> list[FigureTable]:
    """A row a view and anatomy, each figure with its interval; and films without L5."""
    names = list(report["rows"][0]["figures"]) if report["rows"] else []
    rows = [
        [
            row["view"],
            row["anatomy"],
            str(row["n"]),
            *(
                f"{value:.3f}\n{row['interval'][name][0]:.3f}–{row['interval'][name][1]:.3f}"
                for name, value in row["figures"].items()
            ),
        ]
        for row in report["rows"]
    ]
    empty = report["without_l5"]
    return [
        FigureTable(title=f"L5 on AP films, {report['runtime']}", columns=("View", "Anatomy", "n", *names), rows=rows),
        FigureTable(
            title="Films without L5 (to be abstained on)",
            columns=("n", "abstained", "numbered with ≥ 0.9"),
            rows=[[str(empty[name]) for name in ("n", "abstained", "confident_wrong")]],
        ),
    ]


def install(order: Installation, progress: Progress = silent) -> Entry:
    """Register weights (see `install.install`)."""
    from numbering.pipelines.ap_xray import install as installing

    return installing.install(
        order.weights, order.data, trained_on=order.trained_on, command=order.command, progress=progress
    )
