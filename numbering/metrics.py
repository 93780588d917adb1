"""What every process counts, for Prometheus. No label ever holds a UID or anything of a patient, and each is bounded.

A room calls `numbering.metric_files.keep_in` before it counts, so that the web room can tell the sum of all processes;
elsewhere (a command, a test) the numbers stay in memory.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

OBJECTS_RECEIVED = Counter(
    "numbering_objects_received", "Objects kept, by the way they came and what became of them.", ["way", "kept"]
)
BYTES_RECEIVED = Counter("numbering_received_bytes", "Bytes of objects kept, by the way they came.", ["way"])
OBJECTS_REFUSED = Counter("numbering_objects_refused", "Objects refused, by way and status.", ["way", "status"])
ASSOCIATIONS_REFUSED = Counter("numbering_associations_refused", "Associations refused, by reason.", ["reason"])
STEP_SECONDS = Histogram(
    "numbering_step_seconds",
    "Seconds that a step of a job took.",
    ["step"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
)
DELIVERIES = Counter("numbering_deliveries", "Attempts at sending an object, by outcome.", ["destination", "outcome"])
WEBHOOKS = Counter("numbering_webhooks", "Attempts at telling a webhook's receiver, by outcome.", ["outcome"])
HTTP_REQUESTS = Counter("numbering_http_requests", "HTTP requests, by route and status.", ["route", "status"])
HTTP_SECONDS = Histogram("numbering_http_seconds", "Seconds that an HTTP request took.", ["route"])
HTTP_REFUSED = Counter("numbering_http_refused", "HTTP requests refused before any route, by reason.", ["reason"])

_OPEN = Gauge("numbering_associations", "Associations open now.", ["way"], multiprocess_mode="livesum")


class _Associations:
    """The gauge of open associations; its one series is made when it is first used, by then in the right file."""

    def inc(self, amount: float = 1) -> None:
        """So many more are open."""
        _OPEN.labels("c-store").inc(amount)

    def dec(self, amount: float = 1) -> None:
        """So many fewer are open."""
        _OPEN.labels("c-store").dec(amount)


ASSOCIATIONS = _Associations()
