"""The lateral radiograph pipeline's card: readable without torch."""

from __future__ import annotations

from numbering.errors import Reason
from numbering.pipelines.card import Card
from numbering.study import Series, View


def suits(series: Series) -> Reason | None:
    """Any lateral film of the spine: routing has settled modality, view and body part."""
    return None


CARD = Card(
    name="sagittal-xray",
    version="1.0",
    title="Levels, corners, lordosis and sacral slope on lateral spine radiographs",
    path="numbering.pipelines.sagittal_xray.pipeline:SagittalXray",
    queue="sagittal-xray",
    modalities=frozenset({"CR", "DX", "RG"}),
    views=frozenset({View.LATERAL}),
    suits=suits,
    weights="sagittal-xray",
    assumption=(
        "Names are counted from the last rib-bearing vertebra, presumed to be T12, or from the sacrum (five "
        "lumbar-type vertebrae); another number of vertebrae is reported where it is suspected."
    ),
)
