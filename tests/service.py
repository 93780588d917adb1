"""A real node for tests and benchmarks: its own processes, data folder and ports; stopped by SIGTERM.

Run as a program (``python -m tests.service [ROOM PROGRAM...]``) it is the node; settings come from the environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numbering.jobs.overview import Row, overview, waiting
from numbering.jobs.serve import PROGRAM, environment_of, serve
from numbering.jobs.store import connect
from numbering.settings import Settings

NODE_AE_TITLE = "NUMBERING"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
CHECKOUT = Path(__file__).resolve().parent.parent


class NodeError(RuntimeError):
    """The node did not start, or ended; the message ends with its log."""


@dataclass(frozen=True, kw_only=True)
class RunningNode:
    """A node that answers on its DICOM port."""

    settings: Settings
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def destination(self) -> str:
        """The node as ``AET@HOST:PORT``."""
        return f"{self.settings.ae_title}@{self.settings.host}:{self.settings.port}"

    def log(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON objects."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def rows(self) -> list[Row]:
        """What it has done and still does."""
        engine = connect(self.settings.sqlalchemy_url)
        try:
            return overview(engine)
        finally:
            engine.dispose()

    def wait_until_idle(self, *, jobs: int, seconds: float) -> list[Row]:
        """Its rows, once there are at least so many and nothing is still to come; else `TimeoutError`."""
        deadline = time.monotonic() + seconds
        while len(rows := self.rows()) < jobs or waiting(rows):
            if self.process.poll() is not None:
                raise NodeError(f"the node ended ({self.process.returncode}): {_end_of(self.log_file)}")
            if time.monotonic() > deadline:
                states = [(row.state, row.status, row.reason) for row in rows]
                raise TimeoutError(f"after {seconds:g} s: {states}; log: {_end_of(self.log_file)}")
            time.sleep(0.05)
        return rows


def _end_of(log_file: Path) -> str:
    return log_file.read_text(errors="replace")[-3000:]


def _environment(settings: Settings) -> dict[str, str]:
    environment = environment_of(settings)
    del environment["NUMBERING_PARENT_PID"]
    return environment


@contextmanager
def running_node(data: Path, *, program: Sequence[str] = PROGRAM, **settings: Any) -> Iterator[RunningNode]:
    """Start a node in `data` with these settings, and stop it at the end; `NodeError` when it does not come up.

    `program` runs a room, as in `numbering.jobs.serve`.
    """
    data.mkdir(parents=True, exist_ok=True)
    meant = Settings(**{"data": data, "ae_title": NODE_AE_TITLE, "web_port": 0, **settings})
    log_file = data / "node.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.service", *program],
            env=_environment(meant),
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
        )
    node = RunningNode(settings=meant, process=process, log_file=log_file)
    try:
        _wait_until_up(node)
        yield node
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(node: RunningNode) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (node.settings.data / "ready").exists():
        if node.process.poll() is not None or time.monotonic() > deadline:
            raise NodeError(f"the node did not start: {_end_of(node.log_file)}")
        time.sleep(0.05)


def main() -> None:
    """Be the node."""
    from numbering import logs
    from numbering.settings import settings

    logs.configure(settings().log_level)
    mark = settings().data / "ready"
    mark.unlink(missing_ok=True)
    serve(settings(), ready=lambda _: mark.touch(), program=sys.argv[1:] or PROGRAM)


if __name__ == "__main__":
    main()
