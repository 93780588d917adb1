"""Do OpenVINO and torch say the same, and in which precision may OpenVINO run?

    python benchmarks/runtimes.py [--data AASCE] [--films 40]

Runs the AP pipeline on the same films (test films of an AASCE folder, else simulated ones) in eager torch, OpenVINO f32
(what a node uses) and OpenVINO bf16, and compares answers, probabilities and boxes with torch's. Prints a table and one
line of JSON. The times are of one whole film (both looks) and only good as ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from numbering.geometry import intersection_over_union
from numbering.phantom.generate import generate
from numbering.pipelines.ap_xray.cases import Case, cases
from numbering.pipelines.ap_xray.detector import Detector, OpenVinoNetwork, TorchNetwork
from numbering.pipelines.ap_xray.pipeline import ApXray
from numbering.weights import registry

SEED = 500


def films(data: Path | None, count: int, folder: Path) -> list[Case]:
    """The films to compare on."""
    if data is None:
        generate(folder, seed=SEED, count=count, anomaly="none")
        return list(cases(folder, "phantom"))
    chosen = [case for case in cases(data, "aasce", "test", crops=1) if case.view != "without L5"]
    return chosen[:count]


def answers(network: Any, chosen: list[Case]) -> tuple[list[tuple[str, float, Any]], float]:
    """Status, probability and box of each film, and the median seconds a film."""
    pipeline = ApXray("cpu")
    pipeline.detector = Detector(network, registry()["ap-xray"].classes)
    said, seconds = [], []
    for case in chosen:
        began = time.perf_counter()
        read = pipeline.read(case.film)
        seconds.append(time.perf_counter() - began)
        best = read.probabilities[0] if read.probabilities else 0.0
        box = read.evidence[0].box if read.evidence else None
        said.append((str(pipeline.conclude([read]).status), best, box))
    return said, float(np.median(seconds))


def compared(said: list[tuple[str, float, Any]], reference: list[tuple[str, float, Any]]) -> dict[str, float]:
    """How far one runtime's answers are from another's."""
    overlaps = [
        float(intersection_over_union(one[2], other[2])[0, 0])
        for one, other in zip(said, reference, strict=True)
        if one[2] is not None and other[2] is not None
    ]
    apart = [abs(one[1] - other[1]) for one, other in zip(said, reference, strict=True)]
    return {
        "other answer": sum(one[0] != other[0] for one, other in zip(said, reference, strict=True)),
        "largest difference of probability": max(apart),
        "smallest IoU of the best boxes": min(overlaps, default=1.0),
    }


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="AASCE folder; without it, simulated films")
    parser.add_argument("--films", type=int, default=40)
    options = parser.parse_args()
    entry = registry()["ap-xray"]
    networks = {
        "torch f32": TorchNetwork(entry, "cpu"),
        "OpenVINO f32": OpenVinoNetwork(entry),
        "OpenVINO bf16": OpenVinoNetwork(entry, precision="bf16"),
    }
    with tempfile.TemporaryDirectory() as folder:
        chosen = films(options.data, options.films, Path(folder))
        said = {name: answers(network, chosen) for name, network in networks.items()}
    reference, slowest = said["torch f32"]
    table = {
        name: {**compared(answer, reference), "times faster than torch": slowest / seconds}
        for name, (answer, seconds) in said.items()
    }
    for name, figures in table.items():
        print(f"{name:14}", "  ".join(f"{what} {value:.4g}" for what, value in figures.items()))
    print(json.dumps({"films": len(chosen), "data": str(options.data or f"simulated, seed {SEED}"), "runtimes": table}))


if __name__ == "__main__":
    main()
