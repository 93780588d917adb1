"""``/metrics`` in Prometheus' text format: what the processes counted, and what database and disk say now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from numbering.jobs.app import DELIVER_QUEUE, ENCODE_QUEUE
from numbering.jobs.disk import disk_of
from numbering.jobs.models import Delivery, Job, Notice, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.record.rows import CheckRow
from numbering.jobs.states import DeliveryState, State
from numbering.jobs.store import reading
from numbering.logs import logger
from numbering.metric_files import Collector
from numbering.web.access import may
from numbering.web.keys import Scope
from numbering.web.state import web_of

log = logger(__name__)
router = APIRouter(tags=["health"], dependencies=[Depends(may(Scope.READ))])


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """All metrics of this node; of the processes that share its data folder."""
    node = web_of(request).node
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(node.settings.metrics))
    registry.register(StateCollector(node))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class StateCollector:
    """Rows by state, waiting times and room on the disk, looked up when they are asked for."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterable[Metric]:
        """The gauges; those of a part that is out of reach are left out, and ``numbering_up`` says so."""
        up = GaugeMetricFamily("numbering_up", "Whether this part answered just now.", labels=["part"])
        for part, look in (("database", self._rows), ("disk", self._disk)):
            try:
                found = look()
            except Exception as error:  # noqa: BLE001 - what is still known is told
                log.warning("metrics of a part are missing", part=part, error=error)
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
                yield from found
        yield up

    def _rows(self) -> list[Metric]:
        with reading(self._node.engine) as session:
            return [
                _counted(session, "numbering_jobs", "Jobs by state.", Job.state),
                _counted(session, "numbering_series", "Series by state.", SeriesRow.state),
                _counted(
                    session,
                    "numbering_deliveries_waiting",
                    "Deliveries by destination and state.",
                    Delivery.destination,
                    Delivery.state,
                ),
                _counted(
                    session, "numbering_notices", "What webhooks are told, by state.", Notice.webhook, Notice.state
                ),
                _counted(session, "numbering_level_checks", "Level checks kept, by verdict.", CheckRow.verdict),
                _waits(session),
            ]

    def _disk(self) -> list[Metric]:
        free = GaugeMetricFamily("numbering_disk_free_bytes", "Free bytes on the spool's disk.")
        free.add_metric([], disk_of(self._node.settings.spool).free)
        arrivals = GaugeMetricFamily("numbering_arrivals_waiting", "Arrivals that were not yet taken note of.")
        arrivals.add_metric([], len(self._node.spool.arrivals()))
        return [free, arrivals]


def _counted(session: Session, name: str, text: str, *columns: object) -> Metric:
    labels = [str(getattr(column, "key", "")) for column in columns]
    family = GaugeMetricFamily(name, text, labels=labels)
    for *values, number in session.execute(select(*columns, func.count()).group_by(*columns)):  # type: ignore[call-overload]
        family.add_metric([str(value) for value in values], number)
    return family


def _waits(session: Session) -> Metric:
    """Age of the oldest row that waits, for each queue; 0 where none waits."""
    family = GaugeMetricFamily(
        "numbering_oldest_waiting_seconds", "Seconds since the oldest row that waits was made.", labels=["queue"]
    )
    by_queue = select(Job.queue, func.min(Job.created_at)).where(Job.state == State.QUEUED).group_by(Job.queue)
    oldest: dict[str, datetime | None] = {queue or "": since for queue, since in session.execute(by_queue)}
    encoding = select(func.min(Job.created_at)).where(Job.state == State.INFERRED)
    delivering = select(func.min(Delivery.created_at)).where(Delivery.state == DeliveryState.QUEUED)
    telling = select(func.min(Notice.created_at)).where(Notice.state == DeliveryState.QUEUED)
    oldest[ENCODE_QUEUE] = session.scalar(encoding)
    oldest[DELIVER_QUEUE] = session.scalar(delivering)
    oldest["webhooks"] = session.scalar(telling)
    for queue, since in oldest.items():
        family.add_metric([queue], (now() - since).total_seconds() if since else 0.0)
    return family
