"""The CT pipeline's card: readable without torch."""

from __future__ import annotations

from numbering.errors import Reason
from numbering.pipelines.card import Card
from numbering.study import Series, View


def suits(series: Series) -> Reason | None:
    """Any axial CT of the trunk: routing has settled modality, orientation and which series of the study."""
    return None


CARD = Card(
    name="ct",
    version="1.0",
    title="L1 and all other vertebrae on CT: names, segmentation, attenuation of L1",
    path="numbering.pipelines.ct.pipeline:Ct",
    queue="ct",
    modalities=frozenset({"CT"}),
    views=frozenset({View.AXIAL}),
    suits=suits,
    weights="ct",
    assumption=(
        "Names are counted from the last rib-bearing vertebra, presumed to be T12, or from the sacrum (five "
        "lumbar-type vertebrae); another number of vertebrae is reported where it is suspected."
    ),
    one_per_study=True,
)
