"""Training of the AP detector: films to a YOLO data set, ultralytics' trainer, weights as safetensors."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from numbering.pipelines.ap_xray.films import (
    Crop,
    Film,
    crop_without_l5,
    films_for,
    labels_in,
    lumbar_crop,
    read_aasce,
    refuse_test_films,
    whole_film,
)
from numbering.pipelines.ap_xray.network import prepare_ultralytics, yaml_name
from numbering.pipelines.ap_xray.preprocess import resize, window_to_grey


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
        architecture="yolov5n", classes=("L5", "vertebra"), image_size=384, epochs=40, batch=16, crops_per_film=8
    ),
    # The paper's network and protocol: one class, 640 px.
    "paper": Plan(architecture="yolov5x", classes=("L5",), image_size=640, epochs=300, batch=16, crops_per_film=8),
}

PAPER_AUGMENTATION: dict[str, Any] = {
    "optimizer": "SGD", "lr0": 0.01, "lrf": 0.01, "momentum": 0.937, "weight_decay": 5e-4,
    "fliplr": 0.5, "flipud": 0.0, "mosaic": 1.0, "mixup": 0.05, "scale": 0.4, "translate": 0.1, "degrees": 4.0,
    "hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.3,
}  # fmt: skip


def write_yolo(films: list[Film], out: Path, plan: Plan, split: str, seed: int) -> None:
    """Write crops of these films as a YOLO data set: ``out/images/<split>`` and ``out/labels/<split>``.

    For each film: two whole films, one crop without L5, and lumbar crops for the rest; validation gets one of each.
    """
    for folder in ("images", "labels"):
        (out / folder / split).mkdir(parents=True, exist_ok=True)
    for number, film in enumerate(films):
        pixels = film.pixels()
        rng = np.random.default_rng([seed, number])
        count = plan.crops_per_film if split == "train" else 3
        makers = [whole_film, crop_without_l5, *[lumbar_crop] * count][:count]
        if count > 5:
            makers[-1] = whole_film
        for index, maker in enumerate(makers):
            crop = maker(film, pixels.shape, rng)
            if crop.right - crop.left < 32 or crop.bottom - crop.top < 32:
                continue
            _write_one(film, pixels, crop, plan, out, split, f"{number:04d}_{index}", rng)


def _write_one(
    film: Film, pixels: NDArray[np.float32], crop: Crop, plan: Plan, out: Path, split: str, stem: str,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    boxes, is_l5 = labels_in(film, crop)
    region = crop.of(pixels)
    height, width = region.shape
    scale = plan.image_size / max(height, width)
    grey = resize(window_to_grey(region), max(1, round(width * scale)), max(1, round(height * scale)))
    if split == "train":
        grey = vary(grey, rng)
    Image.fromarray(grey).save(out / "images" / split / f"{stem}.png")
    lines = []
    for box, l5 in zip(boxes / ([width, height] * 2), is_l5, strict=True):
        name = "L5" if l5 else "vertebra"
        if name in plan.classes:
            centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            lines.append(" ".join([str(plan.classes.index(name)), *(f"{v:.6f}" for v in (*centre, *size))]))
    (out / "labels" / split / f"{stem}.txt").write_text("\n".join(lines))


def vary(grey: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Exposure, noise, sharpness, burned-in letters, metal: what differs between films and detectors."""
    curve = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.35))
    image = Image.fromarray((curve * 255).astype(np.uint8)[grey])
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    elif rng.random() < 0.3:
        image = image.filter(ImageFilter.UnsharpMask(2, int(rng.uniform(50, 200))))
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.2:
        at = (rng.uniform(0, image.width * 0.8), rng.uniform(0, image.height * 0.9))
        draw.text(at, str(rng.choice(["L", "R", "AP", "PA", "ERECT", "STANDING"])), fill=int(rng.integers(200, 256)))
    if rng.random() < 0.08:  # rods or screws beside the midline
        x, y, length = rng.uniform(0.3, 0.7) * image.width, rng.uniform(0.1, 0.6) * image.height, 0.3 * image.height
        for offset in (0.0, rng.uniform(8, 24)):
            draw.line([(x + offset, y), (x + offset + rng.normal(0, 5), y + length)], fill=250, width=int(rng.integers(2, 5)))
    values = np.asarray(image, np.float32)
    if rng.random() < 0.5:
        values = values + rng.normal(0, rng.uniform(2, 10), values.shape)
    if rng.random() < 0.15:  # shutters that the collimation finder missed
        side = int(rng.uniform(0.02, 0.08) * values.shape[1])
        values[:, :side] = values[:, values.shape[1] - side :] = rng.choice([0, 255])
    return np.clip(values, 0, 255).astype(np.uint8)


def train(data: Path, out: Path, size: str = "small", resume: bool = False, work: Path | None = None,
          hours: float | None = None, seed: int = 20261121) -> Path:  # fmt: skip
    """Train on the ``train`` films of an AASCE folder; returns ultralytics' best checkpoint."""
    prepare_ultralytics()
    plan = PLANS[size]
    work = work or out.with_suffix("")
    dataset = work / "yolo"
    if not (dataset / "data.yaml").exists():
        shutil.rmtree(dataset, ignore_errors=True)
        films, _ = read_aasce(data)
        training = films_for("train", films)
        refuse_test_films(training)
        write_yolo(training, dataset, plan, "train", seed)
        write_yolo(films_for("val", films), dataset, plan, "val", seed)
        names = "\n".join(f"  {i}: {name}" for i, name in enumerate(plan.classes))
        (dataset / "data.yaml").write_text(f"path: {dataset.resolve()}\ntrain: images/train\nval: images/val\nnames:\n{names}\n")
    from numbering.pipelines.ap_xray.trainer import Trainer

    last = work / "run" / "weights" / "last.pt"
    settings: dict[str, Any] = dict(
        model=str(last) if resume and last.exists() else yaml_name(plan.architecture), data=str(dataset / "data.yaml"), epochs=plan.epochs, time=hours,
        batch=plan.batch, imgsz=plan.image_size, device="cpu", workers=1, cache="ram", seed=seed, amp=False, plots=False,
        project=str(work.resolve()), name="run", exist_ok=True, pretrained=False, warmup_epochs=1.0, nbs=plan.batch,
        close_mosaic=max(1, plan.epochs // 4), resume=resume and last.exists(), **PAPER_AUGMENTATION,
    )  # fmt: skip
    trainer = Trainer(overrides=settings)
    trainer.train()
    return Path(trainer.best)
