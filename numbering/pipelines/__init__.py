"""Which pipelines are installed. Importing this loads neither torch nor OpenVINO.

A new pipeline is a folder here, a card in `CARDS` and an entry in the weights registry; the contract tests find it.
"""

from __future__ import annotations

from numbering.pipelines.ap_xray.card import CARD as AP_XRAY
from numbering.pipelines.axial_mr.card import CARD as AXIAL_MR
from numbering.pipelines.card import Card, Pipeline

__all__ = ["CARDS", "Card", "Pipeline", "card_named"]

CARDS: tuple[Card, ...] = (AP_XRAY, AXIAL_MR)


def card_named(name: str) -> Card:
    """The installed card of this name; ``KeyError`` names those that are installed."""
    for card in CARDS:
        if card.name == name:
            return card
    raise KeyError(f"no pipeline {name!r}: installed are {', '.join(card.name for card in CARDS)}")
