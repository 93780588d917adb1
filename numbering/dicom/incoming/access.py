"""Who may have an association, and how the others are told (A-ASSOCIATE-RJ, PS3.8 table 9-21)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from numbering.settings.kinds import AllowedPeer


class Refusal(Enum):
    """Why there is no association: result, source and reason as sent, and a word for log and metrics."""

    CALLED_AE_TITLE = (1, 1, 7, "called-ae-title")
    CALLING_AE_TITLE = (1, 1, 3, "calling-ae-title")
    ADDRESS = (1, 1, 1, "address")
    TOO_MANY = (2, 3, 2, "too-many")
    TOO_MANY_OF_PEER = (2, 3, 2, "too-many-of-peer")
    NO_SLOT = (2, 3, 1, "no-slot")

    @property
    def word(self) -> str:
        """For log and metrics."""
        return self.value[3]

    @property
    def as_sent(self) -> tuple[int, int, int]:
        """Result, source and reason."""
        return self.value[:3]


@dataclass(frozen=True)
class Door:
    """Who is let in."""

    ae_title: str
    require_called: bool = True
    peers: Sequence[AllowedPeer] = ()

    def refusal(self, called: str, calling: str, address: str) -> Refusal | None:
        """Why an association from this address is refused; None when it is not."""
        if self.require_called and called.strip() != self.ae_title.strip():
            return Refusal.CALLED_AE_TITLE
        title = calling.strip()
        if not self.peers or any(peer.allows(title, address) for peer in self.peers):
            return None
        known = any(peer.ae_title in ("", title) for peer in self.peers)
        return Refusal.ADDRESS if known else Refusal.CALLING_AE_TITLE
