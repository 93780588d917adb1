"""Commands that copy a node and put it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from numbering.cli.console import fail, out, settings_or_exit

Target = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the backup, on another disk.")]


def backup(
    target: Target,
    keep: Annotated[int, typer.Option(min=1, help="Generations of the database to keep.")] = 7,
) -> None:
    """Copy marks, database and files of a node, which may run; into the same folder again, only what is new."""
    from numbering.backup import BackupError
    from numbering.backup import backup as copy

    try:
        written = copy(settings_or_exit(), target, keep=keep)
    except (BackupError, OSError) as error:
        raise fail(str(error)) from None
    size = f"{written.bytes / 1e6:.0f} MB"
    out.print(f"{written.generation}: {written.files} new files, {size}, {written.seconds:.0f} s", highlight=False)


def restore(
    source: Target,
    generation: Annotated[str, typer.Option(metavar="TIME", help="Folder in DIR; by default the last.")] = "",
) -> None:
    """Put a backup back into an empty data folder and database; start the node afterwards."""
    from numbering.backup import BackupError
    from numbering.backup import restore as put_back

    settings = settings_or_exit()
    try:
        marked = put_back(settings, source, generation)
    except (BackupError, OSError) as error:
        raise fail(str(error)) from None
    out.print(f"{settings.data}: restored; {marked} late arrivals will be taken note of", highlight=False)
