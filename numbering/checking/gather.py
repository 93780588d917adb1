"""From what somebody typed to a question: plan typed or from the worklist, mark typed or from a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from numbering.audit import Peer, trail
from numbering.checking.question import Misused, Question, mark_at, marked, side_of, uid_of
from numbering.dicom.marked import NoMarks, marked_document
from numbering.dicom.worklist import WorklistFailed, items_of, patient_of_items, plan_of
from numbering.levelcheck import Mark, NotUnderstood, Plan, Side, parse_plan
from numbering.priors.source import Patient
from numbering.settings import Settings

WORKLIST_FIND = "1.2.840.10008.5.1.4.31"


class NoAnswer(Exception):
    """Somebody who was asked for plan or mark did not give it; says who and why, nothing of a patient."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was typed. ``planned`` or ``worklist`` (an accession number); ``at``, ``mark_from`` or neither."""

    planned: str | None = field(default=None, repr=False)
    worklist: str | None = field(default=None, repr=False)
    at: str | None = None
    mark_from: str | None = None
    side: str | None = None
    patient: Patient | None = None
    plan_study: str | None = None


def question_of(asked: Asked, settings: Settings, document: Callable[[str], Path | None]) -> Question:
    """The question. ``document`` gives the file of an SR or GSPS by what ``mark_from`` says.

    `Misused` when it makes no sense, `NoAnswer` when the worklist does not answer.
    """
    if (asked.planned is None) == (asked.worklist is None):
        raise Misused("give the plan or its worklist item, one of both")
    if asked.at is not None and asked.mark_from is not None:
        raise Misused("give the mark or the document that it stands in, not both")
    if asked.patient is not None and not asked.patient.exact:
        raise Misused("that is no patient ID: expected 1 to 64 characters without * ? \\")
    side = side_of(asked.side)
    plan, planned_for = _plan(asked, settings)
    mark, marked_for = _mark(asked, side, document)
    patients = (asked.patient, planned_for, marked_for)
    return Question(
        plan=plan,
        mark=mark,
        patients=tuple(one for one in patients if one is not None),
        plan_study=uid_of(asked.plan_study, "the plan's study") if asked.plan_study else None,
        plan_source="typed" if asked.worklist is None else "worklist",
    )


def _plan(asked: Asked, settings: Settings) -> tuple[Plan | NotUnderstood, Patient | None]:
    if asked.worklist is None:
        return parse_plan(asked.planned or ""), None
    if not settings.worklist:
        raise Misused("no worklist is set: set NUMBERING_WORKLIST")
    peer = settings.worklist_peer
    told = Peer(peer.ae_title, peer.host)
    try:
        items = items_of(peer, settings.ae_title, asked.worklist, settings.worklist_seconds)
    except WorklistFailed as error:
        trail(settings).queried(told, {}, sop_class=WORKLIST_FIND, success=False)
        raise NoAnswer(str(error)) from None
    patient = patient_of_items(items)
    trail(settings).queried(
        told, {}, sop_class=WORKLIST_FIND, patient_id=patient.patient_id if patient is not None else ""
    )
    if not items:
        raise NoAnswer(f"{peer} has no step of this accession number")
    if patient is None:
        raise NoAnswer(f"{peer}: the steps of this accession number do not name one and the same patient")
    return plan_of(items, settings.worklist_plan), patient


def _mark(
    asked: Asked, side: Side | None, document: Callable[[str], Path | None]
) -> tuple[Mark | None, Patient | None]:
    if asked.at is not None:
        return marked(asked.at, side), None
    if asked.mark_from is None:
        return None, None
    path = document(asked.mark_from)
    if path is None:
        raise Misused("the document of the mark is not known here")
    try:
        found = marked_document(path)
    except NoMarks as error:
        raise Misused(f"no mark in that document: {error}") from None
    if len(found.points) != 1:
        raise Misused(f"that document has {len(found.points)} points: expected one; give the mark itself")
    if not found.patient.exact:
        raise Misused("that document does not say whose it is")
    (point,) = found.points
    mark = mark_at(point.sop_instance_uid, point.frame, point.x, point.y, side, found.source)
    return mark, found.patient
