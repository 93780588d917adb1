"""Corrections by REST: a person says what a structure really is, takes that back, reads what was said.

Verified is what is said with a key of one person of an organisation; everything else is kept as unverified.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from numbering.audit.message import Peer
from numbering.jobs.record import correcting
from numbering.jobs.record.concluding import Concluded
from numbering.jobs.record.corrections import By, CannotCorrect, Said, corrections, place_of
from numbering.jobs.record.rows import CorrectionRow
from numbering.record.model import Place
from numbering.web.access import may
from numbering.web.answers import Answer
from numbering.web.bodies import body_of, described
from numbering.web.keys import Key, Scope
from numbering.web.state import address_of, web_of

router = APIRouter(prefix="/api/v1", tags=["corrections"])
Corrector = Annotated[Key, Depends(may(Scope.CORRECT))]
UID = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=64)]
PathUID = Annotated[str, Path(pattern=r"^[0-9.]{3,64}$")]
Name = Annotated[str, Field(max_length=16)]


class CorrectionRequest(BaseModel):
    """What the structure at a place is; without x and y, the one structure there that ``was`` called so."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    sop_instance_uid: UID
    frame: Annotated[int, Field(ge=1)] | None = Field(None, description="1-based, for multi-frame objects.")
    x: Annotated[float, Field(allow_inf_nan=False)] | None = Field(None, description="Right, in pixels.")
    y: Annotated[float, Field(allow_inf_nan=False)] | None = Field(None, description="Down, in pixels.")
    was: Name | None = Field(None, description="What it is called now.")
    name: Name = Field(description="What it is: L5, T13, L4-L5. The names of its neighbours shift with it.")


class CorrectionAnswer(Answer):
    """A correction as it is kept; ``person`` and ``organisation`` are those who verified it."""

    uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    frame: int | None
    x: float
    y: float
    name: str
    was: str | None
    verified: bool
    person: str | None
    organisation: str | None
    source: str
    at: datetime
    withdrawn_at: datetime | None


class CorrectionsAnswer(Answer):
    """Corrections, oldest first."""

    corrections: list[CorrectionAnswer]


class IssuedAnswer(Answer):
    """A new revision that says what follows from a correction; ``renamed`` are old and new names."""

    job: str
    renamed: list[tuple[str, str]]
    why: str


class CorrectedAnswer(Answer):
    """The correction, and the revisions that follow from it; they are now written and sent."""

    uid: str
    verified: bool
    was: str | None
    issued: list[IssuedAnswer]


@router.post("/corrections", openapi_extra=described(CorrectionRequest))
async def correct(request: Request, key: Corrector) -> CorrectedAnswer:
    """Say what a structure is. Superseding reports follow; verified if the key is one person's."""
    web = web_of(request)
    asked = await body_of(request, CorrectionRequest, web.settings.web_idle_seconds)
    peer = Peer(f"key {key.name}", address_of(request))

    def work() -> correcting.Corrected:
        return correcting.correct(web.node, [_said(web.node.engine, asked)], _by(key), peer)

    try:
        done = await run_in_threadpool(work)
    except CannotCorrect as error:
        raise HTTPException(400, str(error)) from None
    (filed,) = done.filed
    return CorrectedAnswer(uid=filed.uid, verified=filed.verified, was=filed.was, issued=_issued(done.made))


@router.get("/corrections")
def all_corrections(request: Request, key: Corrector, withdrawn: bool = False) -> CorrectionsAnswer:
    """Corrections that stand; those taken back too where asked for."""
    rows = corrections(web_of(request).node.engine, withdrawn=withdrawn)
    return CorrectionsAnswer(corrections=[_answer(row) for row in rows])


@router.post("/corrections/{uid}/withdraw")
def withdraw(request: Request, uid: PathUID, key: Corrector) -> CorrectedAnswer:
    """Take a correction back: what had been said before holds again."""
    peer = Peer(f"key {key.name}", address_of(request))
    try:
        made = correcting.take_back(web_of(request).node, uid, _by(key), peer)
    except LookupError:
        raise HTTPException(404, "there is no standing correction of this UID") from None
    return CorrectedAnswer(uid=uid, verified=False, was=None, issued=_issued(made))


def _by(key: Key) -> By:
    """Who corrects with this key."""
    return By(source="rest", account=f"key {key.name}", person=key.person, organisation=key.organisation)


def _said(engine: Engine, asked: CorrectionRequest) -> Said:
    if asked.x is not None and asked.y is not None and asked.was is None:
        place = Place(sop_instance_uid=asked.sop_instance_uid, frame=asked.frame, x=asked.x, y=asked.y)
    elif asked.x is None and asked.y is None and asked.was is not None:
        place = place_of(engine, asked.sop_instance_uid, asked.frame, asked.was)
    else:
        raise CannotCorrect("expected either x and y, or was")
    return Said(place=place, name=asked.name)


def _issued(made: tuple[Concluded, ...]) -> list[IssuedAnswer]:
    return [IssuedAnswer(job=each.job_id, renamed=list(each.renamed), why=each.why) for each in made]


def _answer(row: CorrectionRow) -> CorrectionAnswer:
    return CorrectionAnswer(
        uid=row.uid,
        study_instance_uid=row.study_uid,
        series_instance_uid=row.series_uid,
        sop_instance_uid=row.sop_uid,
        frame=row.frame,
        x=row.x,
        y=row.y,
        name=row.name,
        was=row.was,
        verified=row.verified,
        person=row.person,
        organisation=row.organisation,
        source=row.source,
        at=row.at,
        withdrawn_at=row.withdrawn_at,
    )
