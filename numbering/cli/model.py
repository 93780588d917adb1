"""Commands about models: train, evaluate, models, models install."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from numbering.cli.console import (
    JsonOption,
    PipelineArgument,
    emit,
    existing,
    fail,
    out,
    progress_bar,
)

models_app = typer.Typer(
    help="What is installed: models, their weights, data and figures.", invoke_without_command=True
)


def train(
    pipeline: PipelineArgument,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Labelled films.")],
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE.safetensors", help="Where the weights go.")],
    size: Annotated[str, typer.Option(help="small, or paper (YOLOv5x, one class, 640 px).")] = "small",
    layout: Annotated[str, typer.Option("--format", help="auto, aasce or yolo.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    start: Annotated[Path | None, typer.Option(metavar="FILE.safetensors", help="Begin from these weights.")] = None,
    simulated: Annotated[Path | None, typer.Option(metavar="DIR", help="Phantoms that train too.")] = None,
    hours: Annotated[float | None, typer.Option(help="Fit the schedule into this time.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the size's own number.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or a CUDA device number.")] = "cpu",
) -> None:
    """Train a pipeline's network. Test films are refused."""
    known_pipeline(pipeline)
    from numbering.pipelines.ap_xray.training import train as train_ap

    try:
        existing([data])
        weights = train_ap(
            data,
            out_file,
            size=size,
            layout=layout,
            resume=resume,
            start=start,
            simulated=simulated,
            hours=hours,
            epochs=epochs,
            device=device,
        )
    except ValueError as error:
        raise fail(str(error), 2) from None
    out.print(str(weights), highlight=False)


def known_pipeline(name: str) -> None:
    """Exit with what is installed when there is no pipeline of this name."""
    from numbering.pipelines import card_named

    try:
        card_named(name)
    except KeyError as error:
        raise fail(str(error.args[0]), 2) from None


def evaluate(
    pipeline: PipelineArgument,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Labelled films.")],
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Safetensors to judge; default: installed.")
    ] = None,
    layout: Annotated[str, typer.Option("--format", help="auto, aasce, yolo or phantom.")] = "auto",
    split: Annotated[str, typer.Option(help="test or val, for layouts that have splits.")] = "test",
    gallery: Annotated[Path | None, typer.Option(metavar="PNG", help="Picture of the failures, worst first.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the crops and of the bootstrap.")] = 0,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="TITLE", help="Keep the figures in the model's card under this title."),
    ] = None,
    note: Annotated[str, typer.Option(help="What the data are, for the card.")] = "",
    json_target: JsonOption = None,
) -> None:
    """The paper's table on films that did not train, with 95 % bootstrap intervals."""
    known_pipeline(pipeline)
    from numbering.pipelines.ap_xray.cases import cases
    from numbering.pipelines.ap_xray.evaluation import evaluate as evaluate_ap
    from numbering.pipelines.ap_xray.evaluation import gallery as draw_gallery
    from numbering.pipelines.ap_xray.install import candidate_entry, keep_figures
    from numbering.pipelines.ap_xray.pipeline import ApXray

    existing([data, *([weights] if weights else [])])
    if save and weights:
        raise fail("--save keeps figures of the installed weights: leave --weights out", 2)
    try:
        films = list(cases(data, layout, split, seed))
        with progress_bar("evaluating") as progress:
            done = iter(range(1, len(films) + 1))
            report, outcomes = evaluate_ap(
                ApXray(device, entry=candidate_entry(weights) if weights else None),
                films,
                seed,
                lambda case: progress(case.view, next(done), len(films)),
            )
    except ValueError as error:
        raise fail(str(error), 2) from None
    if gallery:
        report["failures"] = draw_gallery(outcomes, gallery)
    if save:
        keep_figures(
            report, save, note, f"numbering evaluate {pipeline} --data {data.name} --split {split} --seed {seed}"
        )
    emit(json.dumps(report, indent=2), json_target)
    if json_target != "-":
        for table in evaluation_tables(report):
            out.print(table)


def evaluation_tables(report: dict[str, Any]) -> list[Table]:
    """The tables of an evaluation: a row a view and anatomy, each figure with its interval."""
    names = list(report["rows"][0]["figures"]) if report["rows"] else []
    table = Table("View", "Anatomy", "n", *names, title=f"L5 on AP films, {report['runtime']}")
    for row in report["rows"]:
        shown = [
            f"{value:.3f}\n{row['interval'][name][0]:.3f}–{row['interval'][name][1]:.3f}"
            for name, value in row["figures"].items()
        ]
        table.add_row(row["view"], row["anatomy"], str(row["n"]), *shown)
    empty = report["without_l5"]
    without = Table("n", "abstained", "numbered with ≥ 0.9", title="Films without L5 (to be abstained on)")
    without.add_row(*(str(empty[name]) for name in ("n", "abstained", "confident_wrong")))
    return [table, without]


@models_app.callback(epilog="Example: numbering models --json -")
def models(context: typer.Context, json_target: JsonOption = None) -> None:
    """What is installed: models, their weights, data and figures."""
    if context.invoked_subcommand:
        return
    from numbering.pipelines import CARDS
    from numbering.weights import registry

    entries = registry()
    emit(json.dumps({name: entry.model_dump(mode="json") for name, entry in entries.items()}, indent=2), json_target)
    if json_target == "-":
        return
    table = Table("Pipeline", "Version", "Network", "Weights (sha256)", "Trained on", "Presumes")
    for card in CARDS:
        entry = entries[card.weights]
        table.add_row(
            card.name, card.version, entry.architecture, entry.torch.sha256[:12], entry.trained_on, card.assumption
        )
    out.print(table)


@models_app.command("install", epilog="Example: numbering models install ap-xray work/ap.safetensors --data aasce")
def models_install(
    pipeline: PipelineArgument,
    weights: Annotated[Path, typer.Argument(metavar="FILE.safetensors", help="What train wrote.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="AASCE folder: its validation films fix the thresholds.")],
    trained_on: Annotated[str, typer.Option(help="Data statement.")] = "",
    command: Annotated[str, typer.Option(help="The training command.")] = "",
) -> None:
    """Make the OpenVINO IR, fix calibration and thresholds on validation films, and register the weights."""
    known_pipeline(pipeline)
    from numbering.pipelines.ap_xray.install import install

    existing([weights, data])
    with progress_bar("validation films") as progress:
        entry = install(weights, data, trained_on=trained_on, command=command, progress=progress)
    out.print_json(json.dumps(entry.operating_point))
