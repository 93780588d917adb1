"""Connections that have no association yet: they ask for nothing, or their TLS handshake is under way.

Each costs a thread or two until its timer ends it, so one address may have so many of them, and no address all.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock

from numbering.neighbourhood import neighbourhood


class Visit:
    """One connection without an association; to be left once it has one, or at its end."""

    def __init__(self, lobby: Lobby, place: str) -> None:
        self._lobby: Lobby | None = lobby
        self._place = place

    def leave(self) -> None:
        """Count it no longer; again does no harm."""
        lobby, self._lobby = self._lobby, None
        if lobby is not None:
            lobby.left(self._place)


class Lobby:
    """How many such connections each address has, over all sockets of one acceptor."""

    def __init__(self, maximum_per_address: int) -> None:
        self.maximum_per_address = maximum_per_address
        self._present: Counter[str] = Counter()
        self._lock = Lock()

    def enter(self, address: str) -> Visit | None:
        """Count one more; None when its address has as many as it may."""
        place = neighbourhood(address)
        with self._lock:
            if self._present[place] >= self.maximum_per_address:
                return None
            self._present[place] += 1
        return Visit(self, place)

    def left(self, place: str) -> None:
        """Count one less."""
        with self._lock:
            self._present[place] -= 1
            if not self._present[place]:
                del self._present[place]
