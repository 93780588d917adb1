"""Command: simulated patients through the running node and the site's PACS."""

from __future__ import annotations

import json
import secrets
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, fail, out, progress_bar, settings_or_exit, share_processors

COLUMNS = ("Patient", "View", "Truth", "Status", "Reason", "Found", "Verdict", "Objects", "Delivered", "In archive")


def selftest(
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AET@HOST:PORT|URL",
            help="Where the patients are sent, as modalities do (may be repeated): the PACS, where that routes on to "
            "the node. Default: the archive of the settings, and the node.",
        ),
    ] = None,
    qido: Annotated[
        str, typer.Option(metavar="URL", help="Root of the PACS's DICOMweb service: it must hold the results.")
    ] = "",
    count: Annotated[int, typer.Option(min=1, help="How many patients, with --seed.")] = 3,
    views: Annotated[str, typer.Option(help="As in `numbering phantom`; those without a pipeline are listed.")] = "ap",
    field_of_view: Annotated[str, typer.Option(help="lumbar or whole-spine.")] = "lumbar",
    seed: Annotated[
        int | None, typer.Option(min=0, help="First patient's seed; by default patients whose films are numbered.")
    ] = None,
    calling: Annotated[
        str, typer.Option("--from", metavar="AET", help="Our AE title when sending: one that the PACS knows.")
    ] = "SELFTEST",
    film_pixels: Annotated[int, typer.Option(help="Of the films' longer side; 0: full size, slower to make.")] = 1200,
    seconds: Annotated[float, typer.Option(min=1, help="How long results are waited for.")] = 180.0,
    plain_http: Annotated[bool, typer.Option("--plain-http", help="Allow http:// for URLs.")] = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Keep the patients and their truth there.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The running node's folder.")] = None,
    json_target: JsonOption = None,
) -> None:
    """Simulated patients through the running node and the site's own PACS; compares with the truth.

    Takes the settings of the running node. The patients are called PHANTOM^SEED…, with IDs PHANTOM-…; what was sent
    stays where it was sent. Exit code 0: all came back and no answer misleads; 1: not so, or it could not be done.
    """
    share_processors()
    from numbering.phantom.generate import check_names
    from numbering.selftest import PATIENTS, Plan, SelftestError
    from numbering.selftest import selftest as test

    settings = settings_or_exit(data=data)
    wanted = tuple(view.strip() for view in views.split(","))
    try:
        check_names(wanted, (field_of_view,), None)
        plan = Plan(
            to=_peers(settings, to, plain_http),
            views=wanted,
            field_of_view=field_of_view,
            film_pixels=film_pixels or None,
            calling_ae_title=calling,
            seeds=PATIENTS if seed is None else tuple(range(seed, seed + count)),
            run=secrets.token_hex(8),
            patience_seconds=seconds,
            archive=_web(qido, plain_http) if qido else _archive(settings),
        )
    except ValueError as error:
        raise fail(str(error), 2) from None
    try:
        with (
            TemporaryDirectory(prefix="numbering-selftest-") if out_dir is None else nullcontext(out_dir) as folder,
            progress_bar("selftest") as progress,
        ):
            outcomes = test(settings, plan, Path(folder), progress)
    except SelftestError as error:
        raise fail(str(error)) from None
    emit(json.dumps(outcomes.as_json(), indent=2), json_target)
    if json_target != "-":
        _show(outcomes)
    if not outcomes.passed:
        raise typer.Exit(1)


def _peers(settings: Any, to: list[str] | None, plain_http: bool) -> tuple[Any, ...]:
    from numbering.dicom.outgoing.destination import Destination, is_web
    from numbering.selftest import address_of

    if to:
        return tuple(_web(one, plain_http) if is_web(one) else Destination.parse(one) for one in to)
    archive = settings.destination("archive")
    return (*((archive.peer,) if archive else ()), address_of(settings))


def _web(url: str, plain_http: bool) -> Any:
    from numbering.dicom.outgoing.destination import TLSFiles, WebDestination

    return WebDestination.parse(url, TLSFiles(), token_file="", basic_file="", plain_http=plain_http)


def _archive(settings: Any) -> Any:
    """The first destination that speaks DICOMweb: where results go, they can be asked for."""
    from numbering.dicom.outgoing.destination import WebDestination

    return next((each.peer for each in settings.every_destination if isinstance(each.peer, WebDestination)), None)


def _show(outcomes: Any) -> None:
    table = Table(*COLUMNS, title="Simulated patients")
    for line in outcomes.lines:
        held = "not asked" if line.in_archive is None else str(line.in_archive)
        table.add_row(
            line.patient, line.view, line.truth, line.status, line.reason, line.found, line.verdict, str(line.objects),
            str(line.delivered), held, style=None if line.passed else "red",
        )  # fmt: skip
    out.print(table)
    studies = sorted({line.study_instance_uid for line in outcomes.lines})
    out.print("passed" if outcomes.passed else "NOT passed", highlight=False)
    out.print("Sent studies, which stay where they are:", *studies, sep="\n  ", highlight=False)
