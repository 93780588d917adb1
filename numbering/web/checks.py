"""Level checks by REST: ask, read again, and the key images. Each is kept for good, and in the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from numbering.audit.message import Peer
from numbering.checking.apart import draw_apart
from numbering.checking.gather import Asked, NoAnswer
from numbering.checking.question import Misused
from numbering.jobs.checks import store as checks
from numbering.jobs.checks.asking import Told, check_level
from numbering.jobs.checks.store import StoredCheck
from numbering.levelcheck import Check
from numbering.priors.source import Patient
from numbering.uids import InvalidUID, checked_uid
from numbering.web.access import may
from numbering.web.answers import Answer
from numbering.web.bodies import body_of, described
from numbering.web.keys import Key, Scope
from numbering.web.state import Web, address_of, web_of

router = APIRouter(prefix="/api/v1", tags=["level check"])
Checker = Annotated[Key, Depends(may(Scope.CHECK))]
UID = Annotated[str, Path(pattern=r"^[0-9.]{3,64}$")]
Text = Annotated[str, Field(max_length=256)]


class CheckRequest(BaseModel):
    """What is to be checked. The plan is typed or stands in the site's worklist; the mark is given or stands in an SR
    or GSPS that the node has received.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    planned: Text | None = Field(None, description="What is planned, as in docs/levelcheck.md: `TLIF L4/5, left`.")
    worklist: Text | None = Field(None, description="Accession number of the worklist item that holds the plan.")
    at: Text | None = Field(None, description="The mark: `SOP_INSTANCE_UID[#FRAME]:x,y`, in pixels.")
    mark_from: Text | None = Field(None, description="SOP Instance UID of an SR or GSPS with one point.")
    side: Text | None = Field(None, description="The patient's side that the mark is for: L or R.")
    patient_id: Text | None = Field(None, description="The plan's patient.")
    issuer: Text = Field("", description="Issuer of the patient's ID.")
    plan_study: Text | None = Field(None, description="Study Instance UID of the images that the plan was made on.")
    report: bool = Field(False, description="Whether the check is written as an SR into the marked image's study.")


class CheckAnswer(Answer):
    """A check as it is kept. ``report`` is the UID of its SR; without one, ``why_no_report`` says why if one was
    asked for.
    """

    uid: str
    at: datetime
    asked_by: str
    check: Check
    key_images: list[str] = Field(description="Where each is read.")
    report: str | None = None
    why_no_report: str | None = None


class ChecksAnswer(Answer):
    """Checks, oldest first."""

    checks: list[CheckAnswer]


@router.post("/checks", openapi_extra=described(CheckRequest))
async def check_a_level(request: Request, key: Checker) -> CheckAnswer:
    """Compare a marked place with a planned name. The verdict is in `check`; research use only."""
    web = web_of(request)
    asked = await body_of(request, CheckRequest, web.settings.web_idle_seconds)
    by = Peer(f"key {key.name}", address_of(request))
    try:
        told = await run_in_threadpool(_checked, web, asked, by)
    except Misused as error:
        raise HTTPException(400, str(error)) from None
    except NoAnswer as error:
        raise HTTPException(502, str(error)) from None
    return _answer(told.stored, told)


@router.get("/checks")
def checks_of_a_patient(
    request: Request, key: Checker, study: Annotated[str, Query(pattern=r"^[0-9.]{3,64}$")]
) -> ChecksAnswer:
    """All checks of the patient whose study this is."""
    web = web_of(request)
    try:
        found = checks.checks_of(web.node.engine, checked_uid(study, "the study"))
    except InvalidUID as error:
        raise HTTPException(400, str(error)) from None
    return ChecksAnswer(checks=[_answer(each) for each in found])


@router.get("/checks/{uid}")
def one_check(request: Request, key: Checker, uid: UID) -> CheckAnswer:
    """One check as it was answered."""
    return _answer(_stored(web_of(request), uid))


@router.get("/checks/{uid}/images/{number}", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def key_image(request: Request, key: Checker, uid: UID, number: Annotated[int, Path(ge=1, le=9)]) -> Response:
    """A key image with the mark and what is named about it: a PNG of the patient's image."""
    web = web_of(request)
    stored = _stored(web, uid)
    paths = [web.node.path(path) for path in stored.key_images]
    if number > len(paths) or not paths[number - 1].is_file():
        raise HTTPException(404, "there is no such key image")
    if stored.study_uid is not None:
        by = Peer(f"key {key.name}", address_of(request))
        web.trail.accessed(stored.study_uid, {}, user=by)
    return Response(paths[number - 1].read_bytes(), media_type="image/png")


def _checked(web: Web, asked: CheckRequest, by: Peer) -> Told:
    patient = Patient(asked.patient_id.strip(), asked.issuer.strip()) if asked.patient_id is not None else None
    question = Asked(
        planned=asked.planned,
        worklist=asked.worklist,
        at=asked.at,
        mark_from=asked.mark_from,
        side=asked.side,
        patient=patient,
        plan_study=asked.plan_study,
    )
    return check_level(web.node, question, by=by, report=asked.report, draw=draw_apart)


def _stored(web: Web, uid: str) -> StoredCheck:
    try:
        return checks.check(web.node.engine, uid)
    except LookupError:
        raise HTTPException(404, f"there is no check {uid}") from None


def _answer(stored: StoredCheck, told: Told | None = None) -> CheckAnswer:
    return CheckAnswer(
        uid=stored.uid,
        at=stored.at,
        asked_by=stored.asked_by,
        check=stored.check,
        key_images=[f"/api/v1/checks/{stored.uid}/images/{n}" for n in range(1, len(stored.key_images) + 1)],
        report=told.report if told else None,
        why_no_report=(told.why_no_report or None) if told else None,
    )
