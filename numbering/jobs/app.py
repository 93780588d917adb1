"""The Celery application: the bell. Messages carry the identifier of a row and nothing else; results are rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from numbering.jobs.redis import redis_url
from numbering.logs import logger
from numbering.settings import Settings

NUMBER, ENCODE, DELIVER = "numbering.number", "numbering.encode", "numbering.deliver"
ENCODE_QUEUE, DELIVER_QUEUE = "encode", "deliver"

UNHEARD = (OperationalError, RedisError, OSError)
"""What ringing raises when the broker is out of reach."""

log = logger(__name__)


def celery_app(settings: Settings) -> Celery:
    """A Celery application for this broker; `numbering.jobs.tasks.register` adds the tasks."""
    app = Celery("numbering", broker=settings.broker_url or redis_url(settings.data), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_routes={ENCODE: {"queue": ENCODE_QUEUE}, DELIVER: {"queue": DELIVER_QUEUE}},
        task_publish_retry=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # A message is given to somebody else only when the longest job must be over.
            "visibility_timeout": int(max(3600.0, 2 * (settings.longest_job_seconds + settings.lease_seconds))),
            "retry_on_timeout": True,
            "socket_connect_timeout": 2.0,
            "socket_keepalive": False,
        },
        broker_connection_timeout=2.0,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        enable_utc=True,
    )
    return app


class Ringer(Protocol):
    """What wakes workers. Each call answers whether the bell could be heard at all."""

    def number(self, job_id: str, queue: str) -> bool:
        """A job waits for inference in this pipeline's queue."""
        ...

    def encode(self, job_id: str) -> bool:
        """A stored result waits for its objects."""
        ...

    def deliver(self, destination: str) -> bool:
        """Objects wait to be sent to this destination."""
        ...

    def silent(self, queue: str) -> bool:
        """Whether no message waits in this queue, so that a row which still waits was forgotten."""
        ...


@dataclass
class Bell:
    """Rings through the broker. A dead broker loses nothing: the sweeper rings again; each outage is logged once."""

    app: Celery
    dead: bool = field(default=False, init=False)
    _redis: Redis = field(init=False)

    def __post_init__(self) -> None:
        url = str(self.app.conf.broker_url).replace("redis+socket://", "unix://", 1)
        self._redis = Redis.from_url(url, socket_connect_timeout=2.0, socket_timeout=2.0)

    def number(self, job_id: str, queue: str) -> bool:
        """See `Ringer`."""
        return self._ring(NUMBER, job_id, queue)

    def encode(self, job_id: str) -> bool:
        """See `Ringer`."""
        return self._ring(ENCODE, job_id, ENCODE_QUEUE)

    def deliver(self, destination: str) -> bool:
        """See `Ringer`."""
        return self._ring(DELIVER, destination, DELIVER_QUEUE)

    def silent(self, queue: str) -> bool:
        """See `Ringer`."""
        try:
            return not self._redis.llen(queue)
        except UNHEARD as error:
            self._lost(error)
            return False

    def _ring(self, task: str, row: str, queue: str) -> bool:
        try:
            self.app.send_task(task, (row,), queue=queue, retry=False)
        except UNHEARD as error:
            self._lost(error)
            return False
        if self.dead:
            log.info("the broker is back")
        self.dead = False
        return True

    def _lost(self, error: BaseException) -> None:
        if not self.dead:
            log.warning("the broker does not answer; rows wait in the database", error=error)
        self.dead = True
