"""What all commands share: the console, errors that name what to do, progress, settings, output targets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from numbering.pipelines.commands import MODULES
from numbering.settings import Settings

WIDE = 150
"""Columns of a table that goes to a file or a pipe."""

out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True)

JsonOption = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write JSON there; - for stdout.")]
PipelineArgument = Annotated[str, typer.Argument(metavar="PIPELINE", help=", ".join(MODULES))]


def fail(message: str, code: int = 1) -> typer.Exit:
    """Say what went wrong and make the exit with this code."""
    err.print(f"[red]numbering:[/red] {message}", highlight=False)
    return typer.Exit(code)


def emit(text: str, target: str | None) -> None:
    """Write a text to a file, or to stdout for ``-``."""
    if target == "-":
        sys.stdout.write(text + "\n")
    elif target:
        Path(target).write_text(text + "\n")


def share_processors() -> None:
    """Let torch's idle threads sleep instead of spinning; to be called before torch is imported.

    Simulating is many small steps: spinning took three times the processor time and, beside anything else that runs,
    longer too.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr; call it with what was done, how many are done, and of how many."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=not err.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda what, done, total: bar.update(
            task, description=f"{title} {what[-24:]}", completed=done, total=total
        )


def settings_or_exit(**given: Any) -> Settings:
    """The settings with what the command line gave; a wrong value ends the command and names itself."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"NUMBERING_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()]
        raise fail("wrong settings\n  " + "\n  ".join(lines), 2) from None


def existing(paths: list[Path]) -> list[Path]:
    """The paths, or an exit that names the ones that are not there."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise fail(f"no such file or folder: {', '.join(missing)}", 2)
    return paths
