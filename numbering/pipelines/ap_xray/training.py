"""Training of the AP detector: films to a YOLO data set, ultralytics' trainer, weights as safetensors."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numbering.pipelines.ap_xray.dataset import write_yolo
from numbering.pipelines.ap_xray.export import save_safetensors
from numbering.pipelines.ap_xray.films import films_for, read_aasce, read_phantoms, refuse_test_films
from numbering.pipelines.ap_xray.network import prepare_ultralytics, yaml_name

SEED = 20261121


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one size trains."""

    architecture: str
    classes: tuple[str, ...]
    image_size: int
    epochs: int
    batch: int
    crops_per_film: int


PLANS = {
    # Two cores train this. The other vertebrae are a second class: the films label all seventeen, which is seventeen
    # times the supervision of one box, and a vertebra found *below* a candidate is evidence against it.
    "small": Plan(
        architecture="yolov5n", classes=("L5", "vertebra"), image_size=384, epochs=40, batch=16, crops_per_film=10
    ),
    # The paper's network and protocol: one class, 640 px.
    "paper": Plan(architecture="yolov5x", classes=("L5",), image_size=640, epochs=300, batch=16, crops_per_film=8),
}

PAPER_PROTOCOL: dict[str, Any] = {
    "optimizer": "SGD", "lr0": 0.01, "lrf": 0.01, "momentum": 0.937, "weight_decay": 5e-4, "warmup_epochs": 1.0,
    "fliplr": 0.5, "flipud": 0.0, "mosaic": 1.0, "mixup": 0.05, "scale": 0.5, "translate": 0.1, "degrees": 4.0,
    "hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.3,
}  # fmt: skip
"""SGD with flip, mixup and mosaic (the paper's Methods); films are grey, so hue and saturation stay."""

FINE_TUNING_RATE = 0.004
"""Learning rate when training begins from other weights."""


def train(data: Path, out: Path, *, size: str = "small", layout: str = "auto", resume: bool = False,
          start: Path | None = None, simulated: Path | None = None, hours: float | None = None,
          epochs: int | None = None, device: str = "cpu") -> Path:  # fmt: skip
    """Train and write ``out`` (safetensors, half precision); returns it.

    Work (data set, checkpoints after every epoch) lies in the folder ``out`` without its suffix. ``resume`` goes on
    from the last checkpoint; ``start`` begins from other weights (safetensors), at `FINE_TUNING_RATE`. ``simulated`` is
    a folder of phantoms whose films train too. ``hours`` fits the schedule into that time instead of the plan's epochs.
    The AASCE layout trains on its ``train`` films only; test films are refused (`ReservedFilm`).
    """
    if size not in PLANS:
        raise ValueError(f"unknown size {size!r}: expected {' or '.join(PLANS)}")
    plan, work = PLANS[size], out.with_suffix("")
    prepare_ultralytics()
    description = prepare_dataset(data, work, plan, layout, simulated)
    checkpoint = fit(
        description, work, plan, resume=resume, start=start, hours=hours, epochs=epochs or plan.epochs, device=device
    )
    return to_safetensors(checkpoint, out, plan)


def fit(description: Path, work: Path, plan: Plan, *, resume: bool, start: Path | None, hours: float | None,
        epochs: int, device: str) -> Path:  # fmt: skip
    """Train on the data set that a ``data.yaml`` describes; the best checkpoint below ``work``. See `train`."""
    prepare_ultralytics()
    from numbering.pipelines.ap_xray.trainer import Trainer

    last = work / "run" / "weights" / "last.pt"
    goes_on = resume and last.exists()
    trainer = Trainer(
        overrides={
            "model": str(last) if goes_on else yaml_name(plan.architecture),
            "resume": str(last) if goes_on else False,
            "data": str(description),
            "epochs": epochs,
            "time": hours,
            "close_mosaic": max(1, epochs // 2),
            "batch": plan.batch,
            "nbs": plan.batch,
            "imgsz": plan.image_size,
            "device": device,
            "workers": 1,
            "cache": "ram",
            "seed": SEED,
            "amp": False,
            "plots": False,
            "pretrained": False,
            "project": str(work.resolve()),
            "name": "run",
            "exist_ok": True,
            **PAPER_PROTOCOL,
            **({"lr0": FINE_TUNING_RATE} if start else {}),
        }
    )
    trainer.start = start
    trainer.train()
    return Path(trainer.best)


def prepare_dataset(data: Path, work: Path, plan: Plan, layout: str, simulated: Path | None = None) -> Path:
    """The ``data.yaml`` to train from: a YOLO folder as it is, or crops of AASCE films written below ``work``."""
    from numbering.pipelines.ap_xray.cases import layout_of

    layout = layout_of(data) if layout == "auto" else layout
    if layout == "yolo":
        return describe(data, work / "data.yaml", ("L5",))
    if layout != "aasce":
        raise ValueError(f"cannot train from layout {layout!r}: expected aasce or yolo")
    folder = work / "yolo"
    if not (folder / "data.yaml").exists():
        shutil.rmtree(folder, ignore_errors=True)
        films, _ = read_aasce(data)
        training = films_for("train", films)
        training += read_phantoms(simulated) if simulated else []
        refuse_test_films(training)
        write_yolo(training, folder, plan.classes, plan.image_size, "train", plan.crops_per_film, SEED)
        write_yolo(films_for("val", films), folder, plan.classes, plan.image_size, "val", 3, SEED)
        describe(folder, folder / "data.yaml", plan.classes)
    return folder / "data.yaml"


def describe(folder: Path, path: Path, classes: tuple[str, ...]) -> Path:
    """Write ultralytics' description of a YOLO folder (splits in ``images/train`` and ``images/val``)."""
    train, val = (f"images/{split}" if (folder / "images" / split).is_dir() else "images" for split in ("train", "val"))
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(classes))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"path: {folder.resolve()}\ntrain: {train}\nval: {val}\nnames:\n{names}")
    return path


def to_safetensors(checkpoint: Path, out: Path, plan: Plan) -> Path:
    """The averaged weights of a checkpoint that this training wrote, as safetensors."""
    import torch

    # ultralytics pickles whole models. This reads back only what the training above has just written itself.
    stored = torch.load(checkpoint, map_location="cpu", weights_only=False)
    model = stored.get("ema") or stored["model"]
    metadata = {
        "architecture": plan.architecture,
        "classes": ",".join(plan.classes),
        "image_size": str(plan.image_size),
        "licence": "AGPL-3.0-or-later",
    }
    return save_safetensors(model, out, metadata)
