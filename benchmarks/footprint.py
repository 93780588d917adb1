"""What a node takes of a machine: memory of each room at rest and after films, CPU seconds and disk for each film.

    python benchmarks/footprint.py [--films 24]

A real node (its own processes, Redis, SQLite) numbers simulated films, each a study of its own, sent in one go; results
stay in its data folder. Memory is the proportional set size (PSS: shared pages are shared out), CPU time that of each
room's processes, both from /proc. The first film, which loads the model, is not counted. `docs/sizing.md` reckons with
these figures.

Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.latency import new_study
from numbering.dicom.outgoing.deliver import Destination, Outcome, send
from numbering.phantom.generate import generate
from tests.archive import free_port
from tests.service import RunningNode, running_node

SEED = 11
PATIENCE_SECONDS = 600.0
MIB = 2**20
FOLDERS = {"received": "spool", "written": "objects", "database": "numbering.db*", "audit": "audit"}


def rooms(node: RunningNode) -> dict[str, list[int]]:
    """Process numbers of each room, those that it started included."""
    told: dict[str, int] = json.loads((node.settings.data / "serve.json").read_text())["rooms"]
    return {"supervisor": [node.process.pid], **{room: _with_children(pid) for room, pid in told.items()}}


def _with_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _with_children(int(child)))]


def memory_bytes(pids: list[int]) -> int:
    """Proportional set size of these processes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of these processes, user and system."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def disk_bytes(data: Path) -> dict[str, int]:
    """Bytes on the disk by kind; a file with two names counts once, and SQLite's log is written back first."""
    with closing(sqlite3.connect(data / "numbering.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = {}
    for kind, pattern in FOLDERS.items():
        files = {}
        for path in data.glob(pattern):
            for each in path.rglob("*") if path.is_dir() else [path]:
                if each.is_file():
                    files[each.stat().st_ino] = each.stat().st_blocks * 512
        found[kind] = sum(files.values())
    return found


def measured(node: RunningNode, films: list[Path]) -> dict[str, Any]:
    """Send all but the first film in one go, and say what that took."""
    _number(node, films[:1], jobs=1)
    there = rooms(node)
    before = {room: cpu_seconds(pids) for room, pids in there.items()}
    rest = {room: memory_bytes(pids) for room, pids in there.items()}
    disk = disk_bytes(node.settings.data)
    _number(node, films[1:], jobs=len(films))
    after = disk_bytes(node.settings.data)
    counted = len(films) - 1
    return {
        "films": counted,
        "film_bytes": sum(film.stat().st_size for film in films[1:]) / counted,
        "rooms": {
            room: {
                "memory_bytes_at_first": rest[room],
                "memory_bytes_at_last": memory_bytes(pids),
                "cpu_seconds_a_film": (cpu_seconds(pids) - before[room]) / counted,
            }
            for room, pids in there.items()
        },
        "disk_bytes_a_film": {kind: (after[kind] - disk[kind]) / counted for kind in FOLDERS},
    }


def _number(node: RunningNode, films: list[Path], *, jobs: int) -> None:
    sent = send(films, Destination.parse(node.destination), "MODALITY")
    refused = [one.text for one in sent if one.outcome is not Outcome.DELIVERED]
    if refused:
        raise RuntimeError(refused[0])
    node.wait_until_idle(jobs=jobs, seconds=PATIENCE_SECONDS)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=24)
    count = parser.parse_args().films
    with tempfile.TemporaryDirectory(prefix="numbering-footprint-") as name:
        folder = Path(name)
        (patient,) = generate(folder / "phantom", seed=SEED, count=1, field_of_view="whole-spine", anomaly="none")
        (simulated,) = patient.rglob("*.dcm")
        films = [new_study(simulated, folder) for _ in range(count + 1)]
        with running_node(folder / "node", quiet_seconds=0.5, port=free_port(), web_port=free_port()) as node:
            figures = measured(node, films)
    print(f"{datetime.now().astimezone():%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores\n")
    print(f"{figures['films']} films of {figures['film_bytes'] / 1e6:.1f} MB\n")
    print("| room | memory after one film, MiB | after all, MiB | CPU s a film |\n|---|---|---|---|")
    for room, told in figures["rooms"].items():
        first, last = told["memory_bytes_at_first"] / MIB, told["memory_bytes_at_last"] / MIB
        print(f"| {room} | {first:.0f} | {last:.0f} | {told['cpu_seconds_a_film']:.3f} |")
    print("\n| on the disk | MB a film |\n|---|---|")
    for kind, size in figures["disk_bytes_a_film"].items():
        print(f"| {kind} | {size / 1e6:.3f} |")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
