"""Commands about what a node has done: jobs, their deliveries, the dead letter."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, err, fail, out, settings_or_exit

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from numbering.settings import Settings

jobs_app = typer.Typer(
    help="What the node has done and still does; restart what waits for a person.", no_args_is_help=True
)

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder for everything the node keeps.")]


@jobs_app.command("list", epilog="Example: numbering jobs list --state failed --json -")
def list_jobs(
    state: Annotated[list[str] | None, typer.Option(help="Only these states (may be repeated).")] = None,
    study: Annotated[str, typer.Option(metavar="UID", help="Only this study.")] = "",
    deliveries: Annotated[bool, typer.Option("--deliveries", help="List deliveries instead of jobs.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many.")] = 0,
    json_target: JsonOption = None,
    data: DataOption = None,
) -> None:
    """Jobs, or deliveries, oldest first."""
    from numbering.jobs.dossier import deliveries_page
    from numbering.jobs.overview import overview
    from numbering.jobs.states import DeliveryState, State

    with database(data) as (settings, engine):
        if deliveries:
            wanted = [_state(DeliveryState, each) for each in state or []]
            found = deliveries_page(engine, states=wanted, study=study, limit=limit, offset=offset)
            columns: tuple[str, ...] = ("id", "destination", "state", "attempts", "answer")
        else:
            jobs = [_state(State, each) for each in state or []]
            rows = overview(engine, states=jobs, study=study, limit=limit, offset=offset)
            known = [each.name for each in settings.every_destination]
            found = [_told(row, known) for row in rows]
            columns = ("job", "state", "status", "pipeline", "delivered", "gone", "reason")
    show(found, columns, json_target)


@jobs_app.command("show", epilog="Example: numbering jobs show 0f6e… --json -")
def show_job(
    identifier: Annotated[str, typer.Argument(metavar="JOB|DELIVERY")],
    json_target: JsonOption = None,
    data: DataOption = None,
) -> None:
    """A job with its objects and deliveries, or the job that a delivery belongs to."""
    from numbering.jobs.dossier import dossier

    with database(data) as (_, engine):
        try:
            found = dossier(engine, identifier)
        except LookupError as error:
            raise fail(str(error.args[0])) from None
    emit(json.dumps(found, indent=2), json_target)
    if json_target == "-":
        return
    for key, value in found.items():
        if not isinstance(value, list):
            out.print(f"{key}: {'' if value is None else value}", highlight=False)
    for key in ("objects", "deliveries"):
        show(found[key], tuple(found[key][0]) if found[key] else (), None)


@jobs_app.command("restart", epilog="Example: numbering jobs restart --all-failed --destination archive")
def restart_jobs(
    identifiers: Annotated[list[str] | None, typer.Argument(metavar="[JOB|DELIVERY]...")] = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="All that wait for a person.")] = False,
    destination: Annotated[str, typer.Option(metavar="NAME", help="Of these, only deliveries there.")] = "",
    json_target: JsonOption = None,
    data: DataOption = None,
) -> None:
    """Another round of attempts: for failed jobs, and for deliveries that failed or were never committed to.

    A job that was encoded has its waiting deliveries restarted. What had been inferred is not inferred again.
    """
    from numbering.jobs.dossier import restart, waiting_for_a_person

    if bool(identifiers) == all_failed:
        raise fail("name what is to be restarted, or give --all-failed", 2)
    with database(data) as (_, engine):
        chosen = waiting_for_a_person(engine, destination) if all_failed else identifiers or []
        outcomes = [restart(engine, each) for each in chosen]
    emit(json.dumps([asdict(each) for each in outcomes], indent=2), json_target)
    for each in outcomes:
        if not each.restarted:
            err.print(f"{each.id}: {each.text}", highlight=False)
    if json_target != "-":
        out.print(f"{sum(each.restarted for each in outcomes)} of {len(outcomes)} restarted", highlight=False)
    if not all(each.restarted for each in outcomes):
        raise typer.Exit(1)


@contextmanager
def database(data: Path | None) -> Iterator[tuple[Settings, Engine]]:
    """Settings and database of the node; ends the command where there is none yet."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import SQLAlchemyError

    from numbering.jobs.store import connect

    settings = settings_or_exit(data=data)
    if not settings.database_url and not (settings.data / "numbering.db").exists():
        raise fail(f"no node has kept anything in {settings.data} yet: set NUMBERING_DATA or --data")
    engine = connect(settings.sqlalchemy_url)
    try:
        if not inspect(engine).has_table("destinations"):
            raise fail("the database is of an earlier version, or empty: start the node once to bring it up to date")
        yield settings, engine
    except SQLAlchemyError as error:
        raise fail(f"the database cannot be used: {type(error).__name__}") from None
    finally:
        engine.dispose()


def _state(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise fail(f"{text!r} is no state: expected one of {', '.join(kind)}", 2) from None


def _told(row: Any, known: Collection[str]) -> dict[str, Any]:
    """``gone``: destinations that it waits for and that the settings no longer have."""
    return {
        "job": row.job,
        "study_instance_uid": row.study_instance_uid,
        "series_instance_uid": row.series_instance_uid,
        "modality": row.modality,
        "view": row.view,
        "pipeline": row.pipeline,
        "state": row.state,
        "status": row.status,
        "reason": row.reason.text if row.reason else None,
        "revision": row.revision,
        "deliveries": row.deliveries,
        "delivered": row.delivered,
        "undeliverable": row.undeliverable,
        "forgotten": row.forgotten,
        "gone": [name for name in row.waits_for if name not in known],
        "created_at": row.created_at.isoformat(timespec="seconds"),
        "changed_at": row.changed_at.isoformat(timespec="seconds"),
    }


def show(rows: list[dict[str, Any]], columns: tuple[str, ...], json_target: str | None) -> None:
    """Rows as JSON where that is asked for, and as a table of these columns."""
    emit(json.dumps(rows, indent=2), json_target)
    if json_target == "-":
        return
    table = Table(*(column.replace("_", " ").capitalize() for column in columns))
    for row in rows:
        values = (row[column] for column in columns)
        table.add_row(
            *("" if each is None else ", ".join(each) if isinstance(each, list) else str(each) for each in values)
        )
    out.print(table)
