"""Does what is learnt from simulated films alone hold on real ones?

    python benchmarks/sim_to_real.py WORK --data AASCE --shapes procedural [--films 400] [--epochs 30]
    python benchmarks/sim_to_real.py WORK --data AASCE --shapes atlas:DIR/NAME
    python benchmarks/sim_to_real.py WORK --data AASCE --shapes procedural --shapes atlas:DIR/NAME

Makes simulated AP films (small, whole spines and lumbar ones) below WORK, trains the small detector (YOLOv5n, classes
L5 and vertebra) on crops of them, from scratch and on nothing else, and looks for L5 on the real films of an AASCE
folder whose label is right. A film is recalled when the best-scored L5 overlaps the label with IoU 0.5. Several
``--shapes`` share the films among them. Films, data set and training are taken up where an interrupted run stopped; the
same command again prints the figures of all that is finished in WORK. Real films neither train nor select anything.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image

from numbering.geometry import intersection_over_union
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.film import FieldOfView, expose
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
PLAN = PLANS["small"]


def films(folder: Path, shapes: Sequence[str], split: str, count: int, device: str) -> list[Film]:
    """Simulated films, made where they are not there yet; those without the lowest lumbar vertebra in view drop out."""
    folder.mkdir(parents=True, exist_ok=True)
    found, started = [], time.time()
    for index in range(count):
        picture = folder / f"{index:05d}.png"
        label = picture.with_suffix(".json")
        if not label.exists():
            corners = _film(FIRST_SEED[split] + index, shapes[index % len(shapes)], split, picture, index, device)
            label.write_text(json.dumps(corners))
            if index % 20 == 0:
                print(f"{folder.name}: film {index} of {count}, {time.time() - started:.0f} s", flush=True)
        corners = json.loads(label.read_text())
        if len(corners) >= 8:
            found.append(Film(name=picture.name, path=picture, vertebrae=np.array(corners)))
    return found


def _film(seed: int, shapes: str, split: str, picture: Path, index: int, device: str) -> list[list[list[float]]]:
    """Write one film as PNG; the corners of its vertebrae in view, [] where the lowest lumbar one is not."""
    source = shape_source(shapes)
    if split == "train":
        refuse_reserved(picture.name, seed, source.name)
    skeleton = pose(sample(seed), "standing")
    rng = np.random.default_rng([SEED, seed])
    field = FIELDS[index % len(FIELDS)]
    structures = scene(skeleton, source, seed)
    beyond = float(rng.choice([0.0, 0.5]))
    film = expose(skeleton, structures, "AP", field, rng, longest=PIXELS[field], beyond=beyond, device=device)
    Image.fromarray((film.pixels >> 4).astype(np.uint8)).save(picture)
    truth = describe_truth(skeleton, film, sop_instance_uid="", file="")
    seen = [one for one in truth.vertebrae if one.in_view]
    if not seen or not seen[-1].lowest_lumbar:
        return []
    return [[list(point) for point in one.corners] for one in seen]


def dataset(work: Path, shapes: Sequence[str], counts: dict[str, int], device: str) -> Path:
    """The ``data.yaml`` of crops of simulated films, written once."""
    folder = work / "yolo"
    if not (folder / "data.yaml").exists():
        for split, count in counts.items():
            crops = PLAN.crops_per_film if split == "train" else 3
            made = films(work / split, shapes, split, count, device)
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
    parser.add_argument("--films", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shapes = options.shapes or ["procedural"]
    name = "+".join(one.rpartition("/")[2] for one in shapes)
    work = options.work / f"{name}-{options.films}"
    work.mkdir(parents=True, exist_ok=True)
    result = work / "figures.json"
    if not result.exists():
        counts = {"train": options.films, "val": max(20, options.films // 10)}
        data = dataset(work, shapes, counts, options.device)
        checkpoint = fit(
            data, work, PLAN, resume=True, start=None, hours=None, epochs=options.epochs, device=options.device
        )
        weights = to_safetensors(checkpoint, work / "weights.safetensors", PLAN)
        real = [film for film in read_aasce(options.data)[0] if film.label == RIGHT]
        test = [film for film in films_for("test", real) if film.label == RIGHT]
        figures = {"shapes": shapes, "simulated": options.films, "epochs": options.epochs}
        figures["all right labels"] = recall(weights, real, options.device)
        figures["test films"] = recall(weights, test, options.device)
        result.write_text(json.dumps(figures, indent=1) + "\n")
    for path in sorted(options.work.glob("*/figures.json")):
        print(path.parent.name, path.read_text())


if __name__ == "__main__":
    main()
