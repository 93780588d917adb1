"""Seconds that a simulated patient and each of its views take, on this machine's processor or a GPU.

    python benchmarks/phantom.py [--device cpu|cuda] [--patients 3] [--only NAME] [--json FILE]

Prints the median over patients, first call left out (it compiles and fills caches). Targets: on two cores at most 10 s
a film and 30 s a CT as written to files; on a GPU, to feed training, at least 20 films of 512² a second and 2 CTs of
128 × 128 × 192 a second. The patient itself (sampling, pose, scene) is counted apart: training may use it for many
views.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `numbering phantom` does, before torch is imported
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.ct.acquire import acquire as acquire_ct
from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.imaging.ct.training import volume as training_ct
from numbering.phantom.imaging.film import expose
from numbering.phantom.imaging.mr import acquire as mr_acquire
from numbering.phantom.imaging.mr import protocol as mr_protocol
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.build import scene
from numbering.phantom.scene.structure import Grid, Structure
from numbering.phantom.shapes.procedural import Procedural

TRAINING_FILM = 512
TRAINING_CT = (192, 128, 128)
"""Slices, rows, columns."""
TARGETS = {
    "cpu": {"AP film, full": 10.0, "lateral film, full": 10.0, "CT, full": 30.0},
    "cuda": {"AP film, 512": 1 / 20, "lateral film, 512": 1 / 20, "CT, 128 x 128 x 192": 1 / 2},
}
"""Seconds, at most."""

Scene = tuple[Skeleton, list[Structure]]


def patient(seed: int) -> tuple[Scene, Scene]:
    """Standing and supine, with everything around the bones."""
    sampled = sample(seed, "none")
    source = Procedural()
    standing, supine = pose(sampled, "standing"), pose(sampled, "supine")
    return (standing, scene(standing, source, seed)), (supine, scene(supine, source, seed))


def training_grid(skeleton: Skeleton) -> Grid:
    """2 mm voxels around the lower spine."""
    extent = np.array(TRAINING_CT[::-1]) * 2.0  # x, y, z
    middle = skeleton.at(20.0)
    return Grid.upright(np.array([middle - extent / 2, middle + extent / 2]), 2.0)


def steps(standing: Scene, supine: Scene, seed: int, device: str) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""

    def film(view: str, longest: int | None) -> Callable[[], object]:
        return lambda: expose(*standing, view, "lumbar", np.random.default_rng(seed), longest=longest, device=device)

    def mr(plane: str, weighting: str, layout: str) -> Callable[[], object]:
        rng = np.random.default_rng(seed)
        protocol = mr_protocol.sample(rng, plane, weighting, style="nordwind", layout=layout)
        return lambda: mr_acquire.acquire(*supine, protocol, seed, device=device)

    return {
        "AP film, 512": film("AP", TRAINING_FILM),
        "lateral film, 512": film("lateral", TRAINING_FILM),
        "AP film, full": film("AP", None),
        "lateral film, full": film("lateral", None),
        "CT, 128 x 128 x 192": lambda: training_ct(*supine, training_grid(supine[0]), seed, device=device),
        "CT, full": lambda: acquire_ct(*supine, Protocol(region="lumbar", field_mm=200.0), seed, device=device),
        "sagittal MR, T2": mr("sagittal", "T2", "block"),
        "axial MR, T2, along the discs": mr("axial", "T2", "parallel"),
    }


def seconds(call: Callable[[], object], device: str) -> tuple[float, float]:
    """Of the clock and of the processor for one call, the device's queue emptied before and after."""
    synchronise = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    synchronise()
    begin, worked = time.perf_counter(), time.process_time()
    call()
    synchronise()
    return time.perf_counter() - begin, time.process_time() - worked


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--patients", type=int, default=3)
    parser.add_argument("--only", default="", help="a part of the name of what is timed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cuda = options.device.startswith("cuda")
    where = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} threads"
    print(f"phantom: {options.patients} patients, {options.device} ({where}), torch {torch.__version__}")
    taken: dict[str, list[tuple[float, float]]] = {}
    for seed in range(1, options.patients + 1):
        scenes: list[tuple[Scene, Scene]] = []
        taken.setdefault("patient: sampling, two poses, two scenes", []).append(
            seconds(lambda seed=seed, scenes=scenes: scenes.append(patient(seed)), "cpu")
        )
        for name, call in steps(*scenes[0], seed, options.device).items():
            if options.only in name:
                if seed == 1:
                    call()
                taken.setdefault(name, []).append(seconds(call, options.device))
                print(f"patient {seed}: {name}: {taken[name][-1][0]:.1f} s", file=sys.stderr, flush=True)
    figures = {name: [round(median(column), 3) for column in zip(*rows, strict=True)] for name, rows in taken.items()}
    print(f"{'':45s} {'s':>8s} {'processor s':>12s}")
    for name, (clock, processor) in figures.items():
        most = TARGETS["cuda" if cuda else "cpu"].get(name)
        target = "" if most is None else f"  target {most:g} s: {'met' if clock <= most else 'MISSED'}"
        print(f"{name:45s} {clock:8.3f} {processor:12.3f}{target}")
    if options.json:
        options.json.write_text(json.dumps({"device": options.device, "where": where, "seconds": figures}, indent=1))


if __name__ == "__main__":
    main()
