"""The web room: HTTP until SIGTERM, and the threads that tell webhooks."""

from __future__ import annotations

import signal
import socket
import sys
import threading

import uvicorn

from numbering.audit.trail import trail
from numbering.dicom.tls import server_context
from numbering.jobs import webhooks
from numbering.jobs.node import Node
from numbering.jobs.supervisor import tell_ready
from numbering.logs import logger
from numbering.settings import Settings
from numbering.web.access import loopback
from numbering.web.app import web_of_node
from numbering.web.connections import Doorkeeper
from numbering.web.guard import HEAD_BYTES

BACKLOG = 256
GRACE_SECONDS = 10
"""What running requests are given at the end."""
HELLO_SECONDS = 5
"""A connection that was kept for another request is closed after this long."""

log = logger(__name__)


def run(settings: Settings) -> None:
    """Serve HTTP (unless its port is 0) and tell webhooks, until SIGTERM or SIGINT. To be called in the main thread."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())  # uvicorn takes both while it runs, and then gives them back
    node = Node.of(settings)
    trail(settings).started("web")
    telling = webhooks.start(node.engine, settings, stopping)
    try:
        if settings.web_port:
            server_of(node).run([_listening(settings)])
        else:
            tell_ready()
            stopping.wait()
    finally:
        stopping.set()
        for thread in telling:
            thread.join()
        trail(settings).stopped("web")
        node.engine.dispose()


class _Server(uvicorn.Server):
    """Says when it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the sockets, and tell the supervisor."""
        await super().startup(sockets)
        tell_ready()


def _listening(settings: Settings) -> socket.socket:
    """The HTTP port; a sentence in the log when it cannot be opened, and the end of this process."""
    where = (settings.web_host, settings.web_port)
    try:
        return socket.create_server(
            where, family=socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        log.error("the HTTP port cannot be opened", host=where[0], port=where[1], reason=error.strerror)
        sys.exit(1)


def server_of(node: Node) -> uvicorn.Server:
    """A server of this node's application, by its settings."""
    settings = node.settings
    secure = bool(settings.web_certificate_file or settings.web_key_file)
    door = Doorkeeper(settings.web_connections_per_address, settings.web_idle_seconds)
    log.info("HTTP", host=settings.web_host, port=settings.web_port, tls=secure)
    if not secure and not loopback(settings.web_host):
        log.warning("HTTP without TLS: keys and films cross the network in the clear unless a proxy sees to it")
    return _Server(
        uvicorn.Config(
            web_of_node(node),
            host=settings.web_host,
            port=settings.web_port,
            http=door.protocol(),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who speaks is the connection's peer, whatever a header claims
            limit_concurrency=settings.web_connections,
            timeout_keep_alive=HELLO_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=HEAD_BYTES,
            ssl_context_factory=(
                (lambda _config, _default: server_context(settings.web_certificate_file, settings.web_key_file))
                if secure
                else None
            ),
        )
    )
