"""How long axial MR takes: a slice through the network, a series of 40 slices in each step, and how much memory.

    python benchmarks/mr_latency.py [--sizes small paper] [--slices 40] [--runs 10] [--threads 0]

The networks are freshly initialised: how long they take does not depend on what they have learnt. Slices are 512 × 512
of noise, a block 4 mm apart, with 11 sagittal ones beside them. OpenVINO on the CPU in f32, as a node runs it, and
torch f32; each run is a process of its own. Prints a table and one line of JSON; times are wall-clock on this machine,
with all that else runs on it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from benchmarks.volumes.steps import Steps, in_a_process, show
from numbering.stack import Stack
from numbering.weights import Entry, WeightsFile, sha256_of

SIDE, PIXEL_MM, STEP_MM = 512, 0.4, 4.0
BATCHES = (1, 4, 16)
SEED = 5


def fresh(size_name: str, folder: Path) -> Entry:
    """A network that has learnt nothing, as training would write it, with its IR."""
    import torch

    from numbering.pipelines.axial_mr.classes import CLASSES
    from numbering.pipelines.axial_mr.model.export import export_openvino
    from numbering.pipelines.axial_mr.model.network import build
    from numbering.pipelines.axial_mr.operating_point import OperatingPoint
    from numbering.pipelines.axial_mr.sizes import NETWORK, SIZES
    from numbering.pipelines.network_files import save
    from numbering.pipelines.registering import as_numbers

    torch.manual_seed(SEED)
    size = SIZES[size_name]
    weights = save({NETWORK: build(size).state_dict()}, folder / f"{size_name}.safetensors", {"size": size_name})

    def file(path: Path) -> WeightsFile:
        return WeightsFile(file=str(path.resolve()), sha256=sha256_of(path), licence="-", trained_on="nothing")

    converted = export_openvino(weights, weights.with_suffix(""))
    return Entry(
        name="axial-mr", version="0", architecture=size_name, classes=CLASSES, torch=file(weights),
        openvino={name: (file(xml), file(binary)) for name, (xml, binary) in converted.items()},
        operating_point=as_numbers(OperatingPoint()), trained_on="", training_command="", intended_use="",
        limitations=(), figures={},
    )  # fmt: skip


def stacks(slices: int) -> tuple[Stack, Stack]:
    """An axial block and a sagittal one through its middle."""
    rng = np.random.default_rng(SEED)
    half = SIDE * PIXEL_MM / 2
    axial = np.array([[0, 0, PIXEL_MM, -half], [0, PIXEL_MM, 0, -half], [-STEP_MM, 0, 0, 0], [0, 0, 0, 1]])
    sagittal = np.array([[4.0, 0, 0, -20], [0, 0, PIXEL_MM, -half], [0, -PIXEL_MM, 0, 20], [0, 0, 0, 1]])
    noise = [rng.integers(0, 1500, (count, SIDE, SIDE)).astype(np.uint16) for count in (slices, 11)]
    first, second = (
        Stack.of_array(pixels, affine, modality="MR", series_uid=f"1.2.{number}")
        for number, (pixels, affine) in enumerate(zip(noise, (axial, sagittal), strict=True), 1)
    )
    return first, second


def measure(entry_file: Path, slices: int, runs: int, threads: int) -> dict[str, Any]:
    """Everything of one size and runtime, in this process."""
    step = Steps()
    from numbering.pipelines.axial_mr.model.runtime import open_network
    from numbering.pipelines.axial_mr.operating_point import OperatingPoint
    from numbering.pipelines.axial_mr.pipeline import conclude
    from numbering.pipelines.axial_mr.reading.answer import Reader
    from numbering.pipelines.axial_mr.reading.column import column
    from numbering.pipelines.axial_mr.reading.course import presumed
    from numbering.pipelines.axial_mr.reading.look import look

    entry = Entry.model_validate_json(entry_file.read_text())
    network = step("load network", lambda: open_network(entry, "cpu", threads))
    axial, sagittal = stacks(slices)
    rng = np.random.default_rng(SEED)
    side = network.size.pixels
    batches = {}
    for batch in BATCHES:
        images = rng.random((batch, side, side)).astype(np.float32)
        network.slices(images)
        timed = Steps()
        for _ in range(max(2, runs // batch)):
            timed("network", lambda images=images: network.slices(images))  # type: ignore[misc]
        batches[batch] = round(1000 * timed.seconds["network"] / (max(2, runs // batch) * batch), 1)
    step("network and windows, every slice", lambda: look(axial, network, 1.0))
    course = presumed(axial)
    assert course is not None
    step("sagittal column", lambda: column(sagittal, course, 0.0, STEP_MM * slices))
    reader = Reader(network, OperatingPoint())
    answer = step("whole series, without sagittal images", lambda: reader.answer(axial))
    step("heat maps and findings", lambda: conclude(answer))
    return step.figures() | {"ms_a_slice_by_batch": batches, "runtime": network.runtime}


def main() -> None:
    """Measure, print."""
    options = argparse.ArgumentParser(description="Milliseconds a slice, seconds and memory of a series of axial MR.")
    options.add_argument("--sizes", nargs="+", default=["small", "paper"])
    options.add_argument("--slices", type=int, default=40)
    options.add_argument("--runs", type=int, default=10)
    options.add_argument("--runtimes", nargs="+", default=["openvino", "torch"], choices=("openvino", "torch"))
    options.add_argument("--threads", type=int, default=0, help="CPU threads of the network; 0: all")
    options.add_argument("--entry", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.entry:
        print(json.dumps(measure(chosen.entry, chosen.slices, chosen.runs, chosen.threads)))
        return
    found: dict[str, Any] = {}
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {chosen.slices} slices of {SIDE} x {SIDE}")
    with tempfile.TemporaryDirectory() as place:
        for size in chosen.sizes:
            entry = fresh(size, Path(place))
            for runtime in chosen.runtimes:
                file = Path(place) / "entry.json"
                kept = entry if runtime == "openvino" else entry.model_copy(update={"openvino": None})
                file.write_text(kept.model_dump_json())
                arguments = ["--entry", str(file), "--slices", str(chosen.slices), "--runs", str(chosen.runs)]
                name = f"{size}, {runtime}"
                found[name] = in_a_process(__file__, [*arguments, "--threads", str(chosen.threads)])
                by_batch = ", ".join(f"{ms} in batches of {n}" for n, ms in found[name]["ms_a_slice_by_batch"].items())
                show(f"{name} (ms a slice: {by_batch})", found[name])
    print(json.dumps({"benchmark": "mr_latency", "runs": found}))


if __name__ == "__main__":
    main()
