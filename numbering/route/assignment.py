"""What routing says of images: whose they are, or why they are nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numbering.errors import Reason, ReasonCode
from numbering.pipelines import Card
from numbering.result import Status
from numbering.route.wording import showable_views
from numbering.study import Image, Series, View


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What is to be done with some images of a series: numbered by ``card``, or not, for ``reason``.

    ``series`` holds only these images. ``status`` is ``NUMBERED`` ("to be numbered"), ``HELD`` or ``UNSUITABLE``.
    ``companions`` are images of other series of the study that the pipeline looks at besides.
    """

    series: Series
    view: View | None
    card: Card | None
    status: Status
    reason: Reason | None
    companions: tuple[Series, ...] = ()

    @property
    def to_number(self) -> bool:
        """Whether a pipeline takes these images."""
        return self.card is not None


@dataclass(frozen=True)
class Verdict:
    """One image's fate. Images of one series with equal ``key`` share an assignment."""

    status: Status
    view: View | None = None
    card: Card | None = None
    reason: Reason | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What images of one assignment have in common."""
        # Films of several views that one pipeline takes (AP and PA) are numbered together
        view = None if self.card else self.view
        return self.status, view, self.card and self.card.name, self.reason and self.reason.code


def assigned(series: Series, members: Sequence[tuple[Image, Verdict]]) -> Assignment:
    """One assignment of images that share their fate; the card has the last word."""
    verdict = members[0][1]
    part = series.only(image for image, _ in members)
    if verdict.card is not None and (refusal := verdict.card.suits(part)):
        verdict = Verdict(Status.UNSUITABLE, verdict.view, reason=refusal)
    reason = verdict.reason
    if reason is not None and len(members) > 1:
        reason = Reason(reason.code, f"{reason.text} The same holds for {len(members) - 1} more of this series.")
    return Assignment(series=part, view=verdict.view, card=verdict.card, status=verdict.status, reason=reason)


def of_view(image: Image, view: View | None, found: str, cards: Sequence[Card]) -> Verdict:
    """The first of these cards that takes such an image, or that none does."""
    card = next((card for card in cards if image.modality in card.modalities and view in card.views), None)
    return Verdict(Status.NUMBERED, view, card) if card else no_pipeline(image, view, found, cards)


def no_pipeline(image: Image, view: View | None, found: str, cards: Sequence[Card]) -> Verdict:
    """An image of a kind that nothing here numbers."""
    installed = "; ".join(f"{card.name}: {', '.join(sorted(card.modalities))} {showable_views(card)}" for card in cards)
    text = (
        f"SOP instance {image.sop_instance_uid}: found {found}; expected input for an installed pipeline "
        f"({installed}). It is stored and stays unnumbered: nothing needs to be done unless its header is wrong."
    )
    return Verdict(Status.UNSUITABLE, view, reason=Reason(ReasonCode.NO_PIPELINE_INSTALLED, text))
