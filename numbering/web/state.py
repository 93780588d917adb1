"""What all requests share."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request

from numbering.audit.trail import AuditTrail, trail
from numbering.dicom.incoming.limits import Watermark
from numbering.jobs.node import Node
from numbering.settings import Settings
from numbering.web.keys import Keys
from numbering.web.questions import Questions
from numbering.web.rates import Buckets

FAILURES = 10
"""Wrong keys that an address may present before each further one is only counted."""
FAILURES_PER_SECOND = 1 / 30


@dataclass
class Web:
    """The web room's view of the node."""

    node: Node
    keys: Keys
    trail: AuditTrail
    requests: Buckets | None
    failures: Buckets = field(default_factory=lambda: Buckets(FAILURES_PER_SECOND, FAILURES))
    questions: Questions = field(default_factory=Questions)
    uploads: int = 0
    """STOW-RS requests that are being taken now; changed in the event loop alone."""

    @classmethod
    def of(cls, node: Node) -> Web:
        """The view that the node's settings describe."""
        settings = node.settings
        rate = settings.web_requests_per_second
        return cls(
            node=node,
            keys=Keys(settings.data),
            trail=trail(settings),
            requests=Buckets(rate, max(10.0, 4 * rate)) if rate else None,
        )

    @property
    def watermark(self) -> Watermark:
        """How much of the spool's disk stays free, as for the DICOM port."""
        settings = self.settings
        return Watermark(settings.spool, settings.disk_minimum_mib * 2**20, settings.disk_minimum_percent)

    @property
    def settings(self) -> Settings:
        """The node's settings."""
        return self.node.settings


def web_of(request: Request) -> Web:
    """The web room that this request came to."""
    web: Web = request.app.state.web
    return web


def address_of(request: Request) -> str:
    """The address of the connection; headers that claim another are not believed."""
    return request.client.host if request.client else ""
