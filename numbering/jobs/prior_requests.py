"""What a person asks about priors: which there are, fetch them now, and how fetching them goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from numbering.dicom.priors import open_source
from numbering.jobs import priors
from numbering.jobs.models import PriorRow, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.prior_steps import Asking, NothingToGoBy, allowance, asking, listed, work_on
from numbering.jobs.states import PriorState
from numbering.jobs.store import reading, writing
from numbering.priors.policy import newest, why_not_study
from numbering.priors.source import (
    FoundStudy,
    Patient,
    Progress,
    SourceMisbehaves,
    SourceRefuses,
    SourceUnavailable,
)
from numbering.uids import InvalidUID, checked_uid

HERE = "here"
"""The state of a study that was received by itself."""


class CannotAsk(Exception):
    """The question makes no sense; says why. Exit code 2."""


class NoAnswer(Exception):
    """The source or the study does not allow an answer; says why. Exit code 1."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A study of the patient: whether it is wanted (or why not), and how far it has come here (empty: not asked for).

    Its description is left out: free text may name somebody.
    """

    study: FoundStudy
    why_not: str
    state: str = ""

    def as_row(self) -> dict[str, Any]:
        """For a table or JSON."""
        study = self.study
        return {
            "study": study.study_instance_uid,
            "date": study.study_date.isoformat() if study.study_date else None,
            "modalities": "/".join(sorted(study.modalities)),
            "objects": study.instances,
            "wanted": self.why_not or "yes",
            "state": self.state,
        }


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The studies of one patient, newest first."""

    patient: Patient
    studies: tuple[Listed, ...]


def of_patient(node: Node, patient_id: str, issuer: str = "") -> Listing:
    """The studies of a patient whom a person names; their age counts from today."""
    patient = Patient(patient_id, issuer)
    if not patient.exact:
        raise CannotAsk(
            "that is no patient ID that can be asked for exactly: expected 1 to 64 characters without * ? \\"
        )
    return _listing(node, Asking("", patient, now().date()))


def of_study(node: Node, study_uid: str) -> Listing:
    """The studies of the patient of a received study."""
    try:
        return _listing(node, asking(node, checked_uid(study_uid, "Study Instance UID")))
    except InvalidUID as error:
        raise CannotAsk(str(error)) from None
    except NothingToGoBy as error:
        raise NoAnswer(str(error)) from None


def fetch(node: Node, listing: Listing, progress: Progress | None = None) -> Listing:
    """Fetch, here and now, those that are wanted and not here; the listing with what became of them.

    The rows belong to who asked: the node does not try again by itself.
    """
    for each in listing.studies:
        if not each.why_not and (row := _row_to_fetch(node, each.study.study_instance_uid)) is not None:
            work_on(node, row, patient=listing.patient, progress=progress)
    return replace(listing, studies=tuple(_with_state(node, each) for each in listing.studies))


def done(listing: Listing) -> bool:
    """Whether everything that is wanted is here."""
    return all(each.why_not or each.state in (HERE, PriorState.DONE) for each in listing.studies)


def rows(node: Node) -> list[dict[str, Any]]:
    """All searches and transfers, oldest first."""
    with reading(node.engine) as session:
        return [
            {
                "study": row.study_uid,
                "kind": row.kind,
                "asked_by": row.asked_by,
                "state": row.state,
                "attempts": row.attempts,
                "objects": row.objects,
                "answer": row.answer,
                "sent_besides": row.sent_at is not None,
            }
            for row in session.scalars(select(PriorRow).order_by(PriorRow.created_at))
        ]


def _listing(node: Node, asks: Asking) -> Listing:
    if not node.settings.priors_source:
        raise CannotAsk("no source of priors is set: set NUMBERING_PRIORS_SOURCE")
    try:
        found = listed(node, open_source(node.settings), asks.patient, allowance(node))
    except (SourceUnavailable, SourceRefuses, SourceMisbehaves) as error:
        raise NoAnswer(str(error)) from None
    judged = {
        study.study_instance_uid: why_not_study(
            study, node.settings, study_instance_uid=asks.study_instance_uid, study_date=asks.study_date
        )
        for study in found
    }
    chosen = newest((study for study in found if not judged[study.study_instance_uid]), node.settings)
    studies = [
        Listed(
            study=study,
            why_not=judged[study.study_instance_uid] or ("" if study in chosen else "enough newer ones"),
        )
        for study in newest(found, node.settings, most=len(found))
    ]
    return Listing(patient=asks.patient, studies=tuple(_with_state(node, each) for each in studies))


def _with_state(node: Node, each: Listed) -> Listed:
    uid = each.study.study_instance_uid
    with reading(node.engine) as session:
        row = priors.row_of(session, priors.FETCH, uid)
        received = session.scalar(select(SeriesRow.series_uid).where(SeriesRow.study_uid == uid).limit(1))
    return replace(each, state=row.state if row is not None else HERE if received is not None else "")


def _row_to_fetch(node: Node, study_uid: str) -> str | None:
    """The row to work on: a new one, or one that was given up; None when the study is here or under way."""
    with writing(node.engine) as session:
        row = priors.row_of(session, priors.FETCH, study_uid, lock=True)
        if row is None:
            if not priors.want_study(session, study_uid, ""):
                return None
            session.flush()
            row = priors.row_of(session, priors.FETCH, study_uid)
        elif row.state == PriorState.FAILED:
            priors.ask_again(session, row)
        return row.id if row is not None and row.state == PriorState.QUEUED else None
