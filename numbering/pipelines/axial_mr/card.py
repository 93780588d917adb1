"""The axial MR pipeline's card: readable without torch."""

from __future__ import annotations

from numbering.errors import Reason
from numbering.pipelines.card import Card
from numbering.study import Series, View


def suits(series: Series) -> Reason | None:
    """Any axial MR of the trunk: routing has settled modality, orientation and weighting."""
    return None


CARD = Card(
    name="axial-mr",
    version="1.0",
    title="Lumbar disc level of each slice of axial MR series, decided for the whole series",
    path="numbering.pipelines.axial_mr.pipeline:AxialMr",
    queue="axial-mr",
    modalities=frozenset({"MR"}),
    views=frozenset({View.AXIAL}),
    suits=suits,
    weights="axial-mr",
    assumption=(
        "Discs are counted up from the sacrum by how the slices look, with five lumbar-type vertebrae presumed; axial "
        "slices of the lumbar spine do not show whether there are four or six."
    ),
    companions=frozenset({View.SAGITTAL}),
)
