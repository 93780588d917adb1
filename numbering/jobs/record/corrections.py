"""Corrections: a person says what the structure at a place is. Filed once, never changed; taken back with a note of it.

What follows from them is a conclusion (`numbering.jobs.record.concluding`), made anew whenever something comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from numbering.jobs.models import Job, JobImage, now
from numbering.jobs.record.filing import FiledPart, contents
from numbering.jobs.record.identities import changed, record_of_study
from numbering.jobs.record.rows import CorrectionRow
from numbering.jobs.record.verifying import run_digest
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from numbering.record.corrections import Correction, find
from numbering.record.draft import draft_of
from numbering.record.model import Place, levels_of
from numbering.result import NumberingResult
from numbering.study import View
from numbering.uids import random_uid


class CannotCorrect(ValueError):
    """The correction says nothing that could be filed; the sentence says why. Nothing of the patient is in it."""


@dataclass(frozen=True, kw_only=True)
class By:
    """Who corrects: the person and organisation that were authenticated, empty where nobody was.

    ``source`` is ``command``, ``rest`` or ``sr``; ``account`` is what the audit trail calls the caller.
    """

    source: str
    account: str
    person: str = ""
    organisation: str = ""

    @property
    def verified(self) -> bool:
        """Whether an authenticated person of a named organisation stands for it."""
        return bool(self.person and self.organisation)


@dataclass(frozen=True, kw_only=True)
class Filed:
    """A correction as it was filed; ``was`` is what the structure was called until then, None for a new one."""

    uid: str
    record_id: str
    study_uid: str
    series_uid: str
    was: str | None
    name: str
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a person says: the structure at this place is called so. ``uid`` makes filing it twice the same."""

    place: Place
    name: str
    uid: str = ""
    at: datetime | None = None


def file_corrections(engine: Engine, said: Sequence[Said], by: By) -> list[Filed]:
    """File what a person says, all of it or nothing; the conclusion is then due. `CannotCorrect` says why not."""
    with writing(engine) as session:
        return [file_in(session, each, by) for each in said]


def file_in(session: Session, said: Said, by: By) -> Filed:
    """One of them, in a transaction of the caller's."""
    known = session.get(CorrectionRow, said.uid) if said.uid else None
    try:
        levels_of(said.name)
    except ValueError:
        raise CannotCorrect(f"{_shown(said.name)} names no vertebra and no disc: expected L5, T13 or L4-L5") from None
    job = _job_of(session, said.place)
    record_id = record_of_study(session, job.study_uid)
    if record_id is None or job.result is None:
        raise CannotCorrect(f"image {said.place.sop_instance_uid}: no result of it is known; wait until it has one")
    result = NumberingResult.model_validate_json(job.result)
    _check_place(result, said.place)
    part = _part(session, record_id, job)
    row = known or CorrectionRow(
        uid=said.uid or random_uid(),
        study_uid=job.study_uid,
        series_uid=job.series_uid,
        sop_uid=said.place.sop_instance_uid,
        frame=said.place.frame,
        x=said.place.x,
        y=said.place.y,
        name=said.name,
        was=_name_at(part, said),
        source=by.source,
        person=by.person or None,
        organisation=by.organisation or None,
        verified=by.verified,
        run_digest=run_digest(part.filed.result) if part and part.filed.result else None,
        at=said.at or now(),
    )
    if known is None:
        session.add(row)
        session.flush()
        changed(session, record_id)
    return Filed(
        uid=row.uid,
        record_id=record_id,
        study_uid=row.study_uid,
        series_uid=row.series_uid,
        was=row.was,
        name=row.name,
        verified=row.verified,
    )


def place_of(engine: Engine, sop_instance_uid: str, frame: int | None, name: str) -> Place:
    """The place of the one structure that is called so on this image now; `CannotCorrect` where there is not one."""
    with reading(engine) as session:
        job = _job_of(session, Place(sop_instance_uid=sop_instance_uid, frame=frame, x=0, y=0))
        record_id = record_of_study(session, job.study_uid)
        entries = contents(session, record_id).conclude().series if record_id else ()
    named = [
        one.place
        for entry in entries
        for one in entry.structures
        if one.name == name and (one.place.sop_instance_uid, one.place.frame) == (sop_instance_uid, frame)
    ]
    if len(named) != 1:
        raise CannotCorrect(f"{len(named)} structures are called {_shown(name)} there, expected one: give its place")
    return named[0]


def withdraw(engine: Engine, uid: str, by: By) -> str:
    """Take a correction back: what had been said before holds again. The record; ``LookupError`` without such a one."""
    with writing(engine) as session:
        row = session.get(CorrectionRow, uid, with_for_update=True)
        record_id = record_of_study(session, row.study_uid) if row else None
        if row is None or record_id is None or row.withdrawn_at is not None:
            raise LookupError("there is no standing correction of this UID")
        row.withdrawn_at, row.withdrawn_by = now(), by.account
        changed(session, record_id)
        return record_id


def corrections(engine: Engine, *, withdrawn: bool = False) -> list[CorrectionRow]:
    """All corrections that stand, oldest first; those taken back too where asked for."""
    rows = select(CorrectionRow).order_by(CorrectionRow.at, CorrectionRow.uid)
    if not withdrawn:
        rows = rows.where(CorrectionRow.withdrawn_at.is_(None))
    with reading(engine) as session:
        found = list(session.scalars(rows))
        session.expunge_all()
    return found


def _job_of(session: Session, place: Place) -> Job:
    """The job that stands for this image now."""
    found = (
        select(Job)
        .join(JobImage, JobImage.job_id == Job.id)
        .where(JobImage.sop_uid == place.sop_instance_uid, Job.state != State.SUPERSEDED, Job.pipeline.is_not(None))
        .order_by(Job.result.is_(None), Job.revision.desc())
    )
    job = session.scalars(found.limit(1)).first()
    if job is None:
        raise CannotCorrect("no pipeline has read this image: expected the SOP Instance UID of one that was numbered")
    return job


def _check_place(result: NumberingResult, place: Place) -> None:
    source = next((one for one in result.sources if one.sop_instance_uid == place.sop_instance_uid), None)
    if source is None:
        raise CannotCorrect(f"image {place.sop_instance_uid} is none of those that the result rests on")
    frames = range(1, source.frames + 1) if source.frames > 1 else (None,)
    if place.frame not in frames and not (source.frames == 1 and place.frame == 1):
        raise CannotCorrect(
            f"frame {place.frame}: the image has {source.frames}, counted from 1; none for a single one"
        )
    if not (-0.5 <= place.x <= source.columns - 0.5 and -0.5 <= place.y <= source.rows - 0.5):
        raise CannotCorrect(
            f"{place.x:g},{place.y:g} lies outside the image: it has {source.columns} columns and {source.rows} rows"
        )


def _part(session: Session, record_id: str, job: Job) -> FiledPart | None:
    return next((part for part in contents(session, record_id).parts if part.current == job.id), None)


def _name_at(part: FiledPart | None, said: Said) -> str | None:
    """What readers were told last of the structure there."""
    if part is None or part.filed.issued is None:
        return None
    told = part.filed.model_copy(update={"result": part.filed.issued})
    asked = Correction(uid="", series_instance_uid=told.series_instance_uid, place=said.place, name=said.name, at=now())
    found = find(draft_of(told).chains, asked, across=told.view is View.AXIAL)
    return found[1].name if found else None


def _shown(name: str) -> str:
    return "".join(character if character.isalnum() or character == "-" else "?" for character in name)[:16]
