"""Commands about models: train, evaluate, models, models install."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

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
from numbering.pipelines.commands import Commands, Examination, FigureTable, Installation, Training, commands_of
from numbering.weights.figures import keep_figures

WithoutOption = Annotated[
    list[str] | None, typer.Option("--without", metavar="PART", help="Leave a part of the method out; repeatable.")
]

models_app = typer.Typer(
    help="What is installed: models, their weights, data and figures.", invoke_without_command=True
)


def train(
    pipeline: PipelineArgument,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Labelled films.")],
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE.safetensors", help="Where the weights go.")],
    size: Annotated[str, typer.Option(help="small, or paper (the networks of the paper).")] = "small",
    layout: Annotated[str, typer.Option("--format", help="auto, or one of the pipeline's layouts.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    start: Annotated[Path | None, typer.Option(metavar="FILE.safetensors", help="Begin from these weights.")] = None,
    simulated: Annotated[Path | None, typer.Option(metavar="DIR", help="Phantoms that train too.")] = None,
    hours: Annotated[float | None, typer.Option(help="Fit the schedule into this time.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the size's own number.")] = None,
    network: Annotated[str | None, typer.Option(help="Only this one of the pipeline's networks.")] = None,
    without: WithoutOption = None,
    device: Annotated[str, typer.Option(help="cpu, or a CUDA device number.")] = "cpu",
) -> None:
    """Train a pipeline's networks. Films that are reserved for tests are refused."""
    model = trainable(pipeline)
    order = Training(
        data=data,
        out=out_file,
        size=size,
        layout=layout,
        resume=resume,
        start=start,
        simulated=simulated,
        hours=hours,
        epochs=epochs,
        network=network,
        without=frozenset(without or ()),
        device=device,
    )
    existing([data])
    try:
        weights = model.train(order)
    except ValueError as error:
        raise fail(str(error), 2) from None
    out.print(str(weights), highlight=False)


def trainable(name: str) -> Commands:
    """The model's commands; exit with what there is when there is none of this name."""
    try:
        return commands_of(name)
    except KeyError as error:
        raise fail(str(error.args[0]), 2) from None


def evaluate(
    pipeline: PipelineArgument,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Labelled films.")],
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Safetensors to judge; default: installed.")
    ] = None,
    layout: Annotated[str, typer.Option("--format", help="auto, or one of the pipeline's layouts.")] = "auto",
    split: Annotated[str, typer.Option(help="test or val, for layouts that have splits.")] = "test",
    films: Annotated[int | None, typer.Option(help="Look at no more films than this.")] = None,
    without: WithoutOption = None,
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
    """The paper's tables on films that did not train, with 95 % bootstrap intervals."""
    model = trainable(pipeline)
    existing([data, *([weights] if weights else [])])
    if save and weights:
        raise fail("--save keeps figures of the installed weights: leave --weights out", 2)
    order = Examination(
        data=data,
        weights=weights,
        layout=layout,
        split=split,
        films=films,
        without=frozenset(without or ()),
        gallery=gallery,
        device=device,
        seed=seed,
    )
    try:
        with progress_bar("evaluating") as progress:
            figures = model.evaluate(order, progress)
    except ValueError as error:
        raise fail(str(error), 2) from None
    if save:
        keep_figures(pipeline, figures.report, save, note, _command(pipeline, order))
    emit(json.dumps(figures.report, indent=2), json_target)
    if json_target != "-":
        for table in figures.tables:
            out.print(_rich(table))


def _command(pipeline: str, order: Examination) -> str:
    """The command that repeats an evaluation, for the card."""
    left_out = "".join(f" --without {name}" for name in sorted(order.without))
    films = f" --films {order.films}" if order.films else ""
    return (
        f"numbering evaluate {pipeline} --data {order.data.name} --split {order.split} --seed {order.seed}"
        f"{films}{left_out}"
    )


def _rich(table: FigureTable) -> Table:
    shown = Table(*table.columns, title=table.title)
    for row in table.rows:
        shown.add_row(*row)
    return shown


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
    data: Annotated[Path, typer.Option(metavar="DIR", help="Its validation films fix calibration and thresholds.")],
    trained_on: Annotated[str, typer.Option(help="Data statement.")] = "",
    command: Annotated[str, typer.Option(help="The training command.")] = "",
) -> None:
    """Make the OpenVINO IR, fix calibration and thresholds on validation films, and register the weights."""
    model = trainable(pipeline)
    existing([weights, data])
    order = Installation(weights=weights, data=data, trained_on=trained_on, command=command)
    try:
        with progress_bar("validation films") as progress:
            entry = model.install(order, progress)
    except ValueError as error:
        raise fail(str(error), 2) from None
    out.print_json(json.dumps(entry.operating_point))
