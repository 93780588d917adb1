"""``/health``: this process answers. ``/ready``: the parts without which no film comes through, each by name."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as TooSlow
from functools import partial

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from redis import Redis
from sqlalchemy import select

from numbering.jobs.app import UNHEARD
from numbering.jobs.models import SeriesRow
from numbering.jobs.redis import redis_url
from numbering.jobs.store import reading
from numbering.web.access import here_or_reader
from numbering.web.state import Web, web_of

PART_SECONDS = 3.0
"""A part that has not answered for this long is not ready."""

router = APIRouter(tags=["health"], dependencies=[Depends(here_or_reader)])


class NotReady(Exception):
    """Why a part is not ready."""


@router.get("/health")
async def health() -> dict[str, str]:
    """This process lives."""
    return {"status": "alive"}


@router.get("/ready", responses={503: {"description": "a part is not ready"}})
def ready(request: Request) -> JSONResponse:
    """Whether database, spool, disk and broker are there; 503 when one is not."""
    parts = examined(web_of(request))
    fine = all(word == "ready" for word in parts.values())
    return JSONResponse({"status": "ready" if fine else "not ready", "parts": parts}, 200 if fine else 503)


def examined(web: Web) -> dict[str, str]:
    """``ready`` for each part, or a sentence. A part that hangs is asked once, however often somebody wants to know."""
    asked = {name: web.questions.ask(name, partial(_asked, part, web)) for name, part in PARTS.items()}
    told = {}
    for name, question in asked.items():
        try:
            told[name] = question.answer.result(max(0.0, question.since + PART_SECONDS - time.monotonic()))
        except TooSlow:
            told[name] = f"no answer within {PART_SECONDS:g} s: still asking"
    return told


def _asked(part: Callable[[Web], None], web: Web) -> str:
    try:
        part(web)
    except NotReady as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the part is not ready
        return f"out of reach ({type(error).__name__})"
    return "ready"


def _database(web: Web) -> None:
    with reading(web.node.engine) as session:
        session.execute(select(SeriesRow.state).limit(1))


def _spool(web: Web) -> None:
    path = web.settings.spool / ".incoming" / f"{os.getpid()}-ready-{secrets.token_hex(4)}.part"
    try:
        path.write_bytes(b"ready")
        path.unlink()
    except OSError as error:
        raise NotReady(f"cannot be written ({error.strerror})") from None


def _disk(web: Web) -> None:
    if web.watermark.reached():
        raise NotReady("less is free than `disk_minimum_mib` and `disk_minimum_percent` demand: objects are refused")


def _broker(web: Web) -> None:
    url = (web.settings.broker_url or redis_url(web.settings.data)).replace("redis+socket://", "unix://", 1)
    try:
        with Redis.from_url(url, socket_connect_timeout=PART_SECONDS, socket_timeout=PART_SECONDS) as redis:
            redis.ping()
    except UNHEARD:
        raise NotReady("does not answer; rows wait in the database") from None


PARTS: dict[str, Callable[[Web], None]] = {"database": _database, "spool": _spool, "disk": _disk, "broker": _broker}
