"""How reasons are worded: what was found, what was expected, what to do, and no free text of a header."""

from __future__ import annotations

import re

from numbering.errors import Reason, ReasonCode
from numbering.pipelines import Card
from numbering.study import Image

_SHOWABLE = re.compile(r"[A-Z0-9_ ]{1,16}")


def refusal(code: ReasonCode, image: Image, found: str, expected: str, do: str) -> Reason:
    """The reason in the form that all have."""
    return Reason(code, f"SOP instance {image.sop_instance_uid}: found {found}; expected {expected}. {do}")


def shown(*values: str) -> str:
    """Coded values for a message; whatever is not spelt like a code string (PS3.5 6.2, CS) is not repeated."""
    if not any(values):
        return "empty"
    return "\\".join(value if _SHOWABLE.fullmatch(value) else "(not a code)" for value in values)


def uid(value: str) -> str:
    """A UID for a message."""
    return value if re.fullmatch(r"[0-9.]{1,64}", value) else "(not a UID)"


def showable_views(card: Card) -> str:
    """The views that this card takes."""
    return "/".join(sorted(card.views))
