"""Command: simulated patients as DICOM, with the exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from numbering.cli.console import fail, out, progress_bar, share_processors

ALL_VIEWS = "ap,lateral,ct,axial-mr,sagittal-mr"


def phantom(
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the simulated patients go.")],
    seed: Annotated[int, typer.Option(help="First patient's seed.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="How many patients.")] = 1,
    views: Annotated[str, typer.Option(help=f"Comma-separated, of {ALL_VIEWS}; or all.")] = "ap",
    anomaly: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Give every patient this anomaly (several joined with +), or none; by default they are as frequent as "
            "in people. A wrong name lists all.",
        ),
    ] = None,
    field_of_view: Annotated[
        str, typer.Option(help="Of films: lumbar or whole-spine; both with a comma between.")
    ] = "lumbar",
    shapes: Annotated[
        str, typer.Option(metavar="procedural|atlas:DIR/NAME", help="Where the bones' shapes come from.")
    ] = "procedural",
    visits: Annotated[int, typer.Option(min=1, help="Visits, years apart; the patient ages between them.")] = 1,
    style: Annotated[
        str | None, typer.Option(metavar="NAME", help="One maker's equipment for all; by default drawn for each.")
    ] = None,
    flaws: Annotated[
        str, typer.Option(help="Comma-separated: what is missing or wrong in the headers, like no-view.")
    ] = "",
    film_pixels: Annotated[
        int | None, typer.Option(help="Small and coarse films, of so many pixels on the longer side: quicker.")
    ] = None,
    ct_region: Annotated[
        str | None, typer.Option(metavar="NAME", help="What a CT scans, like lumbar; by default as clinics do.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Simulated patients as DICOM with exact truth (truth.json, labels.nii.gz) and pictures.

    A folder for each patient. An interrupted run is taken up again; the same seed gives the same bytes. Seeds from
    800000 are reserved for validation and from 900000 for test: training refuses them.
    """
    share_processors()
    from numbering.phantom.generate import generate

    try:
        with progress_bar("simulating") as progress:
            folders = generate(
                out_dir,
                seed=seed,
                count=count,
                views=_names(ALL_VIEWS if views == "all" else views),
                field_of_view=_names(field_of_view),
                anomaly=anomaly,
                shapes=shapes,
                visits=visits,
                style=style,
                flaws=_names(flaws),
                device=device,
                film_pixels=film_pixels,
                ct_region=ct_region,
                progress=lambda done, total: progress("", done, total),
            )
    except ValueError as error:
        raise fail(str(error), 2) from None
    for folder in folders:
        out.print(str(folder), highlight=False)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
