"""The process trees of a node: all of it (``numbering serve``), or its rooms apart (``receive``, ``work``, ``web``).

``serve`` starts a Redis (unless a broker is given), brings the tables up to date, and runs each room as a process.
SIGTERM and SIGINT stop all of them. Apart, on one machine or several, the rooms meet in the database, in the broker and
in the data folder: receivers, assembler, workers and deliverers all read or write its files, so all of them need the
same folder (on several machines, a shared file system with hard links and locks, such as NFS 4).
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from numbering import logs
from numbering.dicom.incoming.acceptors import LISTEN_FD, Listening, listening
from numbering.dicom.outgoing.deliver import check
from numbering.dicom.tls import TLSFileError, server_context
from numbering.jobs.redis import redis_binary, redis_url, socket_path
from numbering.jobs.rooms import UMASK
from numbering.jobs.store import connect, upgrade
from numbering.jobs.supervisor import PROGRAM, CannotStart, Room, Supervisor, environment_of
from numbering.settings import Settings

__all__ = ["PROGRAM", "AlreadyServing", "CannotStart", "Room", "Supervisor", "environment_of", "serve"]

MOST_ACCEPTORS = 4
"""More than these are hardly faster: the disk is then what senders wait for."""

log = logs.logger(__name__)

Ready = Callable[[Supervisor], None]


class AlreadyServing(RuntimeError):
    """Another node serves this data folder: stop it, or choose another folder."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"{data}: {type(self).__doc__}")


@dataclass(frozen=True)
class Rooms:
    """Which rooms ``numbering work`` runs; no queues means those of all pipelines."""

    queues: str = ""
    infer: bool = True
    assemble: bool = True
    post: bool = True

    @property
    def names(self) -> list[str]:
        """The rooms' names."""
        chosen = {"assemble": self.assemble, "infer": self.infer, "post": self.post}
        return [name for name, wanted in chosen.items() if wanted]


@dataclass
class Node(Supervisor):
    """All rooms of a node."""

    _sockets: Listening | None = field(default=None, init=False)

    def start(self) -> None:
        """Start everything; returns when the DICOM port takes associations."""
        self._check_destinations()
        if not self.settings.broker_url:
            redis_binary()  # says what to install before anything is started
        acceptors = self._open_port()
        if not self.settings.broker_url:
            socket_path(self.settings.data).unlink(missing_ok=True)
            self.open("redis")
            self.settings = self.settings.model_copy(update={"broker_url": redis_url(self.settings.data)})
        self._open_acceptors(acceptors)  # they need no database, so senders wait for nothing else
        self.work(Rooms())
        if self.settings.web_port or self.settings.webhooks:
            self.open("web")
        self.wait_until_ready(acceptors)
        self.tell()

    def start_receiving(self) -> None:
        """Start the acceptors alone."""
        acceptors = self._open_port()
        self._open_acceptors(acceptors)
        self.wait_until_ready(acceptors)
        self.tell()

    def work(self, rooms: Rooms) -> None:
        """Bring the tables up to date and start the rooms that work."""
        self.bring_up_to_date()
        for name in rooms.names:
            self.open(name, NUMBERING_QUEUES=rooms.queues if name == "infer" else "")

    def bring_up_to_date(self) -> None:
        """Make the tables those of this version."""
        engine = connect(self.settings.sqlalchemy_url)
        upgrade(engine)
        engine.dispose()

    def start_working(self, rooms: Rooms) -> None:
        """Start some of the rooms that work."""
        self._check_destinations()
        self.work(rooms)
        self.tell()

    def start_web(self) -> None:
        """Start the web room alone."""
        self.bring_up_to_date()
        self.open("web")
        self.wait_until_ready(["web"])
        self.tell()

    def _check_destinations(self) -> None:
        for destination in self.settings.every_destination:
            check(destination.peer)  # a file that is missing stops the start, not the first delivery

    def _open_port(self) -> list[str]:
        """Open the DICOM port, which every acceptor inherits; the acceptors' names."""
        settings = self.settings
        if settings.dicom_tls_certificate_file:
            try:
                server_context(
                    settings.dicom_tls_certificate_file,
                    settings.dicom_tls_key_file,
                    settings.dicom_tls_authorities_file,
                    settings.dicom_tls_client_certificates,
                )
            except TLSFileError as error:
                raise CannotStart(str(error)) from None
        try:
            self._sockets = listening(settings)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise CannotStart(f"the DICOM port {where} cannot be opened: {error.strerror}") from None
        ports = self._sockets.ports
        port = ports.get("plain") or ports["tls"]
        self.settings = settings.model_copy(update={"port": port})
        self.facts |= {"ae_title": settings.ae_title, "host": settings.host, "port": port, "ports": ports}
        number = settings.acceptors or min(MOST_ACCEPTORS, len(os.sched_getaffinity(0)))
        return [f"receive-{one}" for one in range(1, number + 1)]

    def _open_acceptors(self, names: list[str]) -> None:
        assert self._sockets is not None
        for name in names:
            self.open(name, self._sockets.descriptors, **{LISTEN_FD: self._sockets.handed_over()})

    def stop(self) -> None:
        """Close the port, then stop every room."""
        if self._sockets is not None:
            self._sockets.close()
        super().stop()


def serve(settings: Settings, ready: Ready | None = None, *, program: Sequence[str] = PROGRAM) -> None:
    """Run a node until SIGTERM or SIGINT (or, outside the main thread, until ``Supervisor.stopping`` is set).

    ``ready`` is called once the DICOM port takes associations. `AlreadyServing` when the data folder is in use;
    `CannotStart` when a part does not come up.
    """
    _keep_private()
    with _only_one(settings.data):
        _supervise(Node(settings, settings.data / "serve.json", program), Node.start, ready)


def receive(settings: Settings, ready: Ready | None = None, *, program: Sequence[str] = PROGRAM) -> None:
    """Run the acceptors alone; they need the data folder, neither database nor broker."""
    _supervise(Node(settings, _told(settings, "receive"), program), Node.start_receiving, ready)


def work(settings: Settings, rooms: Rooms, ready: Ready | None = None, *, program: Sequence[str] = PROGRAM) -> None:
    """Run rooms that work; they need the data folder, database and broker by URL."""
    _supervise(
        Node(settings, _told(settings, "work"), program), lambda supervisor: supervisor.start_working(rooms), ready
    )


def web(settings: Settings, ready: Ready | None = None, *, program: Sequence[str] = PROGRAM) -> None:
    """Run the web room alone; it needs the data folder, database and broker by URL."""
    _supervise(Node(settings, _told(settings, "web"), program), Node.start_web, ready)


def _told(settings: Settings, command: str) -> Path:
    """Several may run over one data folder, even on several machines."""
    return settings.data / f"{command}-{socket.gethostname()}-{os.getpid()}.json"


def _keep_private() -> None:
    """What this process and its children write is nobody's else, whatever the machine's umask."""
    if threading.current_thread() is threading.main_thread():
        os.umask(UMASK)


def _supervise(node: Node, start: Callable[[Node], None], ready: Ready | None) -> None:
    _keep_private()
    node.settings.data.mkdir(parents=True, exist_ok=True)
    if threading.current_thread() is threading.main_thread():
        logs.configure(node.settings.log_level)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: node.stopping.set())
    try:
        start(node)
        log.info("the node serves", data=node.settings.data, rooms=[room.name for room in node.rooms], **node.facts)
        if ready is not None and not node.stopping.is_set():
            ready(node)
        node.run()
    finally:
        node.stop()
        log.info("the node has stopped")


@contextmanager
def _only_one(data: Path) -> Iterator[IO[str]]:
    data.mkdir(parents=True, exist_ok=True)
    with (data / "serve.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(data) from None
        yield file
