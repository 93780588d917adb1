"""The view network for ``numbering train``, ``evaluate``, ``models install`` (see `numbering.pipelines.commands`)."""

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
    """Train on pictures gathered by `view.pictures`."""
    from numbering.pipelines.view import training

    refuse_unknown("network", [order.network] if order.network else [], [])
    refuse_unknown("part to leave out", order.without, [])
    refuse_unknown("size", [order.size], ["small"])
    return training.train(order.data, order.out, epochs=order.epochs or training.EPOCHS, hours=order.hours)


def evaluate(order: Examination, progress: Progress = silent) -> Figures:
    """How often it is right, unsure and wrong."""
    from numbering.pipelines.view.classifier import ViewClassifier
    from numbering.pipelines.view.evaluation import figures, look_at
    from numbering.pipelines.view.install import entry_for

    refuse_unknown("part to leave out", order.without, [])
    classifier = ViewClassifier(entry=entry_for(order.weights) if order.weights else None)
    looked = look_at(classifier, order.data, order.split, progress)
    report: dict[str, Any] = {
        "pipeline": "view",
        "weights_sha256": classifier.identity.weights_sha256,
        "runtime": classifier.identity.runtime,
        "seed": order.seed,
        "rows": figures(looked, classifier.temperature, classifier.answer),
    }
    return Figures(report=report, tables=tables(report))


def tables(report: dict[str, Any]) -> list[FigureTable]:
    """A row for each kind and source of pictures."""
    rows = [
        [row["view"], row["anatomy"], str(row["n"]), *(f"{value:.3f}" for value in row["figures"].values())]
        for row in report["rows"]
    ]
    columns = ("Kind", "Source", "n", "right", "unsure", "wrong")
    return [FigureTable(title=f"View from pixels, {report['runtime']}", columns=columns, rows=rows)]


def install(order: Installation, progress: Progress = silent) -> Entry:
    """Register weights."""
    from numbering.pipelines.view import install as installing

    return installing.install(
        order.weights, order.data, trained_on=order.trained_on, command=order.command, progress=progress
    )
