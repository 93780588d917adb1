"""The views by name, the studies that they belong to, and who makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from numbering.phantom.produce.ct import ct_series
from numbering.phantom.produce.films import film_series
from numbering.phantom.produce.made import Made, View
from numbering.phantom.produce.mr import mr_series
from numbering.phantom.produce.stage import Stage
from numbering.phantom.truth.ct import TrueCt
from numbering.phantom.truth.film import TrueImage
from numbering.phantom.visits import Kind, Visit

KIND_OF: Mapping[str, Kind] = {"ap": "films", "lateral": "films", "ct": "ct", "axial-mr": "mr", "sagittal-mr": "mr"}
VIEWS = tuple(KIND_OF)
"""The views that can be simulated."""


class Key(NamedTuple):
    """What is made in one go: a film, or all series of a view of a study."""

    visit: int
    view: str
    field_of_view: str
    """Of films; empty elsewhere."""


def keys_of(visit: Visit, views: Sequence[str], fields_of_view: Sequence[str]) -> list[Key]:
    """What a study holds of these views, in the order of `VIEWS`."""
    wanted = [view for view in VIEWS if view in views and KIND_OF[view] == visit.kind]
    fields = sorted(fields_of_view) if visit.kind == "films" else [""]
    return [Key(visit.number, view, field) for view in wanted for field in fields]


def key_of(truth: View) -> Key:
    """The key under which this truth was made."""
    if isinstance(truth, TrueImage):
        return Key(truth.visit, truth.view.lower(), truth.field_of_view)
    if isinstance(truth, TrueCt):
        return Key(truth.visit, "ct", "")
    # Localizer and coronal series come along with the sagittal ones.
    return Key(truth.visit, "axial-mr" if truth.plane == "axial" else "sagittal-mr", "")


def produce(stage: Stage, key: Key) -> Iterator[Made]:
    """Make it."""
    return _MAKERS[key.view](stage, key.field_of_view)


_MAKERS: Mapping[str, Callable[[Stage, str], Iterator[Made]]] = {
    "ap": lambda stage, field: film_series(stage, "AP", field),
    "lateral": lambda stage, field: film_series(stage, "lateral", field),
    "ct": lambda stage, field: ct_series(stage),
    "axial-mr": lambda stage, field: mr_series(stage, "axial"),
    "sagittal-mr": lambda stage, field: mr_series(stage, "sagittal"),
}
