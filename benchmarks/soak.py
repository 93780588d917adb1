"""Films at a steady rate for half an hour, rooms started again in between: nothing lost, latency and memory stable.

    python benchmarks/soak.py [--minutes 30] [--rate 1] [--restart 120] [--stub] [--seed N]

A real node (SQLite, its own Redis, the small weights on the CPU) receives simulated films, each a study of its own, and
delivers to a real Orthanc. Every ``--restart`` seconds one room in turn is told to end (SIGTERM) and started again by
its supervisor. Latency is from the answer to the C-STORE to the delivery of the last object, less the quiet time.
Prints p50 and p95 for each window of five minutes, memory of each process for each minute and the reckoning by UID,
and one line of JSON; exit code 1 when a UID is not as it must be. With ``--stub`` the network is the tests' stub.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from sqlalchemy import Engine, func, select

from benchmarks.faults.backends import families
from benchmarks.faults.count import finished, reckon
from benchmarks.faults.modality import Modality, as_new_study
from numbering.jobs.models import Delivery, Job
from numbering.jobs.serve import environment_of
from numbering.jobs.store import connect, reading
from numbering.phantom.generate import generate
from numbering.settings import Settings
from tests.archive import free_port, running_archive

WINDOW_SECONDS = 300.0
MINUTE = 60.0
SETTLE_SECONDS = 180.0
START_SECONDS = 60.0
RESTARTED = ("infer", "post", "receive", "assemble", "redis")
SERVE = """
import sys
from numbering.jobs.serve import serve
from numbering.settings import settings
serve(settings(){program})
"""


@dataclass
class Soak:
    """A node under a steady rain of films."""

    settings: Settings
    engine: Engine
    process: subprocess.Popen[bytes]
    memory_mib: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    restarts: int = 0

    def rooms(self) -> dict[str, int]:
        """Process of each room that runs."""
        facts = json.loads((self.settings.data / "serve.json").read_text())
        return {"supervisor": self.process.pid, **{name: pid for name, pid in facts["rooms"].items() if pid}}

    def restart(self, kind: str) -> None:
        """Tell the rooms of this kind to end; their supervisor starts them again."""
        for name, pid in self.rooms().items():
            if name.split("-")[0] == kind:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                self.restarts += 1
                print(f"told {name} ({pid}) to end", file=sys.stderr, flush=True)

    def weigh(self) -> None:
        """Note the resident memory of each room, with all below it."""
        for name, pid in self.rooms().items():
            pids = [pid] if name == "supervisor" else families([pid])
            self.memory_mib[name].append(round(sum(map(resident_mib, pids)), 1))

    def watch(self, stopping: threading.Event, every_seconds: float) -> None:
        """Weigh each minute, restart a room now and then."""
        began = time.monotonic()
        minute, turn = 0, 0
        while not stopping.wait(1.0):
            elapsed = time.monotonic() - began
            if elapsed >= minute * MINUTE:
                with suppress(FileNotFoundError, ValueError):
                    self.weigh()
                minute += 1
            if every_seconds and elapsed >= (turn + 1) * every_seconds:
                with suppress(FileNotFoundError, ValueError):
                    self.restart(RESTARTED[turn % len(RESTARTED)])
                turn += 1


def resident_mib(pid: int) -> float:
    """Resident memory; 0 when it has just ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found.group(1)) / 1024 if found else 0.0


def latencies(engine: Engine, modality: Modality, quiet_seconds: float) -> list[tuple[float, float]]:
    """(when it was sent, seconds from its answer to its last delivery less the quiet time) of each delivered film."""
    with reading(engine) as session:
        query = select(Job.study_uid, func.max(Delivery.changed_at)).join(Delivery).group_by(Job.study_uid)
        last = {study: at.timestamp() for study, at in session.execute(query)}
    sent = {film.study_uid: film.at for film in modality.sent}
    return sorted((at, last[study] - at - quiet_seconds) for study, at in sent.items() if study in last)


def windows(measured: list[tuple[float, float]]) -> list[dict[str, float]]:
    """p50 and p95 in seconds of each window of five minutes."""
    if not measured:
        return []
    first = measured[0][0]
    grouped: dict[int, list[float]] = defaultdict(list)
    for at, seconds in measured:
        grouped[int((at - first) // WINDOW_SECONDS)].append(seconds)
    return [
        {"films": len(group), **{f"p{rank}": round(float(np.percentile(group, rank)), 3) for rank in (50, 95)}}
        for _, group in sorted(grouped.items())
    ]


def films(folder: Path, seed: int) -> list[Dataset]:
    """A few simulated films to send again and again."""
    patients = generate(folder, seed=seed, count=4, anomaly="none")
    return [dcmread(path) for patient in patients for path in sorted(patient.rglob("*.dcm"))[:1]]


def rain(modality: Modality, kinds: list[Dataset], minutes: float, rate: float, chance: random.Random) -> None:
    """Give a film every 1/rate seconds."""
    began = time.monotonic()
    for number in range(round(minutes * 60 * rate)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        modality.give(as_new_study(chance.choice(kinds)))


def started(settings: Settings, stub: bool, log: Path) -> subprocess.Popen[bytes]:
    """The node, once it serves."""
    program = ', program=(sys.executable, "-m", "tests.stub_pipeline")' if stub else ""
    environment = environment_of(settings)
    del environment["NUMBERING_PARENT_PID"]
    checkout = Path(__file__).resolve().parent.parent
    environment["PYTHONPATH"] = str(checkout)
    with log.open("wb") as stderr:
        command = [sys.executable, "-c", SERVE.format(program=program)]
        process = subprocess.Popen(command, env=environment, stderr=stderr, cwd=checkout)
    deadline = time.monotonic() + START_SECONDS
    while not (settings.data / "serve.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the node did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)
    return process


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Soak; the figures."""
    kinds = films(folder / "films", options.seed)
    settings = Settings(data=folder / "data", port=free_port(), quiet_seconds=1.0, device="cpu", web_port=0)
    with running_archive(folder / "archive", {settings.ae_title: settings.port}) as archive:
        settings = settings.model_copy(update={"archive": archive.destination})
        log = folder / "node.log"
        process = started(settings, options.stub, log)
        engine = connect(settings.sqlalchemy_url)
        soak, stopping = Soak(settings, engine, process), threading.Event()
        watcher = threading.Thread(target=soak.watch, args=(stopping, options.restart), daemon=True)
        modality = Modality(settings.port, associations=2)
        try:
            modality.start()
            watcher.start()
            rain(modality, kinds, options.minutes, options.rate, random.Random(options.seed))
            modality.stop()
            deadline = time.monotonic() + SETTLE_SECONDS
            while finished(engine, modality.sent) < len(modality.sent) and time.monotonic() < deadline:
                time.sleep(0.5)
            stopping.set()
            watcher.join()
            found = reckon(settings.spool, engine, archive, modality.sent)
            measured = latencies(engine, modality, settings.quiet_seconds)
        finally:
            stopping.set()
            engine.dispose()
            process.terminate()
            process.wait(60)
        told = log.read_text(errors="replace")
    return {
        "benchmark": "soak",
        "seed": options.seed,
        "minutes": options.minutes,
        "rate": options.rate,
        "network": "stub" if options.stub else "ap-xray",
        "films": found.films,
        "objects": found.objects,
        "restarts": soak.restarts,
        "windows_s": windows(measured),
        "memory_mib": dict(soak.memory_mib),
        "tracebacks": told.count("Traceback"),
        "faults": found.faults,
        "differences": {key: value for key, value in asdict(found).items() if isinstance(value, list) and value},
    }


def show(figures: dict[str, Any]) -> None:
    """Tables."""
    print(
        f"{figures['films']} films at {figures['rate']}/s, {figures['objects']} objects, {figures['restarts']} restarts"
    )
    print(f"UIDs that are not as they must be: {figures['faults']}; tracebacks in the log: {figures['tracebacks']}\n")
    print(f"{'minutes':<10}{'films':>7}{'p50 s':>9}{'p95 s':>9}")
    for number, window in enumerate(figures["windows_s"]):
        print(f"{5 * number:>3}-{5 * number + 5:<6}{window['films']:>7}{window['p50']:>9.2f}{window['p95']:>9.2f}")
    print(f"\n{'memory, MiB':<16}{'first':>8}{'median':>8}{'most':>8}{'last':>8}")
    for name, values in sorted(figures["memory_mib"].items()):
        print(f"{name:<16}{values[0]:>8.0f}{np.median(values):>8.0f}{max(values):>8.0f}{values[-1]:>8.0f}")
    print()


def main() -> int:
    """Soak, tell."""
    options = argparse.ArgumentParser(description="A steady rain of films, with restarts in between.")
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--rate", type=float, default=1.0, help="films a second")
    options.add_argument("--restart", type=float, default=120.0, help="seconds between two restarts; 0: none")
    options.add_argument("--stub", action="store_true", help="a stub in the network's place")
    options.add_argument("--seed", type=int, default=11)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="numbering-soak-") as folder:
        figures = run(chosen, Path(folder))
    show(figures)
    print(json.dumps(figures))
    return int(bool(figures["faults"] or figures["tracebacks"]))


if __name__ == "__main__":
    sys.exit(main())
