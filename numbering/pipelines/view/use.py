"""What is made of a look at films: a view where the header settles none, a doubt where the picture contradicts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from numbering.errors import ReasonCode
from numbering.pipelines.view.classifier import Seen, agreed
from numbering.pipelines.view.kinds import Kind
from numbering.result import StatedReason
from numbering.study import Radiograph, View

VIEWS = {Kind.FRONTAL: View.AP, Kind.LATERAL: View.LATERAL}
"""Frontal without a direction counts as AP, as it does in headers."""
KINDS_OF = {View.AP: Kind.FRONTAL, View.PA: Kind.FRONTAL, View.LATERAL: Kind.LATERAL}


class Looker(Protocol):
    """Something that looks at films; a `ViewClassifier`."""

    settings: dict[str, str]
    """What decides what it says: part of a result's identity."""

    def look(self, film: Radiograph) -> Seen:
        """What this film looks like."""
        ...


def view_of(films: Sequence[Radiograph], looker: Looker) -> tuple[View | None, str]:
    """The view that all these films surely show, and the sentence that states it; None, and what was seen instead."""
    looks = [looker.look(film) for film in films]
    view = VIEWS.get(kind) if (kind := agreed(looks)) else None
    seen = "; ".join(dict.fromkeys(look.words for look in looks))
    if view is None:
        return None, f"its pixels do not settle the view either ({seen})"
    return view, f"view taken from the pixels, for the header does not settle it: {seen}"


def check(
    view: View | None, films: Sequence[Radiograph], looker: Looker
) -> tuple[StatedReason | None, tuple[str, ...]]:
    """Why films of this stated view are not numbered (one surely shows the other), and what else a reader is told."""
    looks = {film.name: looker.look(film) for film in films}
    stated = KINDS_OF.get(view) if view else None
    other = [(name, look) for name, look in looks.items() if stated and look.kind in VIEWS and look.kind is not stated]
    doubts = tuple(
        f"film {name} does not look like a frontal or lateral film of the spine ({look.words})"
        for name, look in looks.items()
        if look.kind is Kind.OTHER
    )
    if not other:
        return None, doubts
    name, look = other[0]
    text = (
        f"film {name}: found a picture that looks {look.words}, expected a {stated} film as its header says; correct "
        "ViewPosition (0018,5101) and send it again under a new SOP Instance UID"
    )
    return StatedReason(code=ReasonCode.CONTRADICTORY, text=text), doubts
