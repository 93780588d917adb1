"""Fuzzing of everything that takes bytes from strangers: the receiver over a socket, STOW-RS, the readers.

    python benchmarks/fuzz.py [--core-hours 2] [--targets read,pixels,…] [--lanes 2] [--state DIR] [--data DIR]

Targets take turns of a minute, each in a process of its own whose CPU time, memory and executions are counted. The
readers are fuzzed coverage-guided (atheris), the network targets by structured examples (Hypothesis). Seeds are
simulated films in every transfer syntax, and the small files below ``--data`` if given. Progress, corpora and failures
lie in ``--state``: stopped at any time, it goes on from there. ``--report`` only tells what was done so far.

Prints a table and one line of JSON; exit code 1 when anything was found. A failure is the smallest input of its kind
in ``STATE/crashes`` (an exception or a broken promise) or ``STATE/native`` (a signal, too much memory or time).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from benchmarks.faults.corpus import seeds

GUIDED = ("read", "pixels", "part10", "same", "header")
STRUCTURED = ("receiver", "stow")
TURN_SECONDS = 60
GRACE_SECONDS = 1800
"""At idle priority on a busy machine a turn may come to a standstill."""
EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


@dataclass
class Tally:
    """What one target has had so far."""

    cpu_seconds: float = 0.0
    executions: int = 0
    turns: int = 0
    peak_mib: float = 0.0
    broken_turns: int = 0


@dataclass
class Progress:
    """All tallies, kept in a file after each turn."""

    file: Path
    tallies: dict[str, Tally] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, file: Path) -> Progress:
        """What the file says, or nothing yet."""
        told = json.loads(file.read_text()) if file.exists() else {}
        return cls(file, {name: Tally(**tally) for name, tally in told.items()})

    def add(self, target: str, cpu_seconds: float, executions: int, mib: float, *, broken: bool) -> None:
        """Count a turn that is over."""
        with self.lock:
            self.running.discard(target)
            tally = self.tallies.setdefault(target, Tally())
            tally.cpu_seconds += cpu_seconds
            tally.executions += executions
            tally.turns += 1
            tally.peak_mib = max(tally.peak_mib, mib)
            tally.broken_turns += broken
            part = self.file.with_suffix(".part")
            part.write_text(json.dumps({name: asdict(each) for name, each in self.tallies.items()}, indent=1))
            part.replace(self.file)

    @property
    def core_hours(self) -> float:
        """CPU time of all targets together."""
        return sum(tally.cpu_seconds for tally in self.tallies.values()) / 3600

    def next_of(self, targets: list[str]) -> str:
        """The target that had the least CPU time, of those that are not running if there are any."""
        with self.lock:
            idle = [name for name in targets if name not in self.running]
            chosen = min(idle or targets, key=lambda name: self.tallies.get(name, Tally()).cpu_seconds)
            self.running.add(chosen)
            return chosen


def plant(state: Path, odd: Path | None) -> None:
    """Write the seeds, once."""
    folder = state / "seeds"
    if folder.exists():
        return
    part = Path(tempfile.mkdtemp(dir=state))
    for number, (name, data) in enumerate(seeds(odd)):
        (part / f"{number:03d}-{re.sub('[^A-Za-z0-9.-]', '_', name)}").write_bytes(data)
    part.rename(folder)


def turn(target: str, state: Path, seconds: int, progress: Progress) -> None:
    """One turn of one target in a process of its own."""
    (state / "corpus" / target).mkdir(parents=True, exist_ok=True)
    (state / "logs").mkdir(exist_ok=True)
    seed = random.SystemRandom().randrange(1, 2**31)
    module = "benchmarks.faults.guided" if target in GUIDED else "benchmarks.faults.structured"
    command = [sys.executable, "-m", module, target, str(state), str(seconds), str(seed)]
    log = state / "logs" / f"{target}-{time.time_ns()}.log"
    shared_memory = Path("/dev/shm")
    scratch = tempfile.mkdtemp(prefix="numbering-fuzz-", dir=shared_memory if shared_memory.is_dir() else None)
    with log.open("wb") as told:
        environment = {**os.environ, "TMPDIR": scratch}
        child = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=told, stderr=subprocess.STDOUT)
        late = threading.Timer(seconds + GRACE_SECONDS, child.kill)
        late.start()
        _, status, usage = os.wait4(child.pid, 0)
        late.cancel()
    shutil.rmtree(scratch, ignore_errors=True)
    child.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    executions = int(found.group(1)) if (found := EXECUTIONS.search(text)) else 0
    cpu = usage.ru_utime + usage.ru_stime
    progress.add(target, cpu, executions, usage.ru_maxrss / 1024, broken=child.returncode != 0)
    print(
        f"{target:<10}{cpu:8.1f} s CPU{executions:9d} executions  exit {child.returncode}  seed {seed}  "
        f"{progress.core_hours:.3f} core-hours",
        file=sys.stderr,
        flush=True,
    )
    if child.returncode == 0:
        log.unlink()


def lane(targets: list[str], state: Path, core_hours: float, progress: Progress) -> None:
    """Take turns until all has been spent."""
    while progress.core_hours < core_hours:
        turn(progress.next_of(targets), state, TURN_SECONDS, progress)


def failures(state: Path) -> Iterator[str]:
    """What was found."""
    for folder in ("crashes", "native"):
        yield from sorted(path.name for path in (state / folder).glob("*") if not path.name.startswith("."))


def show(progress: Progress, found: list[str]) -> None:
    """The table and its JSON."""
    print(f"{'target':<12}{'CPU s':>9}{'executions':>12}{'turns':>7}{'broken':>8}{'peak MiB':>10}")
    for name, tally in sorted(progress.tallies.items()):
        print(
            f"{name:<12}{tally.cpu_seconds:>9.0f}{tally.executions:>12}{tally.turns:>7}{tally.broken_turns:>8}"
            f"{tally.peak_mib:>10.0f}"
        )
    print(f"\n{progress.core_hours:.2f} core-hours; found: {', '.join(found) or 'nothing'}\n")
    tallies = {name: asdict(tally) for name, tally in progress.tallies.items()}
    told = {"benchmark": "fuzz", "core_hours": round(progress.core_hours, 3), "targets": tallies, "found": found}
    print(json.dumps(told))


def main() -> int:
    """Fuzz, tell."""
    options = argparse.ArgumentParser(description="Fuzz the receiver, STOW-RS and the readers.")
    options.add_argument("--core-hours", type=float, default=2.0, help="CPU time in all, earlier runs included")
    options.add_argument("--targets", default=",".join((*GUIDED, *STRUCTURED)))
    options.add_argument("--lanes", type=int, default=2, help="targets at once")
    options.add_argument("--state", type=Path, default=Path(tempfile.gettempdir()) / "numbering-fuzz")
    options.add_argument("--data", type=Path, help="folder of further DICOM files to begin from")
    options.add_argument("--report", action="store_true", help="only tell what was done so far")
    chosen = options.parse_args()
    chosen.state.mkdir(parents=True, exist_ok=True)
    progress = Progress.of(chosen.state / "progress.json")
    if not chosen.report:
        plant(chosen.state, chosen.data)
        targets = chosen.targets.split(",")
        lanes = [
            threading.Thread(target=lane, args=(targets, chosen.state, chosen.core_hours, progress), daemon=True)
            for _ in range(chosen.lanes)
        ]
        for each in lanes:
            each.start()
        for each in lanes:
            each.join()
    found = list(failures(chosen.state))
    show(progress, found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
