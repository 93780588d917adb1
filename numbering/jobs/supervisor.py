"""Processes that are started, started again when they die, and stopped together.

A room that dies is started again, at once the first time and then ever more slowly. Should the supervisor itself be
killed, the kernel takes its children down (`numbering.jobs.rooms.die_with_parent`).
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numbering import logs
from numbering.settings import Settings

PROGRAM = (sys.executable, "-m", "numbering.jobs.rooms")
"""The command that runs a room, the room's name still to be added."""
READY_FD, ROOM = "NUMBERING_READY_FD", "NUMBERING_ROOM"
"""Where a room writes its name once it takes work, and that name (`tell_ready`)."""

TICK_SECONDS = 0.1
STEADY_SECONDS = 30.0
"""A room that ran for this long is taken to be well again."""
LONGEST_PAUSE_SECONDS = 30.0
START_SECONDS = 30.0
STOP_SECONDS = 12.0
"""A room that has not ended after SIGTERM for this long is killed; its work is taken up at the next start."""

log = logs.logger(__name__)


class CannotStart(RuntimeError):
    """A part of the node did not come up."""


@dataclass
class Room:
    """One supervised process."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    descriptors: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(
            [*self.command, self.name],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=self.descriptors,
        )
        self.started = time.monotonic()

    def mend(self) -> bool:
        """Start the process again if it died and its pause is over; whether anything changed."""
        if self.process is None:
            if time.monotonic() < self.again_at:
                return False
            try:
                self.start()
            except OSError as error:  # no memory or no process left: the others go on
                log.error("a room cannot be started", room=self.name, error=error, after_seconds=self._pause())
                return False
            return True
        code = self.process.poll()
        if code is None:
            return False
        if time.monotonic() - self.started >= STEADY_SECONDS:
            self.deaths = 0
        self.process = None
        log.warning("a room died and is started again", room=self.name, exit_code=code, after_seconds=self._pause())
        return self.mend()

    def _pause(self) -> float:
        """Wait before the next start, ever longer; how long."""
        self.deaths += 1
        pause = 0.0 if self.deaths == 1 else min(0.5 * 2.0 ** min(self.deaths - 2, 10), LONGEST_PAUSE_SECONDS)
        self.again_at = time.monotonic() + pause
        return pause

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
    """The rooms of one command. ``told`` is the file that says which processes run, for tools on this machine."""

    settings: Settings
    told: Path
    program: Sequence[str] = PROGRAM
    rooms: list[Room] = field(default_factory=list, init=False)
    facts: dict[str, Any] = field(default_factory=dict, init=False)
    stopping: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self._ready, self._telling = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def open(self, name: str, descriptors: Sequence[int] = (), **environment: str) -> None:
        """Start a room, with descriptors that it inherits and variables that it gets beside the settings."""
        told = {READY_FD: str(self._telling), ROOM: name, **environment}
        room = Room(name, self.program, environment_of(self.settings) | told, (*descriptors, self._telling))
        self.rooms.append(room)
        room.start()

    def wait_until_ready(self, names: Sequence[str]) -> None:
        """Wait until each of these rooms takes work; `CannotStart` when one does not come up."""
        waiting = set(names)
        deadline = time.monotonic() + START_SECONDS
        while waiting and not self.stopping.is_set():
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{', '.join(sorted(waiting))}: not ready after {START_SECONDS:g} s; the log above says why"
                )
            if select.select([self._ready], [], [], TICK_SECONDS)[0]:
                waiting -= set(os.read(self._ready, 65536).decode().split())
            self.mend()

    def mend(self) -> None:
        """Start again what died."""
        changed = [room for room in self.rooms if room.mend()]
        if changed and self.told.exists():
            self.tell()

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
        self.told.unlink(missing_ok=True)
        for descriptor in (self._ready, self._telling):
            os.close(descriptor)

    def tell(self) -> None:
        """Write the file of addresses and process numbers."""
        facts = {"pid": os.getpid(), **self.facts, "rooms": {room.name: room.pid for room in self.rooms}}
        part = self.told.with_suffix(".json.part")
        part.write_text(json.dumps(facts, indent=1))
        part.replace(self.told)


def tell_ready() -> None:
    """Tell the supervisor, if there is one, that this room takes work."""
    descriptor = os.environ.get(READY_FD)
    if descriptor:
        with suppress(BlockingIOError):  # nobody has read for long, so nobody waits
            os.write(int(descriptor), f"{os.environ[ROOM]}\n".encode())


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives a child process these very settings, and tells it who its parent is."""
    plain = settings.model_dump(mode="json")
    ours = {
        f"NUMBERING_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in plain.items()
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERING_")}
    return {**kept, **ours, "NUMBERING_PARENT_PID": str(os.getpid())}
