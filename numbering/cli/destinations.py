"""Commands about where results go, and about destinations that are no more."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from numbering.cli.console import JsonOption, err, fail, out
from numbering.cli.jobs import DataOption, database, show

EXAMPLE = "Example: numbering destinations --for film.dcm"

destinations_app = typer.Typer(invoke_without_command=True)


@destinations_app.callback(epilog=EXAMPLE)
def destinations(
    context: typer.Context,
    target: Annotated[
        str, typer.Option("--for", metavar="FILE|STUDY", help="Show what of this would go where; nothing is sent.")
    ] = "",
    json_target: JsonOption = None,
    data: DataOption = None,
) -> None:
    """Where results go, by which rules, and how each destination fares."""
    from numbering.jobs.backlog import backlogs
    from numbering.jobs.rules import going

    if context.invoked_subcommand:
        return
    with database(data) as (settings, engine):
        if target:
            try:
                found = [asdict(each) for each in going(settings, engine, target)]
            except (LookupError, ValueError) as error:
                raise fail(str(error.args[0])) from None
            for one in found:
                one["destinations"] = list(one["destinations"])
            show(found, ("what", "kind", "status", "pipeline", "destinations"), json_target)
            return
        table = []
        for each in backlogs(settings, engine):
            since = each.failing_since.isoformat(timespec="seconds") if each.failing_since else None
            counts = {"waiting": each.waiting, "for_a_person": each.for_a_person}
            table.append({**asdict(each), **counts, "failing_since": since})
    columns = ("name", "address", "wants", "commitment", "waiting", "for_a_person", "failing_since", "answer")
    show(table, columns, json_target)
    for lost in (each for each in table if each["stranded"]):
        text = (
            f"{lost['name']}: {lost['stranded']} deliveries wait for it, and the settings do not have it (any more): "
        )
        err.print(f"{text}put it back, or `numbering destinations forget {lost['name']}`", highlight=False)


@destinations_app.command("forget", epilog="Example: numbering destinations forget old-pacs")
def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `numbering destinations` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: DataOption = None,
) -> None:
    """Give up what waits for a destination that the settings no longer have. What it was given stays given.

    Jobs are then as far as their other deliveries are. An object that nobody else got stays in the data folder.
    """
    from numbering.jobs.backlog import backlogs
    from numbering.jobs.forgetting import forget_destination
    from numbering.jobs.notices import announce

    with database(data) as (settings, engine):
        if settings.destination(name) is not None:
            raise fail(f"{name} is in the settings: what waits there is sent; take it out of them first", 2)
        stranded = {each.name: each.stranded for each in backlogs(settings, engine)}
        if name not in stranded:
            raise fail(f"nothing was ever to go to {name}; `numbering destinations` shows what there is")
        if not yes:
            typer.confirm(f"{stranded[name]} deliveries to {name} will never be made. Forget them?", abort=True)
        announce(engine, settings.webhooks)
        forgotten = forget_destination(engine, name)
    out.print(f"{forgotten.given_up} deliveries forgotten, {forgotten.settled} no longer wait for commitment")
    if forgotten.sending:
        raise fail(f"{forgotten.sending} are being sent just now: restart the node with its settings, and ask again")
