"""``numbering serve``: one process tree that receives, assembles, numbers and delivers, and mends itself.

The supervisor starts a Redis (unless a broker is given), brings the tables up to date, and runs each room as a process.
A room that dies is started again, at once the first time and then ever more slowly. SIGTERM and SIGINT stop all of
them; should the supervisor itself be killed, the kernel takes its children down.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from numbering import logs
from numbering.dicom.deliver import Destination, Outcome, Timeouts, echo
from numbering.jobs.redis import redis_binary, redis_url, socket_path
from numbering.jobs.store import connect, upgrade
from numbering.settings import Settings

PROGRAM = (sys.executable, "-m", "numbering.jobs.rooms")
"""The command that runs a room, the room's name still to be added."""

TICK_SECONDS = 0.1
STEADY_SECONDS = 30.0
"""A room that ran for this long is taken to be well again."""
LONGEST_PAUSE_SECONDS = 30.0
START_SECONDS = 30.0
STOP_SECONDS = 12.0
"""A room that has not ended after SIGTERM for this long is killed; its work is taken up at the next start."""
PROBE = Timeouts(connection=1.0, association=2.0, message=2.0, network=2.0)

log = logs.logger(__name__)


class AlreadyServing(RuntimeError):
    """Another node serves this data folder: stop it, or choose another folder."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"{data}: {type(self).__doc__}")


class CannotStart(RuntimeError):
    """A part of the node did not come up."""


@dataclass
class Room:
    """One supervised process."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(
            [*self.command, self.name], env=self.environment, stdin=subprocess.DEVNULL, stdout=2
        )
        self.started = time.monotonic()

    def mend(self) -> bool:
        """Start the process again if it died and its pause is over; whether anything changed."""
        if self.process is None:
            if time.monotonic() < self.again_at:
                return False
            self.start()
            return True
        code = self.process.poll()
        if code is None:
            return False
        steady = time.monotonic() - self.started >= STEADY_SECONDS
        self.deaths = 1 if steady else self.deaths + 1
        pause = 0.0 if self.deaths == 1 else min(0.5 * 2.0 ** (self.deaths - 2), LONGEST_PAUSE_SECONDS)
        log.warning("a room died and is started again", room=self.name, exit_code=code, after_seconds=pause)
        self.process, self.again_at = None, time.monotonic() + pause
        return self.mend()

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return self.process.pid if self.process else None

    def stop(self, deadline: float) -> None:
        """Wait for the process, which was told to end, and kill it when it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("a room did not stop and is killed", room=self.name)
            self.process.kill()
            self.process.wait()


@dataclass
class Supervisor:
    """The rooms of one node."""

    settings: Settings
    program: Sequence[str] = PROGRAM
    rooms: list[Room] = field(default_factory=list, init=False)
    stopping: threading.Event = field(default_factory=threading.Event, init=False)

    def start(self) -> None:
        """Start everything; returns when the DICOM port answers."""
        self.settings.data.mkdir(parents=True, exist_ok=True)
        if self.settings.archive:
            Destination.parse(self.settings.archive)  # a wrong address stops the start, not the first delivery
        if not self.settings.broker_url:
            redis_binary()  # says what to install before anything is started
            socket_path(self.settings.data).unlink(missing_ok=True)
            self._open("redis")
            self.settings = self.settings.model_copy(update={"broker_url": redis_url(self.settings.data)})
        if not self.settings.port:
            self.settings = self.settings.model_copy(update={"port": _free_port(self.settings.host)})
        self._open("receive")  # needs no database, so senders wait for nothing else
        engine = connect(self.settings.sqlalchemy_url)
        upgrade(engine)
        engine.dispose()
        for name in ("assemble", "infer", "post"):
            self._open(name)
        if self.settings.web_port or self.settings.webhooks:
            self._open("web")
        self._wait_until_answering()
        self._tell()

    def _open(self, name: str) -> None:
        room = Room(name, self.program, environment_of(self.settings))
        self.rooms.append(room)
        room.start()

    def _wait_until_answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        host = "127.0.0.1" if self.settings.host in ("", "0.0.0.0") else self.settings.host
        ourselves = Destination(self.settings.ae_title, host, self.settings.port)
        while not self.stopping.is_set():
            if echo(ourselves, self.settings.ae_title, timeouts=PROBE).outcome is Outcome.DELIVERED:
                return
            if time.monotonic() > deadline:
                where = f"{self.settings.host}:{self.settings.port}"
                raise CannotStart(f"nothing answers at {where} after {START_SECONDS:g} s; the log above says why")
            self.mend()
            time.sleep(TICK_SECONDS)

    def mend(self) -> None:
        """Start again what died."""
        changed = [room for room in self.rooms if room.mend()]
        if changed:
            self._tell()

    def run(self) -> None:
        """Supervise until ``stopping`` is set."""
        while not self.stopping.wait(TICK_SECONDS):
            self.mend()

    def stop(self) -> None:
        """Stop every room, Redis last."""
        for rooms in ([r for r in self.rooms if r.name != "redis"], [r for r in self.rooms if r.name == "redis"]):
            for room in rooms:
                if room.process is not None:
                    room.process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for room in rooms:
                room.stop(deadline)
        (self.settings.data / "serve.json").unlink(missing_ok=True)

    def _tell(self) -> None:
        """Write ``serve.json``: address and process numbers, for tools on this machine."""
        facts = {
            "pid": os.getpid(),
            "ae_title": self.settings.ae_title,
            "host": self.settings.host,
            "port": self.settings.port,
            "rooms": {room.name: room.pid for room in self.rooms},
        }
        part = self.settings.data / "serve.json.part"
        part.write_text(json.dumps(facts, indent=1))
        part.replace(self.settings.data / "serve.json")


def serve(
    settings: Settings, ready: Callable[[Supervisor], None] | None = None, *, program: Sequence[str] = PROGRAM
) -> None:
    """Run a node until SIGTERM or SIGINT (or, outside the main thread, until ``Supervisor.stopping`` is set).

    ``ready`` is called once the DICOM port answers. `AlreadyServing` when the data folder is in use; `CannotStart`
    when a part does not come up.
    """
    with _only_one(settings.data):
        supervisor = Supervisor(settings, program)
        if threading.current_thread() is threading.main_thread():
            logs.configure(settings.log_level)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: supervisor.stopping.set())
        try:
            supervisor.start()
            told = supervisor.settings
            log.info("the node serves", ae_title=told.ae_title, host=told.host, port=told.port, data=told.data)
            if ready is not None and not supervisor.stopping.is_set():
                ready(supervisor)
            supervisor.run()
        finally:
            supervisor.stop()
            log.info("the node has stopped")


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives a child process these very settings, and tells it who its parent is."""
    plain = settings.model_dump(mode="json")
    ours = {
        f"NUMBERING_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in plain.items()
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERING_")}
    return {**kept, **ours, "NUMBERING_PARENT_PID": str(os.getpid())}


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def _only_one(data: Path) -> Iterator[IO[str]]:
    data.mkdir(parents=True, exist_ok=True)
    with (data / "serve.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(data) from None
        yield file
