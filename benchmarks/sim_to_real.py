"""Does what is learnt from simulated films alone hold on real ones?

    python benchmarks/sim_to_real.py WORK --data AASCE --shapes procedural [--patients 160] [--epochs 9 | --hours 0.4]
    python benchmarks/sim_to_real.py WORK --data AASCE --shapes atlas:DIR/NAME
    python benchmarks/sim_to_real.py WORK --data AASCE --shapes procedural --shapes atlas:DIR/NAME

Makes simulated AP films (small, whole spines and lumbar ones) below WORK, trains the small detector (YOLOv5n, classes
L5 and vertebra) on crops of them, from scratch and on nothing else, and looks for L5 on the real films of an AASCE
folder whose label is right. A film is recalled when the best-scored L5 overlaps the label with IoU 0.5. Several
``--shapes`` share the patients among them; patients of one source are the same in all runs. Films, data set and
training are taken up where an interrupted run stopped; the same command again prints the figures of all that is
finished in WORK. Compare runs of as many epochs: what fits into hours depends on what else the machine does. Real films
neither train nor select anything.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image

from numbering.geometry import intersection_over_union
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.film import FieldOfView, exposures
from numbering.phantom.imaging.film.truth import describe as describe_truth
from numbering.phantom.pose import pose
from numbering.phantom.produce.stage import shape_source
from numbering.phantom.scene.build import scene
from numbering.phantom.splits import refuse_reserved
from numbering.pipelines.ap_xray.dataset import write_yolo
from numbering.pipelines.ap_xray.detector import Detector, TorchNetwork
from numbering.pipelines.ap_xray.films import RIGHT, Film, films_for, read_aasce
from numbering.pipelines.ap_xray.install import candidate_entry
from numbering.pipelines.ap_xray.training import PLANS, describe, fit, to_safetensors
from numbering.pipelines.films import window_to_grey

FIRST_SEED = {"train": 100_000, "val": 800_000}
"""Validation of the training takes from the seeds that ``splits.json`` reserves for validation."""
FIELDS: tuple[FieldOfView, ...] = ("whole-spine", "whole-spine", "lumbar")
PIXELS: dict[FieldOfView, int] = {"whole-spine": 768, "lumbar": 512}
SEED = 20261122
EXPOSURES = 3
"""Films of one set-up, exposed and processed differently."""
PLAN = replace(PLANS["small"], crops_per_film=4)


def films(work: Path, shapes: Sequence[str], split: str, count: int, device: str) -> list[Film]:
    """Films of ``count`` simulated patients, of these shapes in turn; made where they are not there yet.

    Patient ``n`` of a shape source looks the same in every run. Films without the lowest lumbar vertebra drop out.
    """
    found, started = [], time.time()
    for index in range(count):
        one = shapes[index % len(shapes)]
        folder = work / "films" / one.rpartition("/")[2] / split
        folder.mkdir(parents=True, exist_ok=True)
        done = folder / f"{index:05d}.json"
        if not done.exists():
            done.write_text(json.dumps(_exposures(folder, one, split, index, device)))
            if index % 10 == 0:
                print(f"{one}, {split}: patient {index} of {count}, {time.time() - started:.0f} s", flush=True)
        for name, corners in json.loads(done.read_text()).items():
            if len(corners) >= 8:
                path = folder / name
                found.append(Film(name=f"{folder.parent.name}-{name}", path=path, vertebrae=np.array(corners)))
    return found


def _exposures(folder: Path, shapes: str, split: str, index: int, device: str) -> dict[str, list[list[list[float]]]]:
    """Write one patient's films as PNG; by name the corners of the vertebrae in view, [] without the lowest lumbar."""
    seed, source = FIRST_SEED[split] + index, shape_source(shapes)
    if split == "train":
        refuse_reserved(f"patient {index}", seed, source.name)
    skeleton = pose(sample(seed), "standing")
    rng = np.random.default_rng([SEED, seed])
    field = FIELDS[index % len(FIELDS)]
    beyond = float(rng.choice([0.0, 0.5]))
    taken = exposures(
        skeleton, scene(skeleton, source, seed), "AP", field, rng,
        films=EXPOSURES, longest=PIXELS[field], beyond=beyond, device=device,
    )  # fmt: skip
    written = {}
    for number, film in enumerate(taken):
        name = f"{index:05d}-{number}.png"
        Image.fromarray((film.pixels >> 4).astype(np.uint8)).save(folder / name)
        truth = describe_truth(skeleton, film, sop_instance_uid="", file="")
        seen = [one for one in truth.vertebrae if one.in_view]
        lowest = bool(seen) and seen[-1].lowest_lumbar
        written[name] = [[list(point) for point in one.corners] for one in seen] if lowest else []
    return written


def dataset(work: Path, shapes: Sequence[str], counts: dict[str, int], device: str) -> Path:
    """The ``data.yaml`` of crops of simulated films, written once."""
    folder = work / "yolo"
    if not (folder / "data.yaml").exists():
        for split, count in counts.items():
            crops = PLAN.crops_per_film if split == "train" else 3
            made = films(work.parent, shapes, split, count, device)
            write_yolo(made, folder, PLAN.classes, PLAN.image_size, split, crops, SEED)
        describe(folder, folder / "data.yaml", PLAN.classes)
    return folder / "data.yaml"


def recall(weights: Path, real: Sequence[Film], device: str) -> dict[str, float]:
    """Recall of L5 at IoU 0.5, the share whose best L5 box lies on L5 (its centre in the label), and mean overlap."""
    entry = candidate_entry(weights)
    detector = Detector(TorchNetwork(entry, device), entry.classes)
    overlaps, on_level = [], []
    for film in real:
        found = detector.detect(window_to_grey(film.pixels()), 2 * PLAN.image_size)["L5"]
        best, label = found.boxes[:1], film.boxes[-1:]
        overlaps.append(float(intersection_over_union(best, label)[0, 0]) if len(best) else 0.0)
        x, y = (best[0, :2] + best[0, 2:]) / 2 if len(best) else (-1.0, -1.0)
        on_level.append(bool(label[0, 0] <= x <= label[0, 2] and label[0, 1] <= y <= label[0, 3]))
    return {
        "films": len(real),
        "recall": float(np.mean(np.array(overlaps) >= 0.5)),
        "on the level": float(np.mean(on_level)),
        "mean overlap": float(np.mean(overlaps)),
    }


def main() -> None:
    """Make, train, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="AASCE folder")
    parser.add_argument("--shapes", action="append", help="procedural, or atlas:DIR/NAME; may be given several times")
    parser.add_argument("--patients", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=PLAN.epochs)
    parser.add_argument("--hours", type=float, default=None, help="fit the training into this time instead")
    parser.add_argument("--films-alone", action="store_true", help="make the films and train later")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shapes = options.shapes or ["procedural"]
    name = "+".join(one.rpartition("/")[2] for one in shapes)
    work = options.work / f"{name}-{options.patients}"
    work.mkdir(parents=True, exist_ok=True)
    result = work / "figures.json"
    if not result.exists():
        counts = {"train": options.patients, "val": max(8, options.patients // 10)}
        data = dataset(work, shapes, counts, options.device)
        if options.films_alone:
            return
        checkpoint = fit(
            data, work, PLAN, resume=True, start=None, hours=options.hours, epochs=options.epochs, device=options.device
        )
        weights = to_safetensors(checkpoint, work / "weights.safetensors", PLAN)
        real = [film for film in read_aasce(options.data)[0] if film.label == RIGHT]
        test = [film for film in films_for("test", real) if film.label == RIGHT]
        epochs = len((work / "run" / "results.csv").read_text().splitlines()) - 1
        figures = {"shapes": shapes, "patients": options.patients, "epochs": epochs}
        figures["all right labels"] = recall(weights, real, options.device)
        figures["test films"] = recall(weights, test, options.device)
        result.write_text(json.dumps(figures, indent=1) + "\n")
    for path in sorted(options.work.glob("*/figures.json")):
        print(path.parent.name, path.read_text())


if __name__ == "__main__":
    main()
