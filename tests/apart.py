"""A node in parts, as processes of their own: `receive`, `work` and `web`, a PostgreSQL and a Redis; a stub network."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from numbering.jobs.redis import redis_command, redis_url, socket_path
from numbering.jobs.store import connect
from numbering.settings import Settings
from tests.node import ROOT, RunningNode, environment_in, wait_for
from tests.postgres import temporary_postgres

START = """
import sys
from numbering.cli import app
from numbering.jobs import serve, supervisor
for command in (serve.receive, serve.work, serve.web):
    command.__kwdefaults__["program"] = (sys.executable, "-m", "tests.stub_pipeline")
supervisor.START_SECONDS = 150.0
app([sys.argv[1]])
"""
"""``numbering receive``, ``numbering work`` or ``numbering web``, with a stub for the network and much patience."""


PARTS = {"receive": "receive-1", "work": "post", "web": "web"}
"""The commands, and the room of each that is there when it is."""


class NodeInParts(RunningNode):
    """Asked and killed like a node in one piece; each room tells its own process numbers."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the parts' files say, together."""
        together: dict[str, Any] = {"rooms": {}}
        for path in self.settings.data.glob("*-*.json"):
            told = json.loads(path.read_text())
            rooms = {**together["rooms"], **told["rooms"]}
            together = {**together, **told, "rooms": rooms}
        return together


def _started(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as stderr:
        return subprocess.Popen(command, env=environment, stderr=stderr, stdout=subprocess.DEVNULL, cwd=ROOT)


@contextmanager
def running_apart(folder: Path, **settings: Any) -> Iterator[NodeInParts]:
    """Start PostgreSQL, Redis and the three rooms with their data in this folder; all are stopped, whatever happens."""
    with ExitStack() as stack:
        url = stack.enter_context(temporary_postgres())
        broker = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="numbering-redis-")))
        redis = _started(redis_command(broker), {}, folder / "redis.log")
        stack.callback(_stop, [redis])
        wait_for(socket_path(broker).exists, "Redis's socket")
        options = {
            "data": folder / "data",
            "database_url": url,
            "broker_url": redis_url(broker),
            "port": 0,
            "acceptors": 1,
            "quiet_seconds": 0.3,
            "sweep_seconds": 0.2,
            "delivery_retry_seconds": 0.2,
        }
        chosen = Settings(**{**options, **settings})
        environment = environment_in(folder, chosen)
        log = folder / "node.log"
        python = [sys.executable, "-c", START]
        parts: list[subprocess.Popen[bytes]] = []
        stack.callback(_stop, parts)
        node = NodeInParts(chosen, redis, connect(chosen.sqlalchemy_url), log, folder / "runs.txt")
        stack.callback(node.engine.dispose)
        for part, room in PARTS.items():
            if room != "web" or chosen.web_port:
                parts.append(_started([*python, part], environment, log))
                try:
                    wait_for(lambda room=room: room in node.facts["rooms"], part, seconds=160)  # type: ignore[misc]
                except AssertionError as error:
                    raise AssertionError(log.read_text()) from error
        yield node


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
