"""Commands about the keys of the HTTP interface."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, err, fail, out, settings_or_exit
from numbering.web.keys import Keys, NoSuchName, Scope

keys_app = typer.Typer(help="Keys of the HTTP interface: who may send, read and restart.", no_args_is_help=True)


@keys_app.command("add", epilog="Example: numbering keys add ct-1 --may store")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who gets it: what log and audit trail call the key.")],
    may: Annotated[str, typer.Option(help="Comma-separated: store, read, check, correct, operate.")],
    person: Annotated[
        str, typer.Option(metavar="FAMILY^GIVEN", help="Whose alone the key is: their corrections are verified.")
    ] = "",
    organisation: Annotated[str, typer.Option(help="The organisation that answers for that person.")] = "",
) -> None:
    """Make a key. It is printed once, and cannot be shown again."""
    try:
        scopes = [Scope(word.strip()) for word in may.split(",")]
    except ValueError:
        raise fail(f"--may {may}: expected some of {', '.join(Scope)}, with commas between", 2) from None
    try:
        key = Keys(settings_or_exit().data).add(name, scopes, person=person, organisation=organisation)
    except ValueError as error:
        raise fail(str(error), 2) from None
    err.print("Send it as `Authorization: Bearer KEY`, over TLS alone. It is not kept: note it now.", highlight=False)
    out.print(key, highlight=False, markup=False)


@keys_app.command("list", epilog="Example: numbering keys list --json -")
def list_keys(json_target: JsonOption = None) -> None:
    """Names of the keys, and what they may do."""
    keys = Keys(settings_or_exit().data).all()
    told = [{"name": key.name, "may": list(key.may), "created_at": key.created_at} for key in keys]
    emit(json.dumps(told, indent=2), json_target)
    if json_target != "-":
        table = Table("Name", "May", "Since")
        for key in keys:
            table.add_row(key.name, ", ".join(key.may), key.created_at)
        out.print(table)


@keys_app.command("revoke", epilog="Example: numbering keys revoke ct-1")
def revoke(name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key ends, at once.")]) -> None:
    """End a key."""
    try:
        Keys(settings_or_exit().data).revoke(name)
    except NoSuchName as error:
        raise fail(str(error), 2) from None
