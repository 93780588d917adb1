"""Unique identifiers: validated before they become anything else, and derived so that a retry is the same object."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from uuid import UUID, uuid4

IMPLEMENTATION_CLASS_UID = "2.25.281316193842730391617838457029181346613"
"""Identifies this software in file meta information and in associations (PS3.7 D.3.3.2)."""

_COMPONENT = r"(?:0|[1-9]\d*)"
_VALID = re.compile(rf"{_COMPONENT}(?:\.{_COMPONENT})+", re.ASCII)


class InvalidUID(ValueError):
    """A value that should be a UID is not one (PS3.5 9.1), so nothing may be named after it."""


def checked_uid(value: object, what: str) -> str:
    """The value as a UID: digits and dots, at most 64 characters, no leading zeros; else `InvalidUID`."""
    text = str(value)
    if len(text) > 64 or not _VALID.fullmatch(text):
        shown = re.sub(r"[^0-9A-Za-z._-]", "?", text)[:64]
        raise InvalidUID(f"{what} is {shown!r}: expected at most 64 digits and dots (PS3.5 9.1)")
    return text


def derived_uid(identity: Iterable[str], kind: str) -> str:
    """A ``2.25`` UID (PS3.5 B.2) that depends on the identity and the kind of object alone."""
    digest = hashlib.sha256("\n".join([*identity, kind]).encode()).digest()
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"


def random_uid() -> str:
    """A ``2.25`` UID (PS3.5 B.2) that nobody can guess."""
    return f"2.25.{uuid4().int}"
