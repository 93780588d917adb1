"""The AP radiograph pipeline's card: readable without torch."""

from __future__ import annotations

from numbering.errors import Reason
from numbering.pipelines.card import Card
from numbering.study import Series, View


def suits(series: Series) -> Reason | None:
    """Any frontal film of the spine: routing has settled modality, view and body part."""
    return None


CARD = Card(
    name="ap-xray",
    version="1.0",
    title="L5 on AP spine radiographs",
    path="numbering.pipelines.ap_xray.pipeline:ApXray",
    queue="ap-xray",
    modalities=frozenset({"CR", "DX", "RG"}),
    views=frozenset({View.AP, View.PA}),
    suits=suits,
    weights="ap-xray",
    assumption="The lowest lumbar-type vertebra by appearance is presumed to be L5 (five lumbar-type vertebrae).",
)
