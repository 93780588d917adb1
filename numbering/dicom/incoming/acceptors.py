"""The DICOM port: a listening socket, shared by any number of acceptor processes, and what becomes of a connection.

The supervisor opens the socket and hands it to every acceptor (``NUMBERING_LISTEN_FD``), or takes it from systemd
(``LISTEN_FDS``). SO_REUSEPORT, by which each process opens a socket of its own, was tried and not chosen: there the
kernel gives each connection to one of the sockets at once, so when one of two acceptors was killed about half of the
connections that waited were reset. With one socket none was: they wait in one queue, which outlives every acceptor. An
acceptor with open associations waits a moment before it takes another, so that an idle one comes first.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from numbering import metrics
from numbering.dicom.incoming.lobby import Lobby, Visit
from numbering.logs import logger
from numbering.settings import Settings

log = logger(__name__)

BACKLOG = 128
POLITE_SECONDS = 0.003
"""How long an acceptor leaves a new connection to others, for each association that it has."""
LISTEN_FD = "NUMBERING_LISTEN_FD"
FIRST_OF_SYSTEMD = 3
"""sd_listen_fds(3)"""


@dataclass(frozen=True)
class Listening:
    """The open sockets: ``plain``, ``tls``, or both."""

    plain: socket.socket | None
    tls: socket.socket | None

    @property
    def ports(self) -> dict[str, int]:
        """Their ports by kind."""
        return {name: one.getsockname()[1] for name, one in self._named()}

    def handed_over(self) -> str:
        """The value of ``NUMBERING_LISTEN_FD`` that gives these to a child."""
        return ",".join(f"{name}={one.fileno()}" for name, one in self._named())

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a child has to inherit."""
        return tuple(one.fileno() for _, one in self._named())

    def close(self) -> None:
        """Close them here."""
        for _, one in self._named():
            one.close()

    def _named(self) -> list[tuple[str, socket.socket]]:
        return [(name, one) for name, one in (("plain", self.plain), ("tls", self.tls)) if one is not None]


def listening(settings: Settings) -> Listening:
    """The sockets of the settings: inherited from the supervisor or from systemd, else opened here."""
    kinds = _kinds(settings)
    inherited = os.environ.get(LISTEN_FD)
    if inherited:
        found = dict(one.split("=") for one in inherited.split(","))
        return Listening(**{kind: _adopt(int(found[kind])) if kind in found else None for kind in ("plain", "tls")})
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and int(os.environ.get("LISTEN_FDS", "0")) >= len(kinds):
        return _opened(kinds, lambda number, _: _adopt(FIRST_OF_SYSTEMD + number))
    return _opened(kinds, lambda _, port: _open(settings.host, port))


def _kinds(settings: Settings) -> dict[str, int]:
    """The port of each kind of socket, the one of ``port`` first."""
    if not settings.dicom_tls_certificate_file:
        return {"plain": settings.port}
    if settings.dicom_tls_port:
        return {"plain": settings.port, "tls": settings.dicom_tls_port}
    return {"tls": settings.port}


def _opened(kinds: dict[str, int], find: Callable[[int, int], socket.socket]) -> Listening:
    found = {kind: find(number, port) for number, (kind, port) in enumerate(kinds.items())}
    return Listening(found.get("plain"), found.get("tls"))


def _adopt(descriptor: int) -> socket.socket:
    return socket.socket(fileno=os.dup(descriptor))


def _open(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


class Server(ThreadedAssociationServer):
    """Takes connections from a socket that others may share, and makes associations of them."""

    def __init__(
        self,
        ae: AE,
        shared: socket.socket,
        ssl_context: ssl.SSLContext | None,
        handlers: list[EventHandlerType],
        associate: Callable[[str, Visit], Association],
        lobby: Lobby,
        settings: Settings,
    ) -> None:
        self._shared = shared
        self._associate = associate
        self._artim_seconds = settings.artim_seconds
        self._idle_seconds = settings.idle_seconds
        self._lobby = lobby
        # Each has two: room for all associations, for two addresses whose connections all wait, and for ourselves.
        self._most_threads = 2 * settings.maximum_associations + 4 * lobby.maximum_per_address + 16
        super().__init__(
            ae, shared.getsockname(), ae.ae_title, ae.supported_contexts, ssl_context, handlers, _Connection
        )

    def server_bind(self) -> None:
        """Take the socket that was handed over."""
        assert self.socket is not None
        self.socket.close()
        self.socket = self._shared
        self.socket.setblocking(False)  # another acceptor may be the first to take what both were told of
        self.server_address = self.socket.getsockname()

    def server_activate(self) -> None:
        """It listens already."""

    def server_close(self) -> None:
        """Close our copy of the socket; a shutdown would end the port for all."""
        self._shared.close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; ``OSError`` when another acceptor was faster."""
        time.sleep(min(len(self.active_associations), 10) * POLITE_SECONDS)
        taken, address = self._shared.accept()
        return taken, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for a connection, which has not yet asked for an association."""
        if threading.active_count() < self._most_threads:
            return True
        metrics.ASSOCIATIONS_REFUSED.labels("connections").inc()
        log.warning("connection refused: too many", peer=client_address[0])
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread of its own, unless its address has too many that ask for nothing."""
        visit = self._lobby.enter(client_address[0])
        if visit is None:
            metrics.ASSOCIATIONS_REFUSED.labels("connections-of-peer").inc()
            log.warning("connection refused: too many of this address", peer=client_address[0])
            self.shutdown_request(request)
            return
        try:
            threading.Thread(target=self._welcome, args=(request, client_address, visit), daemon=True).start()
        except BaseException:
            visit.leave()
            raise

    def _welcome(self, request: Any, client_address: Any, visit: Visit) -> None:
        try:
            if not self._associated(request, client_address, visit):
                visit.leave()
        except Exception:  # noqa: BLE001 - a fault of ours ends one connection
            visit.leave()
            self.handle_error(request, client_address)
            self.shutdown_request(request)

    def _associated(self, request: Any, client_address: Any, visit: Visit) -> bool:
        """TLS, then the association, which leaves the lobby by itself; false when there is none."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        request.settimeout(self._artim_seconds)
        if self.ssl_context is not None:
            try:
                request = self.ssl_context.wrap_socket(request, server_side=True)
            except OSError as error:
                metrics.ASSOCIATIONS_REFUSED.labels("tls").inc()
                log.warning("TLS refused", peer=client_address[0], reason=getattr(error, "reason", None) or "closed")
                request.close()
                return False
            request.settimeout(self._idle_seconds)
        else:
            request.settimeout(None)  # who reads waits by itself; who writes waits so long at most
            request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(self._idle_seconds) + 1, 0))
        _Connection(request, client_address, self, visit)
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A fault of ours ends one connection."""
        log.error("a connection broke", peer=client_address[0], error=sys.exception())

    def association(self, peer: str, visit: Visit) -> Association:
        """A new association that nobody has bound yet."""
        return self._associate(peer, visit)

    @property
    def bound(self) -> Iterable[tuple[Any, Any]]:
        """What was bound to events."""
        return self._handlers.items()


class _Connection(RequestHandler):
    """One connection on its way to become an association."""

    server: Server

    def __init__(self, request: Any, client_address: Any, server: Server, visit: Visit) -> None:
        self._visit = visit
        super().__init__(request, client_address, server)

    def _create_association(self) -> Association:
        assoc = self.server.association(self.client_address[0], self._visit)
        assoc._server = self.server
        assoc.name = f"AcceptorThread@{self.client_address[0]}"
        assoc.set_socket(AssociationSocket(assoc, client_socket=self.request))
        ae, acceptor = self.ae, assoc.acceptor
        acceptor.maximum_length = ae.maximum_pdu_size
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = ae.implementation_class_uid
        acceptor.implementation_version_name = ae.implementation_version_name
        acceptor.supported_contexts = list(self.server.contexts)  # negotiation only reads them
        assoc.requestor.address_info = self.remote
        for event, handlers in self.server.bound:
            if event.is_intervention:
                assoc.bind(event, *handlers)
            else:
                for handler, arguments in handlers:
                    assoc.bind(event, handler, arguments)
        return assoc
