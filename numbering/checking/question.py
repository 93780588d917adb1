"""What is asked: a plan, a mark, and whose they are. Parsed strictly; what cannot be read is misuse, never guessed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from numbering.levelcheck import Mark, MarkSource, NotUnderstood, Plan, Side
from numbering.levelcheck.answer import Place
from numbering.priors.source import Patient
from numbering.uids import InvalidUID, checked_uid

_NUMBER = r"-?\d{1,6}(?:\.\d{1,6})?"
_AT = re.compile(rf"(?P<uid>[0-9.]{{1,64}})(?:#(?P<frame>[1-9]\d{{0,5}}))?:(?P<x>{_NUMBER}),(?P<y>{_NUMBER})", re.ASCII)


class Misused(ValueError):
    """A question that makes no sense; says what was expected, and repeats nothing that may name a patient."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A check as it is asked. ``patients`` are whoever is said to be the plan's patient (typed, by a worklist, or by
    the document that the mark stands in): all must be one."""

    plan: Plan | NotUnderstood
    mark: Mark | None
    patients: tuple[Patient, ...] = ()
    plan_study: str | None = None
    plan_source: str = "typed"


def marked(text: str, side: Side | None = None) -> Mark:
    """The mark of ``SOP_INSTANCE_UID[#FRAME]:x,y``; `Misused` when it is not spelt so.

    >>> marked("1.2.3#2:310.5,702").place.model_dump()
    {'sop_instance_uid': '1.2.3', 'frame': 2, 'x': 310.5, 'y': 702.0}
    """
    match = _AT.fullmatch(text.strip())
    if match is None:
        raise Misused("the mark is not spelt SOP_INSTANCE_UID[#FRAME]:x,y, as in 1.2.840.1#2:310.5,702")
    frame = int(match["frame"]) if match["frame"] else None
    return mark_at(match["uid"], frame, float(match["x"]), float(match["y"]), side)


def mark_at(
    uid: str, frame: int | None, x: float, y: float, side: Side | None, source: MarkSource = MarkSource.GIVEN
) -> Mark:
    """A mark at a place; `Misused` when that is none."""
    if not (math.isfinite(x) and math.isfinite(y)) or (frame is not None and frame < 1):
        raise Misused("the mark's place is not a number, or its frame is below 1")
    return Mark(
        place=Place(sop_instance_uid=uid_of(uid, "the marked image"), frame=frame, x=x, y=y), source=source, side=side
    )


def side_of(text: str | None) -> Side | None:
    """``L`` or ``R`` (the patient's side), or None; `Misused` for anything else."""
    if text is None:
        return None
    try:
        return Side(text.strip().upper())
    except ValueError:
        raise Misused("the side of the mark is L or R, the patient's") from None


def uid_of(text: str, what: str) -> str:
    """A UID that somebody typed; `Misused` when it is none. What was typed is not repeated."""
    try:
        return checked_uid(text, what)
    except InvalidUID:
        raise Misused(f"{what} is not named by a UID: expected at most 64 digits and dots (PS3.5 9.1)") from None
