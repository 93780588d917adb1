"""Seconds and peak memory of one step after the other, each benchmark in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent.parent
Result = TypeVar("Result")


class Steps:
    """Times what it is given, step by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peak_mib: dict[str, int] = {"start": peak_mib()}

    def __call__(self, name: str, call: Callable[[], Result]) -> Result:
        """Run a step; what it gave."""
        started = time.perf_counter()
        result = call()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 3)
        self.peak_mib[name] = peak_mib()
        return result

    def figures(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "seconds": self.seconds,
            "total_seconds": round(sum(self.seconds.values()), 3),
            "peak_mib": self.peak_mib,
        }


def peak_mib() -> int:
    """The most memory that this process has held. (``ru_maxrss`` also counts who started it.)"""
    status = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024)


def in_a_process(script: str, arguments: Sequence[str]) -> dict[str, Any]:
    """The JSON that this script prints, from a process whose memory is its own."""
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def show(title: str, found: dict[str, Any]) -> None:
    """A row for each step."""
    print(f"\n{title}: {found['total_seconds']:.1f} s, {found['peak_mib'].get('start')} MiB at the start")
    for step, seconds in found["seconds"].items():
        print(f"  {step:<36}{seconds:>9.2f} s{found['peak_mib'][step]:>8} MiB peak")
