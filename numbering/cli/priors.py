"""Command: a patient's earlier studies, and how fetching them goes."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, fail, out, progress_bar, settings_or_exit


def priors(
    patient: Annotated[
        str | None, typer.Option(metavar="ID|-", help="Ask for this patient; - reads the ID from stdin.")
    ] = None,
    study: Annotated[
        str | None, typer.Option(metavar="UID", help="Ask for the patient of this received study.")
    ] = None,
    issuer: Annotated[str, typer.Option(help="Issuer of the patient's ID.")] = "",
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch those that the settings want.")] = False,
    json_target: JsonOption = None,
) -> None:
    """A patient's earlier studies at the source that the settings name; without a patient, how fetching them goes."""
    from numbering.jobs import prior_requests
    from numbering.jobs.node import Node
    from numbering.jobs.store import connect, upgrade

    if patient is not None and study is not None:
        raise fail("give --patient or --study, not both", 2)
    settings = settings_or_exit()
    upgrade(connect(settings.sqlalchemy_url))
    node = Node.of(settings)
    if patient is None and study is None:
        _show(prior_requests.rows(node), ("study", "kind", "state", "attempts", "answer"), json_target)
        return
    whose = (sys.stdin.readline().strip() if patient == "-" else patient) or ""
    try:
        with progress_bar("priors") as progress:
            if study is None:
                listing = prior_requests.of_patient(node, whose, issuer)
            else:
                listing = prior_requests.of_study(node, study)
            if fetch:
                listing = prior_requests.fetch(node, listing, progress)
    except prior_requests.CannotAsk as error:
        raise fail(str(error), 2) from None
    except prior_requests.NoAnswer as error:
        raise fail(str(error)) from None
    rows = [each.as_row() for each in listing.studies]
    _show(rows, ("study", "date", "modalities", "objects", "wanted", "state"), json_target)
    if fetch and not prior_requests.done(listing):
        raise typer.Exit(1)


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], json_target: str | None) -> None:
    emit(json.dumps(rows, indent=2), json_target)
    if json_target != "-":
        table = Table(*(column.capitalize() for column in columns))
        for row in rows:
            table.add_row(*("" if row[column] is None else str(row[column]) for column in columns))
        out.print(table)
