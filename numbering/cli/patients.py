"""Commands: two identifiers of one patient, and the way back. An ID is read from stdin, so that no history keeps it."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from numbering.cli.console import fail, out

patients_app = typer.Typer(help="Identifiers that are one patient's.", no_args_is_help=True)
DataOption = Annotated[Path | None, typer.Option("--data", help="The node's data folder.")]


@patients_app.command(
    "merge", epilog="Example: printf '%s\\n' 'OLD-7' 'NEW-7' | numbering patients merge --issuer HOSPITAL"
)
def merge(
    issuer: Annotated[str, typer.Option(help="Issuer of the old ID, and of the new one unless --into-issuer.")] = "",
    into_issuer: Annotated[str | None, typer.Option(help="Issuer of the new ID.")] = None,
    data: DataOption = None,
) -> None:
    """Say that two IDs are one patient's: their results become one record. Reads two lines: the old ID, the new one."""
    from numbering.cli.jobs import database
    from numbering.jobs.record.identities import merge as merge_on
    from numbering.priors.source import Patient

    old = Patient(_line("the old ID"), issuer)
    new = Patient(_line("the new ID"), issuer if into_issuer is None else into_issuer)
    with database(data) as (settings, engine):
        done = merge_on(engine, settings, old, new, told_by=f"account {getpass.getuser()}")
    out.print("their records are one now" if done else "they were one patient's already", highlight=False)


@patients_app.command("split", epilog="Example: printf '%s\\n' 'OLD-7' | numbering patients split --issuer HOSPITAL")
def split(
    issuer: Annotated[str, typer.Option(help="Issuer of the ID.")] = "",
    data: DataOption = None,
) -> None:
    """Take a merge back: this ID is another patient's after all. Reads one line: the ID."""
    from numbering.cli.jobs import database
    from numbering.jobs.record.identities import split as split_on
    from numbering.priors.source import Patient

    patient = Patient(_line("the ID"), issuer)
    with database(data) as (settings, engine):
        done = split_on(engine, settings, patient, told_by=f"account {getpass.getuser()}")
    out.print("it has a record of its own now" if done else "it was merged with no other", highlight=False)


def _line(what: str) -> str:
    line = sys.stdin.readline().strip()
    if not line:
        raise fail(f"expected {what} on a line of stdin", 2)
    return line
