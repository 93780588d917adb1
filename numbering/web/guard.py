"""Around every request: its number in each line of the log, the rate of its address, metrics, and no word too many."""

from __future__ import annotations

import math
import secrets
import time
from typing import Any

from h11 import LocalProtocolError
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from numbering.logs import bind, logger
from numbering.metrics import HTTP_REFUSED, HTTP_REQUESTS, HTTP_SECONDS
from numbering.web.state import Web

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
HEAD_BYTES = 32768
"""Of a request's line and headers together."""
QUIET = ("/health", "/ready", "/metrics")
"""Routes that are asked every few seconds and by machines."""

log = logger(__name__)


class Guard:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, web: Web) -> None:
        self._app = app
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = secrets.token_hex(8)
        with bind(request=number):
            await self._answer(scope, receive, send, number)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, number: str) -> None:
        started, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *HEADERS, (b"x-request-id", number.encode())]
            await send(message)

        address = scope["client"][0] if scope.get("client") else ""
        if _head_bytes(scope) > HEAD_BYTES:
            HTTP_REFUSED.labels("head").inc()
            await JSONResponse({"detail": f"expected a head of at most {HEAD_BYTES} bytes"}, 431)(
                scope, receive, sending
            )
            return
        wait = self._web.requests.take(address) if self._web.requests else 0.0
        if wait:
            HTTP_REFUSED.labels("rate").inc()
            busy = JSONResponse({"detail": "too many requests"}, 429, {"Retry-After": str(math.ceil(wait))})
            await busy(scope, receive, sending)
            return
        try:
            await self._app(scope, receive, sending)
        except (ClientDisconnect, LocalProtocolError):
            log.info("the peer went away, or went on with what is no HTTP, in the middle of its request")
        except Exception as error:  # noqa: BLE001 - nothing of an error goes to the peer or, but its place, to the log
            log.error("a request broke", error=error)
            if not status:
                await JSONResponse({"detail": "a fault of this software"}, 500)(scope, receive, sending)
        finally:
            _tell(scope, status, time.monotonic() - started, address)


def _head_bytes(scope: Scope) -> int:
    return (
        len(scope["raw_path"])
        + len(scope["query_string"])
        + sum(len(name) + len(value) for name, value in scope["headers"])
    )


def _tell(scope: Scope, status: int, seconds: float, address: str) -> None:
    route = _route(scope)
    HTTP_REQUESTS.labels(route, str(status)).inc()
    HTTP_SECONDS.labels(route).observe(seconds)
    key: Any = scope.get("state", {}).get("key")
    say = log.debug if route in QUIET else log.info
    say(
        "request",
        method=scope["method"] if route else "",
        route=route,
        status=status,
        seconds=round(seconds, 3),
        peer=address,
        key=key.name if key else None,
    )


def _route(scope: Scope) -> str:
    """The route as declared, so that no identifier and nothing that a stranger typed becomes a label."""
    return getattr(scope.get("route"), "path", "")
