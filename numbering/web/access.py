"""Who may do what: a key with the right scope in ``Authorization: Bearer``; without one, health alone and from here."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from typing import Annotated, NoReturn

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from numbering.audit.message import Peer
from numbering.logs import logger
from numbering.metrics import HTTP_REFUSED
from numbering.web.keys import Key, Scope
from numbering.web.state import Web, address_of, web_of

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="numbering"'}

BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="A key of `numbering keys add`.")
"""For the description alone: what it finds is looked at below."""

log = logger(__name__)


def may(scope: Scope) -> Callable[..., object]:
    """A dependency of a route: the key by which the request may do this; else it ends with 401, 403 or 429."""

    async def key(request: Request, _described: Annotated[object, Security(BEARER)]) -> Key:
        return await _checked(request, scope)

    return key


async def here_or_reader(request: Request) -> None:
    """A dependency: whoever asks from this very machine, or has a key that may read."""
    if not loopback(address_of(request)):
        await _checked(request, Scope.READ)


def loopback(address: str) -> bool:
    """Whether this is an address of this very machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def _checked(request: Request, scope: Scope) -> Key:
    web, address = web_of(request), address_of(request)
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if not presented or scheme.lower() != "bearer":
        HTTP_REFUSED.labels("no key").inc()
        raise HTTPException(401, "expected a key: Authorization: Bearer KEY (numbering keys add)", CHALLENGE)
    key = await run_in_threadpool(web.keys.who, presented.strip())
    if key is None:
        await _fail(web, address)
    if scope not in key.may:
        HTTP_REFUSED.labels("scope").inc()
        log.warning("a key may not do this", key=key.name, scope=scope.value, peer=address)
        await run_in_threadpool(
            web.trail.security_alert, "restricted-function", Peer(key.name, address), f"the key may not {scope.value}"
        )
        raise HTTPException(403, f"this key may not {scope.value}")
    request.state.key = key
    return key


async def _fail(web: Web, address: str) -> NoReturn:
    """Refuse a wrong key; of an address that goes on and on, not every one is logged and audited.

    Right keys still work from there: a shared address (a proxy) must not lock out all behind it, and nobody guesses
    256 random bits.
    """
    HTTP_REFUSED.labels("wrong key").inc()
    wait = web.failures.take(address)
    if wait:
        raise HTTPException(429, "too many wrong keys from this address", {"Retry-After": str(math.ceil(wait))})
    log.warning("a wrong key", peer=address)
    await run_in_threadpool(web.trail.authenticated, "unknown key", address, False)
    raise HTTPException(401, "this key is not known, or was revoked", CHALLENGE)
