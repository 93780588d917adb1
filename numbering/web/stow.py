"""STOW-RS (PS3.18 10.5): objects by HTTP, with the guarantees of C-STORE.

Answered only when each object is durable in the spool, byte for byte as sent. What was kept before a request broke off
stays kept; the sender sends all of it again, and nothing is stored twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from numbering.audit.message import Peer
from numbering.logs import logger
from numbering.uids import InvalidUID, checked_uid
from numbering.web.access import may
from numbering.web.keys import Key, Scope
from numbering.web.multipart import Limits, Malformed, NotDICOM, TooLarge, boundary_of, read_parts
from numbering.web.state import Web, address_of, web_of
from numbering.web.stored import response_of, status_of
from numbering.web.taking import WAY, Taking

DICOM_JSON = "application/dicom+json"
ANSWERED = frozenset({"*/*", "application/*", DICOM_JSON, "application/json"})
FULL_SECONDS, BUSY_SECONDS = 60, 5
"""When to come again: the disk is nearly full, or others are sending."""
REFUSALS: dict[type[Exception], int] = {Malformed: 400, TooLarge: 413, NotDICOM: 415, TimeoutError: 408}

log = logger(__name__)
router = APIRouter(tags=["STOW-RS"])
body = {
    "requestBody": {
        "required": True,
        "content": {'multipart/related; type="application/dicom"': {"schema": {"type": "string", "format": "binary"}}},
    },
    "responses": {
        str(status): {"description": meaning}
        for status, meaning in {
            200: "every object is kept",
            202: "some are kept with a warning, or not kept; the data set says which",
            400: "the body does not parse",
            401: "no key, or a wrong one",
            403: "the key may not store",
            406: "no answer as application/dicom+json is wanted",
            409: "no object is kept; the data set says why",
            413: "more bytes or objects than allowed",
            415: "no multipart/related of application/dicom",
            503: "busy, or the disk is nearly full: come again after Retry-After",
        }.items()
    },
}
Sender = Annotated[Key, Depends(may(Scope.STORE))]


@router.post("/dicom-web/studies", openapi_extra=body)
async def store(request: Request, key: Sender) -> JSONResponse:
    """Store objects of any studies."""
    return await _store(request, key, "")


@router.post("/dicom-web/studies/{study}", openapi_extra=body)
async def store_study(request: Request, key: Sender, study: str) -> JSONResponse:
    """Store objects of this study; others are refused."""
    try:
        return await _store(request, key, checked_uid(study, "the study in the URL"))
    except InvalidUID as error:
        raise HTTPException(400, str(error)) from None


async def _store(request: Request, key: Key, study: str) -> JSONResponse:
    web = web_of(request)
    limits = _limits(web)
    boundary = _agreed(request, limits)
    if web.uploads >= web.settings.stow_uploads:
        raise HTTPException(503, "others are sending", {"Retry-After": str(BUSY_SECONDS)})
    if web.watermark.reached():
        raise HTTPException(503, "the disk is nearly full", {"Retry-After": str(FULL_SECONDS)})
    sender = Peer(key.name, address_of(request))
    taking = Taking(web.node.spool, web.watermark, study, sender)
    web.uploads += 1
    try:
        async with asyncio.timeout(web.settings.stow_seconds):
            await read_parts(_arriving(request, web.settings.web_idle_seconds), boundary, limits, taking)
    except tuple(REFUSALS) as error:
        status = next(status for kind, status in REFUSALS.items() if isinstance(error, kind))
        raise HTTPException(status, str(error) or "the request took too long") from None
    finally:
        web.uploads -= 1
        taking.close()
        await run_in_threadpool(_report, web, sender, taking)
    if not taking.outcomes:
        raise HTTPException(400, "the body holds no object")
    status = status_of(taking.outcomes)
    headers = {"Retry-After": str(FULL_SECONDS)} if status == 503 else None
    return JSONResponse(response_of(taking.outcomes), status, headers, DICOM_JSON)


def _limits(web: Web) -> Limits:
    settings = web.settings
    return Limits(
        body_bytes=settings.stow_body_bytes, part_bytes=settings.maximum_object_mib * 2**20, parts=settings.stow_parts
    )


def _agreed(request: Request, limits: Limits) -> bytes:
    """The boundary, after all has been looked at that can be before the body is read."""
    accepted = request.headers.get("accept", "*/*")
    if not {each.partition(";")[0].strip().lower() for each in accepted.split(",")} & ANSWERED:
        raise HTTPException(406, f"the answer is {DICOM_JSON}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "expected a body without Content-Encoding")
    if int(request.headers.get("content-length", 0)) > limits.body_bytes:
        raise HTTPException(413, f"the request has more than {limits.body_bytes} bytes")
    try:
        return boundary_of(request.headers.get("content-type", ""))
    except (NotDICOM, Malformed) as error:
        raise HTTPException(REFUSALS[type(error)], str(error)) from None


async def _arriving(request: Request, idle_seconds: float) -> AsyncIterator[bytes]:
    """The body; TimeoutError when nothing comes for too long."""
    stream = request.stream()
    while True:
        try:
            yield await asyncio.wait_for(anext(stream), idle_seconds)
        except StopAsyncIteration:
            return


def _report(web: Web, peer: Peer, taking: Taking) -> None:
    """A line in the log for each study, and a record in the audit trail for each study and result."""
    for (study, success), classes in taking.studies().items():
        if success:
            log.info("objects received", way=WAY, key=peer.ae_title, study_instance_uid=study, objects=classes.total())
        web.trail.transferred("in", study, classes, peer, success)
