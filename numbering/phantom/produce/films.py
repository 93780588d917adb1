"""Radiographs of a visit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from numbering.phantom import preview
from numbering.phantom.dicom.film import encode, series_header
from numbering.phantom.dicom.header import file_bytes, instance_uid
from numbering.phantom.imaging.film import expose
from numbering.phantom.imaging.film.position import FIELDS_OF_VIEW, VIEWS, FieldOfView, View
from numbering.phantom.imaging.film.truth import describe
from numbering.phantom.produce.made import Made
from numbering.phantom.produce.stage import Stage

COMPUTED_RADIOGRAPHY = 0.25
"""Share of visits whose films are CR."""
MONOCHROME1 = 0.2
"""Share of films that store dense things as low values."""


def film_series(stage: Stage, view: View, field_of_view: str) -> Iterator[Made]:
    """One film, a series of its own."""
    field = cast(FieldOfView, field_of_view)
    number = 1 + FIELDS_OF_VIEW.index(field) + 2 * VIEWS.index(view)
    rng = stage.rng(number)
    film = expose(stage.skeleton, stage.structures(), view, field, rng, longest=stage.film_pixels, device=stage.device)
    computed = stage.rng(0).random() < COMPUTED_RADIOGRAPHY
    series = series_header(film, number=number, kind="CR" if computed else "DX")
    name = f"{stage.folder}{view.lower()}/{field}"
    visit = stage.visit
    dataset = encode(visit, series, film, inverted=bool(rng.random() < MONOCHROME1))
    truth = describe(
        stage.skeleton,
        film,
        sop_instance_uid=instance_uid(visit, series),
        file=f"{name}.dcm",
        visit=visit.number,
    )
    yield Made(
        files=iter([(f"{name}.dcm", file_bytes(dataset, visit.flaws))]),
        truth=truth,
        preview=preview.film(film.pixels, truth),
        preview_name=f"{stage.folder}{view.lower()}-{field}.png",
    )
