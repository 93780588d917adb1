"""Commands about what webhooks are told."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, fail, out, settings_or_exit

notices_app = typer.Typer(help="What webhooks are told, and what waits for a person.", no_args_is_help=True)


@notices_app.command("list", epilog="Example: numbering notices list --json -")
def list_notices(json_target: JsonOption = None) -> None:
    """Notices that were given up, oldest first."""
    from sqlalchemy import select

    from numbering.jobs.models import Notice
    from numbering.jobs.states import DeliveryState
    from numbering.jobs.store import connect, reading

    with reading(connect(settings_or_exit().sqlalchemy_url)) as session:
        failed = select(Notice).where(Notice.state == DeliveryState.FAILED).order_by(Notice.created_at)
        rows = [
            {"notice": row.id, "webhook": row.webhook, "event": row.event, "job": row.job_id, "answer": row.answer}
            for row in session.scalars(failed)
        ]
    emit(json.dumps(rows, indent=2), json_target)
    if json_target != "-":
        table = Table("Notice", "Webhook", "Event", "Job", "Last answer")
        for row in rows:
            table.add_row(*(str(value or "") for value in row.values()))
        out.print(table)


@notices_app.command("restart", epilog="Example: numbering notices restart 1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b")
def restart(notice: Annotated[str, typer.Argument(metavar="NOTICE", help="As `list` shows it.")]) -> None:
    """Another round of attempts at one that was given up."""
    from sqlalchemy.exc import NoResultFound

    from numbering.jobs import webhooks
    from numbering.jobs.states import IllegalTransition
    from numbering.jobs.store import connect

    try:
        webhooks.restart(connect(settings_or_exit().sqlalchemy_url), notice)
    except NoResultFound:
        raise fail(f"there is no notice {notice}") from None
    except IllegalTransition as error:
        raise fail(f"notice {notice} was not given up: {error}") from None
