"""The lateral pipeline for ``numbering train``, ``evaluate``, ``models install`` (`numbering.pipelines.commands`)."""

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
from numbering.pipelines.judging.cells import number, spread
from numbering.weights import Entry

if TYPE_CHECKING:
    from numbering.pipelines.sagittal_xray.judging.evaluation import Judged

PARTS = ("step-two", "sequence", "abstention")
"""What an evaluation can leave out: CNN 3, the joint decision about names, and the refusal to answer."""
TRAINING_PARTS = ("caudal-crops",)
"""What training can leave out."""


def train(order: Training) -> Path:
    """Train the networks (see `training.train`)."""
    refuse_unknown("part to leave out", order.without, TRAINING_PARTS)
    refuse_unknown("layout", [order.layout], ["auto", "films"])
    if order.simulated is not None:
        raise ValueError("--simulated: simulated films are data like others here; put them into --data")
    from numbering.pipelines.sagittal_xray.learning import training

    return training.train(
        order.data,
        order.out,
        size=order.size,
        resume=order.resume,
        start=order.start,
        hours=order.hours,
        epochs=order.epochs,
        device=order.device,
        network=order.network,
        without=order.without,
    )


def evaluate(order: Examination, progress: Progress = silent) -> Figures:
    """The paper's tables (see `evaluation.evaluate`); ``gallery`` also gets curves, angles and good films beside it."""
    refuse_unknown("part to leave out", order.without, PARTS)
    from numbering.pipelines.sagittal_xray.install import candidate_entry
    from numbering.pipelines.sagittal_xray.judging.cases import cases
    from numbering.pipelines.sagittal_xray.judging.evaluation import evaluate as judge_all
    from numbering.pipelines.sagittal_xray.judging.variants import Variants

    films = list(cases(order.data, order.layout, order.split))[: order.films]
    variants = Variants(order.device, candidate_entry(order.weights) if order.weights else None)
    done = iter(range(1, len(films) + 1))
    report, judged = judge_all(
        variants.without,
        films,
        without=order.without,
        seed=order.seed,
        progress=lambda case: progress(case.field_of_view, next(done), len(films)),
    )
    if order.gallery:
        report["pictures"] = draw(report, judged, order.gallery)
    return Figures(report=report, tables=tables(report))


def draw(report: dict[str, Any], judged: list[Judged], path: Path) -> dict[str, int]:
    """Write the failures to ``path`` and beside it ``-good``, ``-pck``, ``-angles``; how many films are shown."""
    from numbering.pipelines.sagittal_xray.judging import plots

    def beside(what: str) -> Path:
        return path.with_name(f"{path.stem}-{what}{path.suffix}")

    answers = [one.answer for one in judged]
    plots.curves(report, beside("pck"))
    for anatomy, normal in (("normal", True), ("anomalous", False)):
        chosen = [one for one in answers if one.answered and one.case.normal is normal]
        if chosen:
            plots.agreement(chosen, f"{anatomy} anatomy, after abstention", beside(f"angles-{anatomy}"))
    return {
        "failures": plots.gallery(plots.worst(answers), path),
        "good": plots.gallery(plots.best(answers), beside("good")),
    }


def tables(report: dict[str, Any]) -> list[FigureTable]:
    """Headline figures; then for each anatomy Table 1 and the angles, before and after abstention."""
    found = [_headline(report)]
    for anatomy, group in report["groups"].items():
        found += [_errors(anatomy, group), _angles(anatomy, group)]
    return found


def _headline(report: dict[str, Any]) -> FigureTable:
    """Everything in percent."""
    names = list(report["rows"][0]["figures"]) if report["rows"] else []
    rows = [
        [row["view"], row["anatomy"], row["shapes"], row["films"], f"{row['n']} ({row['patients']})"]
        + [_percent(name, row["figures"][name], row["interval"].get(name)) for name in names]
        for row in report["rows"]
    ]
    left_out = f", without {', '.join(report['without'])}" if report["without"] else ""
    return FigureTable(
        title=f"Lateral films, % (95 % interval), {report['runtime']}{left_out}",
        columns=("View", "Anatomy", "Shapes", "Films", "n (pat.)", *(name.removesuffix(" %") for name in names)),
        rows=rows,
    )


def _percent(name: str, value: float | None, interval: tuple[float, float] | None) -> str:
    """A share, or an error that is in percent already, with its interval below."""
    return spread(value, interval, 1 if name.endswith(" %") else 100)


def _errors(anatomy: str, group: dict[str, Any]) -> FigureTable:
    """The paper's Table 1."""
    first, second = (group["errors"][step] for step in ("step I", "step II"))
    rows = [
        [level, *(number(table.get(level, {}).get(axis)) for axis in ("x", "y") for table in (first, second))]
        + [str(second.get(level, first.get(level))["n"])]
        for level in dict.fromkeys([*first, *second])
    ]
    means = [number(group["weighted mean"][step][axis]) for axis in (0, 1) for step in ("step I", "step II")]
    columns = ("Vertebra", "x I (%)", "x II (%)", "y I (%)", "y II (%)", "n")
    title = f"Median errors, {anatomy} anatomy, {group['n']} films (before abstention)"
    return FigureTable(title=title, columns=columns, rows=[*rows, ["Weighted mean", *means, "–"]])


def _angles(anatomy: str, group: dict[str, Any]) -> FigureTable:
    keys = ("n", "given", "R²", "bias", "SD", "median", "maximum", "above 5°", "above 15°", "covered")
    rows = [
        [name, films, *(number(figures.get(key)) for key in keys)]
        for name, by_films in group["angles"].items()
        for films, figures in by_films.items()
    ]
    title = f"Angles, {anatomy} anatomy: {group['abstained']:.0%} of films abstained on"
    return FigureTable(title=title, columns=("Angle", "Films", *keys), rows=rows)


def install(order: Installation, progress: Progress = silent) -> Entry:
    """Register weights (see `install.install`)."""
    from numbering.pipelines.sagittal_xray import install as installing

    return installing.install(
        order.weights, order.data, trained_on=order.trained_on, command=order.command, progress=progress
    )
