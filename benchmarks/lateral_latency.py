"""How long a lateral film takes in each step, and how much memory, for both sizes of the networks.

    python benchmarks/lateral_latency.py [--sizes small paper] [--threads 0] [--runs 10] [--weights FILE]

Each size runs in a process of its own, so that its memory is its own. The networks are freshly initialised unless
``--weights`` gives a file of the small size: how long they take does not depend on what they have learnt; how many
bodies step II looks at does, so its time is given for one vertebra and for the nine of a lumbar film, as they are and
mirrored. OpenVINO on the CPU in f32, as a node runs it, one film at a time.

Prints a table and one line of JSON. Times are wall-clock milliseconds on this machine, with all that else runs on it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from numbering.weights import Entry, WeightsFile, sha256_of

LUMBAR_FILM = (2867, 2333)
"""Rows and columns of a lumbar film of 430 × 350 mm at 0.15 mm."""
VERTEBRAE = 9
SEED = 11


def fresh(size_name: str, folder: Path) -> Path:
    """Networks of a size that have learnt nothing, as training would write them."""
    import torch

    from numbering.pipelines.network_files import save
    from numbering.pipelines.sagittal_xray.model.networks import build
    from numbering.pipelines.sagittal_xray.sizes import SIZES

    torch.manual_seed(SEED)
    states = {name: network.state_dict() for name, network in build(SIZES[size_name]).items()}
    return save(states, folder / f"{size_name}.safetensors", {"size": size_name})


def entry_of(weights: Path, size_name: str) -> Entry:
    """An entry with an IR of each network beside the weights."""
    from numbering.pipelines.sagittal_xray.model.export import export_openvino
    from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint

    def file(path: Path) -> WeightsFile:
        return WeightsFile(file=str(path.resolve()), sha256=sha256_of(path), licence="-", trained_on="nothing")

    converted = export_openvino(weights, weights.with_suffix(""))
    return Entry(
        name="sagittal-xray", version="0", architecture=size_name, classes=(), torch=file(weights),
        openvino={name: (file(xml), file(binary)) for name, (xml, binary) in converted.items()},
        operating_point=asdict(OperatingPoint()), trained_on="", training_command="", intended_use="", limitations=(),
        figures={},
    )  # fmt: skip


def timed(call: Callable[[], object], runs: int) -> dict[str, float]:
    """Milliseconds p50 and p95 after one run that warms up."""
    call()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}


def measure(entry_file: Path, threads: int, runs: int) -> dict[str, Any]:
    """All steps of one size, in this process."""
    from numbering.pipelines.sagittal_xray.model.preprocess import crop, whole
    from numbering.pipelines.sagittal_xray.pipeline import SagittalXray
    from numbering.study import Radiograph

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    pipeline = SagittalXray("cpu", threads, entry=Entry.model_validate_json(entry_file.read_text()))
    loading = time.perf_counter() - started
    networks, size = pipeline.reader.eyes.networks, pipeline.reader.eyes.size  # type: ignore[attr-defined]
    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[: LUMBAR_FILM[0], : LUMBAR_FILM[1]]
    pixels = (np.hypot(x - 1200, y - 1400) + rng.normal(0, 20, LUMBAR_FILM)).astype(np.float32)
    film = Radiograph(sop_instance_uid="1.2.3", frame=None, pixels=pixels)
    body = np.array([[1100.0, 1300], [1350, 1300], [1350, 1480], [1100, 1480]])
    canvas, (one, _) = whole(pixels, size)[0], crop(pixels, body, size)
    many = np.repeat(one[None], 2 * VERTEBRAE, 0) + rng.normal(0, 1e-3, (2 * VERTEBRAE, 1, 1)).astype(np.float32)

    def step_one() -> object:
        """Another picture each time: the runtime remembers the last."""
        image = canvas[None] + np.float32(rng.normal(0, 1e-3))
        return networks.levels(image), networks.corners(image)

    steps = {
        "film to canvas": timed(lambda: whole(pixels, size), runs),
        "step I, one look": timed(step_one, runs),
        "film to crop": timed(lambda: crop(pixels, body, size), runs),
        "step II, one vertebra": timed(lambda: networks.refine(one[None] + np.float32(rng.normal(0, 1e-3))), runs),
        "step II, lumbar film": timed(
            lambda: networks.refine(many + np.float32(rng.normal(0, 1e-3))), max(3, runs // 3)
        ),
        "whole film": timed(lambda: pipeline.number([film]), max(3, runs // 3)),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "canvas": list(canvas.shape),
        "crop": list(one.shape),
        "loading_ms": round(1000 * loading, 1),
        "steps_ms": steps,
        "memory_mib": {"before": round(before / 1024), "peak": round(peak / 1024)},
        "runtime": pipeline.identity.runtime,
    }


def in_a_process(entry: Entry, folder: Path, threads: int, runs: int) -> dict[str, Any]:
    """`measure` where nothing else has taken memory."""
    file = folder / "entry.json"
    file.write_text(entry.model_dump_json())
    command = [sys.executable, __file__, "--entry", str(file), "--threads", str(threads), "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def show(sizes: dict[str, dict[str, Any]]) -> None:
    """A row for each step."""
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; film of {LUMBAR_FILM[0]} x {LUMBAR_FILM[1]}")
    for name, found in sizes.items():
        memory = found["memory_mib"]
        print(f"\n{name}: canvas {found['canvas']}, crop {found['crop']}, {found['runtime']}, loading "
              f"{found['loading_ms']} ms, memory {memory['before']} MiB before, {memory['peak']} MiB peak")  # fmt: skip
        for step, figures in found["steps_ms"].items():
            print(f"  {step:<24}{figures['p50']:>9}{figures['p95']:>9}")


def main() -> None:
    """Measure, print."""
    options = argparse.ArgumentParser(description="Milliseconds and memory of each step of the lateral pipeline.")
    options.add_argument("--sizes", nargs="+", default=["small", "paper"])
    options.add_argument("--threads", type=int, default=0, help="CPU threads of the networks; 0: all")
    options.add_argument("--runs", type=int, default=10)
    options.add_argument("--weights", type=Path, help="safetensors of the small size")
    options.add_argument("--entry", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.entry:
        print(json.dumps(measure(chosen.entry, chosen.threads, chosen.runs)))
        return
    sizes = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in chosen.sizes:
            weights = folder / f"{name}.safetensors"
            if name == "small" and chosen.weights:
                shutil.copyfile(chosen.weights, weights)
            else:
                fresh(name, folder)
            sizes[name] = in_a_process(entry_of(weights, name), folder, chosen.threads, chosen.runs)
    show(sizes)
    print(json.dumps({"benchmark": "lateral_latency", "sizes": sizes}))


if __name__ == "__main__":
    main()
