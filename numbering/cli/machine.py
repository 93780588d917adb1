"""Commands about this machine: settings, doctor."""

from __future__ import annotations

import json
import re

import typer
from rich.table import Table

from numbering.cli.console import (
    JsonOption,
    emit,
    out,
    settings_or_exit,
)
from numbering.settings import Settings

PASSWORD = re.compile(r"(://[^/:@\s]*:)[^/@\s]+@")
"""Of a URL of a database or broker."""


def show_settings(json_target: JsonOption = None) -> None:
    """What is set, and where it came from."""
    from numbering.settings import origins

    current = settings_or_exit()
    values = {name: PASSWORD.sub(r"\1***@", str(getattr(current, name))) for name in Settings.model_fields}
    sources = origins(current)
    emit(json.dumps({name: {"value": values[name], "from": sources[name]} for name in values}, indent=2), json_target)
    if json_target == "-":
        return
    table = Table("Setting", "Value", "From", "Meaning")
    for name, field in Settings.model_fields.items():
        table.add_row(f"NUMBERING_{name.upper()}", values[name], sources[name], field.description or "")
    out.print(table)


def doctor(json_target: JsonOption = None) -> None:
    """What is wrong with this machine or this installation, and what to do about it."""
    from numbering.doctor import examine

    findings = examine(settings_or_exit())
    emit(json.dumps([vars(one) for one in findings], indent=2), json_target)
    if json_target != "-":
        table = Table("", "What", "Found", "Do")
        for one in findings:
            table.add_row("[green]ok[/green]" if one.fine else "[red]no[/red]", one.what, one.found, one.remedy)
        out.print(table)
    if not all(one.fine for one in findings):
        raise typer.Exit(1)
