"""Audit messages to a repository by syslog (PS3.15 A.6.2: RFC 5424 over UDP, or over TLS with RFC 5425 framing).

The journal is the record. Sending never holds the node up: messages wait in a bounded queue, and those that do not
fit are counted and logged.
"""

from __future__ import annotations

import errno
import os
import queue
import re
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from numbering import logs
from numbering.settings import Settings

WAITING = 1000
"""Messages that may wait."""
TIMEOUT_SECONDS = 5.0
RETRY_SECONDS = 5.0
CLOSE_SECONDS = 1.0
PRIORITY = 10 * 8 + 5
"""Facility 10 (security), severity 5 (notice): PS3.15 A.6.1."""
MESSAGE_ID = "DICOM+RFC3881"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PORTS = {"udp": 514, "tls": 6514}

log = logs.logger(__name__)


@dataclass(frozen=True)
class Repository:
    """Where the messages go."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Repository:
        """From ``udp://HOST[:PORT]`` or ``tls://HOST[:PORT]``, as the settings have checked it."""
        split = urlsplit(url)
        return cls(split.scheme, split.hostname or "", split.port or PORTS[split.scheme])


class Syslog:
    """A thread that sends. ``dropped`` counts what did not fit into the queue or could not be sent at the end."""

    def __init__(self, repository: Repository, context: ssl.SSLContext | None = None, *, host: str = "") -> None:
        self._repository = repository
        self._context = context
        self._host = re.sub(r"[^!-~]", "-", host or socket.gethostname())[:255]
        self._waiting: queue.Queue[bytes] = queue.Queue(WAITING)
        self._closing = threading.Event()
        self._socket: socket.socket | None = None
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="audit-syslog", daemon=True)
        self._thread.start()

    def send(self, message: str) -> None:
        """Queue a message; never waits."""
        try:
            self._waiting.put_nowait(self._framed(message))
        except queue.Full:
            self._drop(1)

    def close(self) -> None:
        """Give what waits a moment, then end; what is left then is dropped."""
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)
        self._drop(self._waiting.qsize())

    def _drop(self, number: int) -> None:
        before, self.dropped = self.dropped, self.dropped + number
        if number and (not before or self.dropped % WAITING < number):
            log.error("audit messages do not reach syslog; the journal has them", dropped=self.dropped)

    def _framed(self, message: str) -> bytes:
        when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = f"<{PRIORITY}>1 {when} {self._host} numbering {os.getpid()} {MESSAGE_ID} - "
        return head.encode() + BYTE_ORDER_MARK + message.encode()

    def _run(self) -> None:
        down = False
        while not (self._closing.is_set() and self._waiting.empty()):
            try:
                data = self._waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            while not self._sent(data):
                if not down:
                    log.warning("the syslog of the audit trail does not answer; messages wait")
                down = True
                if self._closing.wait(RETRY_SECONDS):
                    return
            down = False
        self._disconnect()

    def _sent(self, data: bytes) -> bool:
        try:
            if self._socket is None:
                self._socket = self._connected()
            framed = data if self._context is None else b"%d %s" % (len(data), data)
            self._socket.sendall(framed)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:  # no datagram holds it, and the others wait behind it
                self._drop(1)
                return True
            self._disconnect()
            return False
        return True

    def _connected(self) -> socket.socket:
        place = self._repository.host, self._repository.port
        if self._context is None:
            family, _, _, _, address = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)[0]
            datagram = socket.socket(family, socket.SOCK_DGRAM)
            datagram.connect(address)
            return datagram
        plain = socket.create_connection(place, TIMEOUT_SECONDS)
        return self._context.wrap_socket(plain, server_hostname=self._repository.host)

    def _disconnect(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
        self._socket = None


def syslog(settings: Settings) -> Syslog | None:
    """The sender that the settings ask for; None when they name no repository."""
    if not settings.audit_syslog:
        return None
    repository = Repository.of(settings.audit_syslog)
    if repository.scheme == "udp":
        return Syslog(repository)
    from numbering.dicom.tls import client_context

    context = client_context(
        settings.audit_syslog_ca_file, settings.audit_syslog_certificate_file, settings.audit_syslog_key_file
    )
    return Syslog(repository, context)
