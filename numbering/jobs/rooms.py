"""The processes of a node: ``python -m numbering.jobs.rooms ROOM`` runs one of them until SIGTERM.

Settings come from the environment. Each room can run on a machine of its own when database and broker are given by URL.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from numbering import logs
from numbering.audit import trail
from numbering.jobs.supervisor import tell_ready
from numbering.metric_files import keep_in
from numbering.settings import Settings, settings

ASSEMBLE_SECONDS = 0.1
"""How often the spool is asked for arrivals."""
OUTAGE_SECONDS = 2.0
"""Wait after the database could not be reached."""

UMASK = 0o027
"""The files of a node hold patients' data: nobody else of this machine reads them."""

log = logs.logger("numbering.jobs.rooms")  # run as a program, __name__ is another


def receive(settings: Settings) -> None:
    """Take objects in until SIGTERM."""
    from numbering.dicom.incoming.receive import run_receiver

    run_receiver(settings, ready=tell_ready)


def assemble_forever(settings: Settings, stopping: threading.Event | None = None) -> None:
    """Assemble series and sweep until ``stopping`` is set (by default: until SIGTERM or SIGINT).

    One process does this for a data folder; a further one waits until that one is gone, and then takes over.
    """
    stopping = stopping or _until_signal()
    with _alone(settings.data / "assemble.lock", stopping):
        _assemble(settings, stopping)


def _assemble(settings: Settings, stopping: threading.Event) -> None:
    from numbering.jobs.assemble import take_announcements, take_arrivals
    from numbering.jobs.completion import complete_series
    from numbering.jobs.node import Node
    from numbering.jobs.prior_room import PriorRoom
    from numbering.jobs.record.identities import file_known_studies
    from numbering.jobs.retention import Retention
    from numbering.jobs.sweeper import ring, sweep
    from numbering.jobs.webhooks import Housekeeping

    node = Node.of(settings)
    priors = PriorRoom(node)
    priors.start()
    told = trail(settings)
    told.started("assemble")
    retention = Retention(node)
    notices = Housekeeping(node.engine, settings.webhooks)
    swept = -settings.sweep_seconds
    down = filed = False
    while not stopping.wait(min(ASSEMBLE_SECONDS, settings.sweep_seconds)):
        try:
            take_arrivals(node)
            take_announcements(node)
            if complete_series(node):
                ring(node)
            if time.monotonic() - swept >= settings.sweep_seconds:
                sweep(node)
                retention.clean()
                notices.keep()
                swept = time.monotonic()
            if not filed:  # last, so that a study which cannot be filed holds up nothing
                file_known_studies(node)
                filed = True
            down = False
        except Exception as error:  # noqa: BLE001 - database or disk are out of reach: nothing is lost, ask again
            if not down:
                log.error("assembling is interrupted; it goes on when the fault is mended", error=error)
            down = True
            stopping.wait(OUTAGE_SECONDS)
    priors.stop()
    told.stopped("assemble")
    node.engine.dispose()


@contextmanager
def _alone(lock: Path, stopping: threading.Event) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        while not stopping.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stopping.wait(OUTAGE_SECONDS)
            else:
                break
        yield


def work(settings: Settings, queues: str | None = None) -> None:
    """Work on jobs of these queues (comma-separated; None: all) until SIGTERM."""
    from celery.signals import setup_logging

    from numbering.jobs.app import DELIVER_QUEUE, ENCODE_QUEUE, Bell
    from numbering.jobs.lines import Lines
    from numbering.jobs.node import Node
    from numbering.jobs.tasks import register
    from numbering.pipelines import CARDS

    names = queues or ",".join([*sorted({card.queue for card in CARDS}), ENCODE_QUEUE, DELIVER_QUEUE])
    node = Node.of(settings)
    assert isinstance(node.bell, Bell)
    app = node.bell.app
    setup_logging.connect(_keep_our_log)
    lines = Lines(node)
    register(app, node, lines)
    if DELIVER_QUEUE in names.split(","):
        lines.start()
    worker = app.Worker(
        pool="solo",
        concurrency=1,
        queues=names,
        hostname=f"{names.split(',')[0]}-{os.getpid()}@%h",
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    told = trail(settings)
    told.started("work")
    try:
        worker.start()
    finally:
        lines.stop()
        told.stopped("work")


def _keep_our_log(**_: object) -> None:
    """Celery sets up no logging of its own where this is connected."""


def infer(settings: Settings) -> None:
    """Work on the pipelines' queues alone, or on those of them that the supervisor names."""
    from numbering.pipelines import CARDS

    work(settings, os.environ.get("NUMBERING_QUEUES") or ",".join(sorted({card.queue for card in CARDS})))


def post(settings: Settings) -> None:
    """Work on encoding and delivery alone."""
    from numbering.jobs.app import DELIVER_QUEUE, ENCODE_QUEUE

    work(settings, f"{ENCODE_QUEUE},{DELIVER_QUEUE}")


def web(settings: Settings) -> None:
    """Answer HTTP, and tell webhooks."""
    from numbering.web.room import run

    run(settings)


def redis(settings: Settings) -> None:
    """Become the node's own Redis."""
    from numbering.jobs.redis import redis_command

    command = redis_command(settings.data)
    die_with_parent(signal.SIGTERM)  # kept over exec: prctl(2)
    os.execv(command[0], command)


ROOMS: dict[str, Callable[[Settings], None]] = {
    "redis": redis,
    "receive": receive,
    "assemble": assemble_forever,
    "infer": infer,
    "post": post,
    "web": web,
}


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel signal this process when the one that started it is gone, however it went (prctl(2), Linux)."""
    PR_SET_PDEATHSIG = 1  # noqa: N806 - its name in linux/prctl.h
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    parent = os.environ.get("NUMBERING_PARENT_PID")
    if parent and os.getppid() != int(parent):
        sys.exit("the process that started this one is gone")


def _until_signal() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def main(room: str) -> None:
    """Run this room of a node; ``receive-2`` is the second of several that receive."""
    if os.environ.get("NUMBERING_PARENT_PID"):
        die_with_parent(signal.SIGKILL)  # every step survives that, and nothing may outlive the supervisor
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor tells us
    os.umask(UMASK)
    logs.configure(settings().log_level)
    if room != "redis":
        keep_in(settings().metrics)
    ROOMS[room.partition("-")[0]](settings())


if __name__ == "__main__":
    main(sys.argv[1])
