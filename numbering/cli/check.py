"""Command: is the marked place what the plan names?"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, err, existing, fail, out, settings_or_exit
from numbering.levelcheck import Check, Verdict

if TYPE_CHECKING:
    from numbering.checking.gather import Asked
    from numbering.settings import Settings

COLOURS = {Verdict.AGREES: "green", Verdict.DISAGREES: "red", Verdict.CANNOT_CONFIRM: "yellow"}


def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="DICOM files or folders, instead of a node.")
    ] = None,
    planned: Annotated[
        str | None, typer.Option(metavar="NAME", help="What is planned: L4, L4-L5, 'TLIF L4/5 left'.")
    ] = None,
    worklist: Annotated[
        str | None, typer.Option(metavar="ACCESSION", help="Take plan and patient from this worklist item.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="SOP_UID[#FRAME]:x,y", help="The mark: x right, y down, in pixels.")
    ] = None,
    mark_from: Annotated[
        str | None, typer.Option(metavar="FILE|SOP_UID", help="The mark is the one point of this SR or GSPS.")
    ] = None,
    side: Annotated[str | None, typer.Option(metavar="L|R", help="The patient's side that the mark is for.")] = None,
    patient: Annotated[
        str | None, typer.Option(metavar="ID|-", help="The plan's patient; - reads the ID from stdin.")
    ] = None,
    issuer: Annotated[str, typer.Option(help="Issuer of the patient's ID.")] = "",
    plan_study: Annotated[str | None, typer.Option(metavar="UID", help="The study that the plan was made on.")] = None,
    report: Annotated[bool, typer.Option("--sr", help="Write the check as a report into the image's study.")] = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Copies of answer, key images and report go there.")
    ] = None,
    json_target: JsonOption = None,
    data: Annotated[Path | None, typer.Option("--data", help="The node's data folder.")] = None,
) -> None:
    """Compare a marked place with a planned name: 0 AGREES, 3 DISAGREES, 4 CANNOT CONFIRM.

    Without PATH, by a node's record of the patient, and the check is kept there for good. With PATHs, by what the
    pipelines say of these files now; nothing is kept but in DIR. Count for yourself first.
    """
    from numbering.checking.gather import Asked, NoAnswer
    from numbering.checking.question import Misused
    from numbering.priors.source import Patient

    settings = settings_or_exit(data=data)
    typed = sys.stdin.readline().strip() if patient == "-" else patient
    asked = Asked(
        planned=planned,
        worklist=worklist,
        at=at,
        mark_from=mark_from,
        side=side,
        patient=Patient(typed.strip(), issuer.strip()) if typed is not None else None,
        plan_study=plan_study,
    )
    try:
        if paths:
            answer = _of_files(settings, asked, existing(paths), report=report, out_dir=out_dir)
        else:
            answer = _of_node(settings, asked, report=report, out_dir=out_dir)
    except Misused as error:
        raise fail(str(error), 2) from None
    except NoAnswer as error:
        raise fail(str(error)) from None
    emit(answer.to_json(), json_target)
    if json_target != "-":
        _show(answer)
    raise typer.Exit(answer.exit_code)


def _of_files(settings: Settings, asked: Asked, paths: list[Path], *, report: bool, out_dir: Path | None) -> Check:
    """By what the pipelines say of these files; the check is kept in ``out_dir`` alone."""
    from numbering.checking import ask
    from numbering.checking.files import KnownFiles
    from numbering.checking.gather import question_of
    from numbering.checking.kept import keep_copies
    from numbering.checking.question import Misused
    from numbering.pipelines.loaded import Pipelines

    if report and out_dir is None:
        raise Misused("--sr with PATHs needs --out DIR for the report")
    known = KnownFiles(paths, Pipelines(settings.device))
    for one in known.unreadable:
        err.print(f"not read: {one.reason.text}", highlight=False)

    def document(name: str) -> Path | None:
        return Path(name) if Path(name).is_file() else known.file(name)

    answered = ask(question_of(asked, settings, document), known, settings.check_policy)
    if out_dir is None:
        err.print("This check is not kept: give --out DIR, or check against a node.", highlight=False)
    else:
        told = keep_copies(answered, known.file, out_dir, report=report)
        err.print(told, highlight=False)
    return answered.check


def _of_node(settings: Settings, asked: Asked, *, report: bool, out_dir: Path | None) -> Check:
    """By the node's record of the patient; the check is kept there, ``out_dir`` gets copies."""
    from numbering.audit import Peer
    from numbering.checking.kept import copy_out
    from numbering.cli.jobs import database
    from numbering.jobs.checks.asking import check_level
    from numbering.jobs.node import Node

    with database(settings.data):
        node = Node.of(settings)
        told = check_level(node, asked, by=Peer(f"account {getpass.getuser()}", "localhost"), report=report)
    err.print(f"Kept as {told.stored.uid}.", highlight=False)
    if told.report:
        err.print(f"Report: {told.report}", highlight=False)
    elif report:
        err.print(f"No report: {told.why_no_report}", highlight=False)
    if out_dir is not None:
        copy_out(told.stored.check, [node.path(path) for path in told.stored.key_images], out_dir, told.stored.uid)
    return told.stored.check


def _show(answer: Check) -> None:
    """Verdict and statement; and where the planned name is known to be."""
    out.print(f"[bold {COLOURS[answer.verdict]}]{answer.verdict}[/]", highlight=False)
    out.print(answer.statement, highlight=False, markup=False)
    if answer.known:
        table = Table("Name", "Image", "Frame", "x", "y", "Counted from", "Confirmed", "Probability")
        for one in answer.known:
            place = one.place
            table.add_row(
                one.name,
                place.sop_instance_uid,
                "" if place.frame is None else str(place.frame),
                f"{place.x:.0f}",
                f"{place.y:.0f}",
                one.basis.counted_from,
                "yes" if one.basis.confirmed else "no",
                f"{int(one.probability * 100) / 100:.2f}",
            )
        out.print(table)
