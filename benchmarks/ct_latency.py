"""How long a CT takes in each step, how much memory, and how both grow with the number of slices.

    python benchmarks/ct_latency.py [--slices 100 300] [--sizes small] [--runtimes openvino torch] [--threads 0]

Writes series of 512 × 512 as DICOM files: a simulated spine from T8 to the sacrum of simple solids, alike for every
number of slices. The networks are freshly initialised: how long they take does not depend on what they have learnt.
How often the instance network looks does; so its answers are taken and thrown away, and the truth is answered in their
place. Each run is a process of its own. Prints a table and one line of JSON; times are wall-clock on this machine, with
all that else runs on it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from benchmarks.volumes.steps import Steps, in_a_process, show
from numbering.anatomy import Level
from numbering.weights import Entry, WeightsFile, sha256_of

ROWS, FIELD_MM = 512, 360.0
COARSE = 4
"""The solids are drawn on a lattice so many times coarser."""
SEED = 3


def fresh(size_name: str, folder: Path) -> Entry:
    """Networks that have learnt nothing, as training would write them, with their IRs."""
    import torch

    from numbering.pipelines.ct.model.export import export_openvino, save_networks
    from numbering.pipelines.ct.model.networks import build
    from numbering.pipelines.ct.operating_point import OperatingPoint
    from numbering.pipelines.ct.sizes import CLASSES, SIZES
    from numbering.pipelines.registering import as_numbers

    torch.manual_seed(SEED)
    size = SIZES[size_name]
    states = {name: network.state_dict() for name, network in build(size).items()}
    weights = save_networks(states, size, folder / f"{size_name}.safetensors")

    def file(path: Path) -> WeightsFile:
        return WeightsFile(file=str(path.resolve()), sha256=sha256_of(path), licence="-", trained_on="nothing")

    converted = export_openvino(weights, weights.with_suffix(""))
    return Entry(
        name="ct", version="0", architecture=size_name, classes=CLASSES[size.classes], torch=file(weights),
        openvino={name: (file(xml), file(binary)) for name, (xml, binary) in converted.items()},
        operating_point=as_numbers(OperatingPoint()), trained_on="", training_command="", intended_use="",
        limitations=(), figures={},
    )  # fmt: skip


def written(folder: Path, count: int) -> list[Path]:
    """The files of one series: T8 to the sacrum in so many slices."""
    from numbering.stack import Stack
    from tests.true_ct import spine
    from tests.volumes import write_slice

    of = spine(SEED)
    top, bottom = of.centre(Level.T8)[2] + 25, of.centre(Level.L5)[2] - 25
    x, y = (float(one) for one in of.skeleton.midline((top + bottom) / 2))
    pitch, step = FIELD_MM / ROWS, (top - bottom) / (count - 1)
    affine = np.array(
        [[0, 0, pitch, x - FIELD_MM / 2], [0, pitch, 0, y - FIELD_MM / 2 + 30], [-step, 0, 0, top], [0, 0, 0, 1]]
    )
    planes = Stack.of_array(np.broadcast_to(np.int16(0), (count, ROWS, ROWS)), affine).planes
    noise = np.random.default_rng(0).normal(0, 12, (ROWS, ROWS))
    at = np.stack(np.meshgrid(np.arange(0, ROWS, COARSE), np.arange(0, ROWS, COARSE)), -1)
    paths = []
    for number, plane in enumerate(planes, 1):
        hu = np.kron(of.at(plane.to_mm(at))[1], np.ones((COARSE, COARSE))) + noise
        paths.append(write_slice(folder / f"{number:04}.dcm", plane, np.rint(hu).astype(int), InstanceNumber=number))
    return paths


def measure(entry_file: Path, folder: Path, threads: int) -> dict[str, Any]:
    """All steps of one series, in this process."""
    step = Steps()
    from numbering.dicom.objects.encode import encode
    from numbering.dicom.read import read_series
    from numbering.dicom.stacks import stack
    from numbering.pipelines.ct.model.runtime import open_networks
    from numbering.pipelines.ct.operating_point import OperatingPoint
    from numbering.pipelines.ct.pipeline import conclude
    from numbering.pipelines.ct.reading.answer import Answer, Reader
    from numbering.pipelines.ct.reading.eyes import NetworkEyes
    from numbering.pipelines.ct.reading.slices import Slices
    from numbering.pipelines.ct.reading.working import working_volume
    from numbering.result import ModelIdentity, NumberingResult, Origin, SourceImage
    from numbering.study import View
    from tests.true_ct import TrueEyes, spine

    (series,) = step("read headers", lambda: read_series(sorted(folder.glob("*.dcm"))))
    source = stack(series, View.AXIAL)
    networks = step(
        "load networks", lambda: open_networks(Entry.model_validate_json(entry_file.read_text()), "cpu", threads)
    )
    truth, eyes = TrueEyes(spine(SEED), size=networks.size), NetworkEyes(networks)
    slices = Slices.of(source)
    working = step("decode and resample", lambda: working_volume(source, networks.size.spacing_mm, slices))
    step("direct network", lambda: eyes.whole(working))
    truth.labels(working)

    class Costly:
        """The networks' time and the truth's answers."""

        size = networks.size

        def whole(self, working: Any) -> Any:
            return truth.whole(working)

        def patch(self, *asked: Any) -> Any:
            step("instance network", lambda: eyes.patch(*asked))
            return truth.patch(*asked)

    began = dict(step.seconds)
    reader = Reader(Costly(), OperatingPoint())
    answer = step("walk, names, checks", lambda: reader.answer(source))
    assert isinstance(answer, Answer)
    looked = step.seconds["instance network"] - began.get("instance network", 0.0)
    step.seconds["walk, names, checks"] = round(
        step.seconds["walk, names, checks"] - looked - step.seconds["decode and resample"], 3
    )
    findings = step("voxels and measurements", lambda: conclude(answer, reader.point))
    identity = ModelIdentity(
        name="ct", version="0", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime=networks.runtime
    )
    result = NumberingResult(
        study_instance_uid=series.study_instance_uid, series_instance_uid=series.series_instance_uid, modality="CT",
        view=View.AXIAL, pipeline="ct", software_version="0", model=identity, findings=findings, origin=Origin.RUN,
        sources=tuple(
            SourceImage(
                sop_instance_uid=image.sop_instance_uid, sop_class_uid=image.sop_class_uid, digest=image.digest,
                rows=image.rows, columns=image.columns, frames=image.frames,
            )
            for image in series.images
        ),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    objects = step("encode", lambda: encode(result, {image.sop_instance_uid: image.path for image in series.images}))
    return step.figures() | {
        "status": findings.status, "vertebrae": len(findings.vertebrae), "objects": len(objects),
        "working": list(working.hu.shape), "looks": truth.patches, "runtime": networks.runtime,
    }  # fmt: skip


def main() -> None:
    """Measure, print."""
    options = argparse.ArgumentParser(description="Seconds and memory of each step of a CT, by slices and runtime.")
    options.add_argument("--slices", type=int, nargs="+", default=[100, 300])
    options.add_argument("--sizes", nargs="+", default=["small"])
    options.add_argument("--runtimes", nargs="+", default=["openvino", "torch"], choices=("openvino", "torch"))
    options.add_argument("--threads", type=int, default=0, help="CPU threads of the networks; 0: all")
    options.add_argument("--entry", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.entry:
        print(json.dumps(measure(chosen.entry, chosen.folder, chosen.threads)))
        return
    found: dict[str, Any] = {}
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; slices of {ROWS} x {ROWS}")
    with tempfile.TemporaryDirectory() as place:
        entries = {size: fresh(size, Path(place)) for size in chosen.sizes}
        for count in chosen.slices:
            folder = Path(place) / f"{count}"
            folder.mkdir()
            written(folder, count)
            for size, entry in entries.items():
                for runtime in chosen.runtimes:
                    file = Path(place) / "entry.json"
                    kept = entry if runtime == "openvino" else entry.model_copy(update={"openvino": None})
                    file.write_text(kept.model_dump_json())
                    arguments = ["--entry", str(file), "--folder", str(folder), "--threads", str(chosen.threads)]
                    name = f"{count} slices, {size}, {runtime}"
                    found[name] = in_a_process(__file__, arguments)
                    show(f"{name} ({found[name]['looks']} looks, working volume {found[name]['working']})", found[name])
    print(json.dumps({"benchmark": "ct_latency", "runs": found}))


if __name__ == "__main__":
    main()
