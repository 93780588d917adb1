"""Training: labelled slices in, one safetensors file out, to be taken up again at any time.

Work lies in the folder of the output's name: ``last.ckpt`` every few minutes, ``best.ckpt`` by the loss on the patients
that watch, ``metrics.csv``. Weights are an exponential moving average over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from numbering.pipelines.axial_mr.learning.dataset import Pictures
from numbering.pipelines.axial_mr.learning.labelled import LabelledSlice, read_slices
from numbering.pipelines.axial_mr.learning.task import WATCHED, Session, Task
from numbering.pipelines.axial_mr.model.export import load_network, save_safetensors
from numbering.pipelines.axial_mr.model.network import FineLite0
from numbering.pipelines.axial_mr.sizes import SIZES, Size
from numbering.pipelines.lite0 import read_imagenet

SEED = 20261122
SAVE_EVERY = timedelta(minutes=4)
AVERAGED = 0.995
"""Decay of the moving average over steps."""
WATCHED_BATCH = 32


def train(data: Path, out: Path, *, size: str = "small", resume: bool = False, start: Path | None = None,
          hours: float | None = None, epochs: int | None = None, device: str = "cpu") -> Path:  # fmt: skip
    """Train and write ``out``; returns it.

    ``start`` is a safetensors file of this pipeline, or ImageNet's weights of EfficientNet-Lite0 (``.pth``) where that
    is the size's backbone. ``hours`` fits the schedule into that time. ``resume`` goes on from the last checkpoint.
    ``ValueError`` for unknown sizes, and when no patient is there to train or to watch.
    """
    if size not in SIZES:
        raise ValueError(f"unknown size {size!r}: expected {' or '.join(SIZES)}")
    chosen = SIZES[size]
    fit(
        read_slices(data),
        out.with_suffix(""),
        chosen,
        resume=resume,
        start=start,
        hours=hours,
        epochs=epochs or chosen.epochs,
        device=device,
    )
    return to_safetensors(out, chosen)


def fit(slices: Sequence[LabelledSlice], work: Path, size: Size, *, resume: bool, start: Path | None,
        hours: float | None, epochs: int, device: str) -> None:  # fmt: skip
    """Train the network; its checkpoints lie in ``work``."""
    from lightning.pytorch import Trainer, seed_everything
    from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger

    training = [one for one in slices if not one.watches]
    watching = [one for one in slices if one.watches]
    if not training or not watching:
        raise ValueError(f"{len(training)} slices to train and {len(watching)} to watch: expected some of each")
    last = work / "last.ckpt"
    goes_on = resume and last.exists()
    seed = SEED + (_steps(last) if goes_on else 0)
    seed_everything(seed, verbose=False)
    task = Task(size, hours, seed)
    if start and not goes_on:
        begin(task, start)
    trainer = Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        precision="bf16-mixed" if device == "cuda" else "32-true",
        max_epochs=epochs,
        gradient_clip_val=1.0,
        callbacks=[
            *([Session(timedelta(hours=hours))] if hours else []),
            EMAWeightAveraging(decay=AVERAGED),
            ModelCheckpoint(work, "best", monitor=WATCHED, enable_version_counter=False),
            ModelCheckpoint(work, "last", train_time_interval=SAVE_EVERY, enable_version_counter=False),
        ],
        logger=CSVLogger(work, name="", version=""),
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        task,
        DataLoader(Pictures(training, size), size.batch, shuffle=True, drop_last=len(training) > size.batch),
        DataLoader(Pictures(watching, size), WATCHED_BATCH),
        ckpt_path=last if goes_on else None,
        weights_only=True if goes_on else None,
    )
    trainer.save_checkpoint(last)


def begin(task: Task, start: Path) -> None:
    """Take over weights: of this pipeline, or of ImageNet for the backbone."""
    if start.suffix == ".safetensors":
        task.network.load_state_dict(load_network(start).state_dict())
        return
    features = task.network.features
    if not isinstance(features, FineLite0):
        raise ValueError(f"{start}: holds weights of EfficientNet-Lite0, and size {task.size.name} has none of it")
    read_imagenet(features.network, start)


def to_safetensors(out: Path, size: Size) -> Path:
    """The best checkpoint, or the last where none was judged, as one file."""
    work = out.with_suffix("")
    kept = work / "best.ckpt"
    kept = kept if kept.exists() else work / "last.ckpt"
    stored = torch.load(kept, map_location="cpu", weights_only=True)
    state = {key.removeprefix("network."): value for key, value in stored["state_dict"].items()}
    metadata = {"size": size.name, "steps": str(stored["global_step"]), "licence": "AGPL-3.0-or-later"}
    return save_safetensors(state, out, metadata)


def _steps(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
