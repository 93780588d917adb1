"""Nodes to be killed: embedded (one supervised tree) and apart (each process by itself, Redis and PostgreSQL by URL).

The network is the tests' stub, so that the faults and not the arithmetic are what is watched.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from numbering.jobs.redis import redis_binary
from numbering.jobs.serve import environment_of
from numbering.jobs.store import connect, upgrade
from numbering.settings import Settings
from tests import stub_pipeline
from tests.archive import free_port
from tests.postgres import _binaries

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ROOMS = {"acceptor": "receive", "assembler": "assemble", "worker": "infer", "deliverer": "post", "redis": "redis"}
"""What kinds of process there are, and their rooms; PostgreSQL comes with the backend that uses one."""
START_SECONDS = 60.0
SERVE = """
import sys
from numbering.jobs import supervisor
from numbering.jobs.serve import serve
from numbering.settings import settings
supervisor.STEADY_SECONDS = 1.0  # or its pauses after so many deaths would be most of the test
serve(settings(), program=(sys.executable, "-m", "tests.stub_pipeline"))
"""


class Backend(Protocol):
    """A node that runs."""

    settings: Settings
    log: Path

    @property
    def kinds(self) -> tuple[str, ...]:
        """What may be killed."""
        ...

    def pids(self, kind: str) -> list[int]:
        """The processes of this kind that run now; none while they are being started again."""
        ...


def families(pids: Sequence[int]) -> list[int]:
    """These processes and all below them."""
    found = list(pids)
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += families([int(child) for child in below])
    return found


def strike(backend: Backend, kind: str, chance: random.Random) -> int:
    """``kill -9`` of one process of this kind; waits while none runs. Returns its number."""
    deadline = time.monotonic() + START_SECONDS
    while not (pids := backend.pids(kind)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {kind} came up within {START_SECONDS:g} s; see {backend.log}")
        time.sleep(0.05)
    pid = chance.choice(sorted(pids))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return pid


def _environment(settings: Settings, **more: str) -> dict[str, str]:
    environment = environment_of(settings)
    del environment["NUMBERING_PARENT_PID"]
    return {**environment, "PYTHONPATH": str(CHECKOUT), **more}


@dataclass
class Embedded:
    """``numbering serve``: its supervisor starts again what was killed."""

    settings: Settings
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def kinds(self) -> tuple[str, ...]:
        """See `Backend`."""
        return tuple(ROOMS)

    def pids(self, kind: str) -> list[int]:
        """See `Backend`."""
        facts = json.loads((self.settings.data / "serve.json").read_text())
        room = ROOMS[kind]
        found = [pid for name, pid in facts["rooms"].items() if pid and name.split("-")[0].startswith(room)]
        return families(found)


@contextmanager
def embedded(folder: Path, settings: Settings, seconds_a_film: float) -> Iterator[Embedded]:
    """A node with SQLite and a Redis of its own."""
    log = folder / "node.log"
    environment = _environment(settings, **{stub_pipeline.SECONDS: str(seconds_a_film)})
    with log.open("ab") as stderr:
        process = subprocess.Popen([sys.executable, "-c", SERVE], env=environment, stderr=stderr, cwd=CHECKOUT)
    try:
        _wait(lambda: (settings.data / "serve.json").exists(), log)
        yield Embedded(settings, log, process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Kept:
    """A process that is started again when it ends, as systemd does with ``Restart=always``."""

    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=CHECKOUT
            )


@dataclass
class Apart:
    """Rooms as processes by themselves, and a Redis and a PostgreSQL that they know by URL."""

    settings: Settings
    log: Path
    postgres: Path
    kept: dict[str, Kept] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def kinds(self) -> tuple[str, ...]:
        """See `Backend`."""
        return (*ROOMS, "postgresql")

    def pids(self, kind: str) -> list[int]:
        """See `Backend`. Of PostgreSQL its postmaster, or a server process of one of our connections."""
        if kind == "postgresql":
            with suppress(FileNotFoundError, ProcessLookupError, ValueError, IndexError):
                return _of_postgres(int((self.postgres / "data" / "postmaster.pid").read_text().split()[0]))
            return []
        process = self.kept[ROOMS[kind]].process
        return families([process.pid]) if process is not None and process.poll() is None else []

    def keep(self) -> None:
        """Start again what ended, until told to stop."""
        while not self.stopping.wait(0.2):
            for each in self.kept.values():
                if each.process is not None and each.process.poll() is not None:
                    each.start()


def _of_postgres(postmaster: int) -> list[int]:
    os.kill(postmaster, 0)  # ProcessLookupError when that file was left behind
    ours = []
    for pid in families([postmaster])[1:]:
        with suppress(FileNotFoundError):
            if b"numbering" in Path(f"/proc/{pid}/cmdline").read_bytes():
                ours.append(pid)
    return [postmaster, *ours]


@contextmanager
def apart(folder: Path, settings: Settings, seconds_a_film: float) -> Iterator[Apart]:
    """A node whose processes know each other by PostgreSQL and Redis alone."""
    log = folder / "node.log"
    postgres = Path(tempfile.mkdtemp(prefix="numbering-pg-", dir="/tmp"))  # its socket's path must be short
    redis_port = free_port()
    settings = settings.model_copy(
        update={
            "database_url": f"postgresql://numbering@/postgres?host={postgres}",
            "broker_url": f"redis://127.0.0.1:{redis_port}/0",
        }
    )
    backend = Apart(settings, log, postgres)
    environment = _environment(settings, **{stub_pipeline.SECONDS: str(seconds_a_film)})
    backend.kept["postgresql"] = Kept(_postgres_command(postgres), dict(os.environ), folder / "postgresql.log")
    redis_options = ["--port", str(redis_port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    redis = [redis_binary(), *redis_options, "--appendonly", "yes"]
    backend.kept["redis"] = Kept(redis, dict(os.environ), folder / "redis.log")
    for room in ("receive", "assemble", "infer", "post"):
        backend.kept[room] = Kept([sys.executable, "-m", "tests.stub_pipeline", room], environment, log)
    keeper = threading.Thread(target=backend.keep, daemon=True)
    try:
        for each in list(backend.kept.values())[:2]:
            each.start()
        _wait(lambda: (postgres / ".s.PGSQL.5432").exists(), folder / "postgresql.log")
        _upgrade(settings)
        for each in list(backend.kept.values())[2:]:
            each.start()
        keeper.start()
        yield backend
    finally:
        backend.stopping.set()
        if keeper.is_alive():
            keeper.join()
        _stop(list(reversed(backend.kept.values())))
        shutil.rmtree(postgres, ignore_errors=True)


def _upgrade(settings: Settings) -> None:
    engine = connect(settings.sqlalchemy_url)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            upgrade(engine)
        except Exception:  # PostgreSQL may still be starting
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            engine.dispose()
            return


def _postgres_command(folder: Path) -> list[str]:
    """A cluster of its own, durable as by default; the command that runs it in the foreground."""
    prefix: tuple[str, ...] = ()
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        prefix = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--")
    data = str(folder / "data")
    initialise = [*prefix, f"{_binaries()}/initdb", "-D", data, "-U", "numbering", "-A", "trust", "-E", "UTF8"]
    subprocess.run(initialise, cwd=folder, check=True, capture_output=True, timeout=60)
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
    return [*prefix, f"{_binaries()}/postgres", "-D", data, *options]


def _stop(kept: Sequence[Kept]) -> None:
    for each in kept:
        if each.process is None:
            continue
        each.process.send_signal(signal.SIGINT if "postgres" in str(each.command) else signal.SIGTERM)
        try:
            each.process.wait(30)
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()


def _wait(ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came up; the log ends:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)


BACKENDS = {"embedded": embedded, "apart": apart}
