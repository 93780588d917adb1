"""Commands that run rooms of a node apart, on one machine or several: receive, work, web."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from numbering import logs
from numbering.cli.console import fail, settings_or_exit

DataOption = Annotated[Path | None, typer.Option(help="The node's data folder; all its rooms share it.")]


def receive(
    data: DataOption = None,
    port: Annotated[int | None, typer.Option(help="DICOM port.")] = None,
    acceptors: Annotated[int | None, typer.Option(help="Processes behind the port; 0: one for each core.")] = None,
) -> None:
    """The DICOM port alone: keeps what arrives in the data folder. Needs neither database nor broker."""
    from numbering.jobs.serve import CannotStart
    from numbering.jobs.serve import receive as receive_apart

    settings = settings_or_exit(data=data, port=port, acceptors=acceptors)
    logs.configure(settings.log_level)
    try:
        receive_apart(settings)
    except CannotStart as error:
        raise fail(str(error)) from None


def work(
    queues: Annotated[str, typer.Option(metavar="QUEUE,...", help="Pipelines' queues to work on; empty: all.")] = "",
    infer: Annotated[bool, typer.Option(help="Work on images: the pipelines' queues.")] = True,
    assemble: Annotated[bool, typer.Option(help="Take note of arrivals, complete series, sweep.")] = True,
    post: Annotated[bool, typer.Option(help="Encode results and deliver them.")] = True,
    data: DataOption = None,
) -> None:
    """The rooms behind the DICOM port. All need the receivers' data folder, and database and broker by URL."""
    from numbering.jobs.serve import CannotStart, Rooms
    from numbering.jobs.serve import work as work_apart

    settings = settings_or_exit(data=data)
    if not settings.broker_url:
        raise fail("NUMBERING_BROKER_URL is not set: rooms that run apart meet at a Redis, by its URL", 2)
    if not (infer or assemble or post):
        raise fail("nothing is left to work on: leave out one of --no-infer, --no-assemble, --no-post", 2)
    logs.configure(settings.log_level)
    try:
        work_apart(settings, Rooms(queues, infer, assemble, post))
    except CannotStart as error:
        raise fail(str(error)) from None


def web(
    data: DataOption = None,
    port: Annotated[int | None, typer.Option(help="HTTP port.")] = None,
) -> None:
    """HTTP and webhooks alone. Needs the receivers' data folder, and database and broker by URL."""
    from numbering.jobs.serve import CannotStart
    from numbering.jobs.serve import web as web_apart

    settings = settings_or_exit(data=data, web_port=port)
    if not settings.broker_url:
        raise fail("NUMBERING_BROKER_URL is not set: rooms that run apart meet at a Redis, by its URL", 2)
    if not (settings.web_port or settings.webhooks):
        raise fail("NUMBERING_WEB_PORT is 0 and there is no webhook: nothing is left to do", 2)
    logs.configure(settings.log_level)
    try:
        web_apart(settings)
    except CannotStart as error:
        raise fail(str(error)) from None
