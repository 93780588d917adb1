"""HTTP connections that cost nothing for long: so many of one address, and none on which nothing comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from numbering.metrics import HTTP_REFUSED
from numbering.neighbourhood import neighbourhood


class Doorkeeper:
    """Makes the protocols of a server that has these limits."""

    def __init__(self, per_address: int, idle_seconds: float) -> None:
        self.per_address = per_address
        self.idle_seconds = idle_seconds
        self.open: Counter[str] = Counter()

    def protocol(self) -> type[asyncio.Protocol]:
        """What uvicorn makes one of for each connection."""
        return type("Guarded", (GuardedConnection,), {"door": self})


class GuardedConnection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; closed when too many come from there, or nothing comes while something is due.

    uvicorn itself waits for a request's head for ever. The body is timed by whoever reads it.
    """

    door: Doorkeeper

    def connection_made(self, transport: Any) -> None:
        """Count it, or close it."""
        super().connection_made(transport)
        self._place = neighbourhood(self.client[0] if self.client else "")
        self.door.open[self._place] += 1
        self._waiting: asyncio.TimerHandle | None = None
        if self.door.open[self._place] > self.door.per_address:
            HTTP_REFUSED.labels("connections").inc()
            transport.close()
            return
        self._await_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        super().connection_lost(exc)
        self._stop_waiting()
        self.door.open[self._place] -= 1
        if not self.door.open[self._place]:
            del self.door.open[self._place]

    def handle_events(self) -> None:
        """Once a head is complete, its route is in charge."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """The next request's head is awaited, unless it came already."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._await_a_head()

    def _await_a_head(self) -> None:
        # From the first byte on that is awaited, not from the last that came: a head that trickles in is no excuse
        self._stop_waiting()
        self._waiting = self.loop.call_later(self.door.idle_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        HTTP_REFUSED.labels("idle").inc()
        self.transport.close()
