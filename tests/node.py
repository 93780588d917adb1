"""A real node for tests: supervisor, processes, Redis, sockets and files; only the network is a stub."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from numbering.dicom.outgoing.deliver import Destination, Outcome, send
from numbering.jobs.overview import Row, overview
from numbering.jobs.serve import environment_of
from numbering.jobs.store import connect
from numbering.settings import Settings
from tests import stub_pipeline

ROOT = Path(__file__).parent.parent
START = """
import sys
from tests.stub_pipeline import use_stub
use_stub()
from numbering.jobs.serve import serve
from numbering.settings import settings
serve(settings(), program=(sys.executable, "-m", "tests.stub_pipeline"))
"""


@dataclass
class RunningNode:
    """A node that was started as a process of its own."""

    settings: Settings
    process: subprocess.Popen[bytes]
    engine: Engine
    log: Path
    runs: Path

    @property
    def facts(self) -> dict[str, object]:
        """What ``serve.json`` says."""
        facts: dict[str, object] = json.loads((self.settings.data / "serve.json").read_text())
        return facts

    def pid(self, room: str) -> int:
        """The process that runs this room now; waits while the room is being started."""
        return wait_for(lambda: self.facts["rooms"].get(room), "a process")  # type: ignore[attr-defined, no-any-return]

    def kill(self, room: str) -> int:
        """``kill -9`` of this room; returns the process that was killed."""
        pid = self.pid(room)
        os.kill(pid, signal.SIGKILL)
        return pid

    def send(self, *paths: Path) -> None:
        """C-STORE to the node; every object must be accepted."""
        sent = send(paths, Destination("NUMBERING", "127.0.0.1", int(str(self.facts["port"]))), "TESTS")
        assert [each.outcome for each in sent] == [Outcome.DELIVERED] * len(paths), sent

    def rows(self) -> list[Row]:
        """All rows, superseded ones too."""
        return overview(self.engine, superseded=True)

    def wait_for_states(self, *states: str, seconds: float = 60) -> list[Row]:
        """Wait until the rows have exactly these states, in order."""
        wait_for(lambda: [row.state for row in self.rows()] == list(states), f"{states}", self, seconds)
        return self.rows()

    def inferences(self) -> list[tuple[str, int]]:
        """(image, process) of every time the network read a film."""
        if not self.runs.exists():
            return []
        pairs = (line.split() for line in self.runs.read_text().splitlines())
        return [(image, int(pid)) for image, pid in pairs]

    @contextmanager
    def gate(self) -> Iterator[None]:
        """While the block runs, no inference comes to its end."""
        gate = self.runs.parent / "gate"
        gate.touch()
        try:
            yield
        finally:
            gate.unlink()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


def wait_for(ask: Callable[[], object], what: str, node: RunningNode | None = None, seconds: float = 60) -> object:
    """Ask until the answer is true; after ``seconds`` fail with the node's rows and the end of its log."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError, KeyError):
            if answer := ask():
                return answer
        time.sleep(0.05)
    told = ""
    if node is not None:
        lines = node.log.read_text().splitlines()[-40:]
        told = "\n".join([*(f"{row.state} {row.status} {row.reason}" for row in node.rows()), *lines])
    raise AssertionError(f"waited {seconds:g} s for {what}\n{told}")


def processes_below(data: Path) -> set[int]:
    """Processes whose command line or environment names this data folder."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            alive = (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            if os.fsencode(data) in told and alive and int(folder.name) != os.getpid():
                found.add(int(folder.name))
    return found


def environment_in(folder: Path, settings: Settings) -> dict[str, str]:
    """The environment of a process of these settings that nobody supervises, with the stub's notes in this folder."""
    environment = environment_of(settings)
    del environment["NUMBERING_PARENT_PID"]
    return environment | {stub_pipeline.RUNS: str(folder / "runs.txt"), "PYTHONPATH": str(ROOT)}


@contextmanager
def running_node(folder: Path, **settings: object) -> Iterator[RunningNode]:
    """Start a node with its data in this folder; stopped, whatever happens."""
    data = folder / "data"
    options = {
        "data": data,
        "port": 0,
        "acceptors": 1,
        "web_port": 0,
        "quiet_seconds": 0.3,
        "sweep_seconds": 0.2,
        "delivery_retry_seconds": 0.2,
    }
    chosen = Settings(**{**options, **settings})
    environment = environment_in(folder, chosen)
    log = folder / "node.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen([sys.executable, "-c", START], env=environment, stderr=stderr, cwd=ROOT)
    node = RunningNode(chosen, process, connect(chosen.sqlalchemy_url), log, folder / "runs.txt")
    try:
        deadline = time.monotonic() + 60
        while not (data / "serve.json").exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield node
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        node.engine.dispose()
