"""Commands that move studies: run, send, serve, demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from numbering import logs
from numbering.anatomy import from_to
from numbering.cli.console import (
    JsonOption,
    emit,
    err,
    existing,
    fail,
    out,
    progress_bar,
    settings_or_exit,
    share_processors,
)


def run(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files or folders.")],
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where result objects and pictures go.")],
    json_target: JsonOption = None,
    only: Annotated[str | None, typer.Option("--only", metavar="PIPELINE", help="Run this pipeline alone.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    segmentations: Annotated[bool, typer.Option("--segmentations", help="Also segment bodies on films.")] = False,
    heat_maps: Annotated[
        bool, typer.Option("--heat-maps", help="Also write parametric maps of where the evidence for slices lay.")
    ] = False,
) -> None:
    """Number DICOM files without a network; SR and presentation states go to DIR. No record is consulted."""
    from numbering.pipelines import card_named
    from numbering.pipelines.loaded import Pipelines
    from numbering.run import run as run_paths

    existing(paths)
    if only:
        try:
            card_named(only)
        except KeyError as error:
            raise fail(str(error.args[0]), 2) from None
    with progress_bar("numbering") as progress:
        outcome = run_paths(
            paths, out_dir, Pipelines(device), only=only, segmented=segmentations, mapped=heat_maps, progress=progress
        )
    for one in outcome.unreadable:
        err.print(f"not read: {one.reason.text}", highlight=False)
    emit(outcome.report.to_json(), json_target)
    if json_target != "-":
        out.print(report_table(outcome.report))
        out.print(f"Objects and pictures: {out_dir.resolve()}", highlight=False)
    if outcome.failed or not outcome.report.studies:
        raise typer.Exit(1)


def report_table(report: Any) -> Table:
    """One line a series."""
    table = Table("Series", "View", "Status", "Level", "Probability", "Reason", title="What was found")
    for study in report.studies:
        for series in study.series:
            named = series.vertebrae or series.discs
            levels = from_to(dict.fromkeys(found.level for found in named))
            sure = f"{min(found.probability for found in named):.2f}" if named else ""
            reason = series.reason.code if series.reason else ""
            table.add_row(
                "…" + series.series_instance_uid[-12:], series.view or "", series.status, levels, sure, reason
            )
    return table


def send(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files or folders.")],
    to: Annotated[str, typer.Option("--to", metavar="AET@HOST:PORT", help="Whom to send to.")],
    json_target: JsonOption = None,
) -> None:
    """Send DICOM files by C-STORE."""
    from numbering.dicom.outgoing.deliver import Destination, Outcome
    from numbering.dicom.outgoing.deliver import send as send_files

    try:
        destination = Destination.parse(to)
    except ValueError as error:
        raise fail(str(error), 2) from None
    files, others = dicom_files(existing(paths))
    for file in others:
        err.print(f"left out, no DICOM file: {file}", highlight=False)
    sent = send_files(files, destination, settings_or_exit().ae_title)
    answers = [{"path": str(one.path), "outcome": one.outcome, "text": one.text} for one in sent]
    emit(json.dumps(answers, indent=2), json_target)
    refused = [one for one in sent if one.outcome is not Outcome.DELIVERED]
    for one in refused:
        err.print(f"{one.path.name}: {one.text}", highlight=False)
    if json_target != "-":
        out.print(f"{len(sent) - len(refused)} of {len(sent)} delivered to {to}", highlight=False)
    if refused or not sent or set(others) & set(paths):
        raise typer.Exit(1)


def dicom_files(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """The DICOM files (PS3.10) at these paths and in these folders, and the other files."""
    found: tuple[list[Path], list[Path]] = ([], [])
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as handle:
                    found[handle.read(132)[128:] != b"DICM"].append(file)
    return found


def serve(
    data: Annotated[Path | None, typer.Option(help="Folder for everything the node keeps.")] = None,
    port: Annotated[int | None, typer.Option(help="DICOM port.")] = None,
    archive: Annotated[str | None, typer.Option(metavar="AET@HOST:PORT", help="Where results go.")] = None,
) -> None:
    """The node: receive, number, deliver. Stops on Ctrl-C or SIGTERM."""
    from numbering.jobs.serve import AlreadyServing, CannotStart
    from numbering.jobs.serve import serve as serve_node

    settings = settings_or_exit(data=data, port=port, archive=archive)
    logs.configure(settings.log_level)
    try:
        serve_node(settings)
    except (AlreadyServing, CannotStart) as error:
        raise fail(str(error)) from None


def demo(
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where everything goes.")] = Path("demo"),
) -> None:
    """A node, an archive and a few simulated patients on this machine: send, number, show. Ends by itself."""
    share_processors()
    from numbering.demo import demonstrate

    with progress_bar("demo") as progress:
        shown = demonstrate(out_dir, progress)
    table = Table(
        "Patient", "Sent", "Came back", "Truth", "Status", "Level", "Probability", "Verdict", title="Simulated patients"
    )
    for row in shown.rows:
        table.add_row(*row)
    out.print(table)
    out.print(f"Objects in the archive: {shown.archive}\nPictures: {shown.pictures}", highlight=False)
    out.print("These patients are simulated. AI result, not verified. Research use only.", highlight=False)
    if not shown.complete:
        raise fail("not every study came back; see the log above")
