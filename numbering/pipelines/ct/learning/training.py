"""Training of both networks: labelled volumes in, one safetensors file out, to be taken up again at any time.

Work lies in the folder of the output's name: ``<network>/last.ckpt`` every few minutes, ``best.ckpt`` by the loss on
the patients that watch, ``metrics.csv``. Weights are an exponential moving average over the steps.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from numbering.pipelines.ct.learning.dataset import LabelledCt, read_folder
from numbering.pipelines.ct.learning.stream import Stream, Watched
from numbering.pipelines.ct.learning.task import WATCHED, Session, Task
from numbering.pipelines.ct.model.export import save_safetensors, stored_networks
from numbering.pipelines.ct.sizes import CLASSES, NETWORKS, SIZES, Size

SEED = 20261121
SAVE_EVERY = timedelta(minutes=4)
AVERAGED = 0.995
"""Decay of the moving average over steps."""
WATCH_EVERY = 500
"""Steps between two looks at the patients that watch."""


def train(data: Path, out: Path, *, size: str = "small", classes: str | None = None, resume: bool = False,
          start: Path | None = None, hours: float | None = None, steps: int | None = None, device: str = "cpu",
          network: str | None = None) -> Path:  # fmt: skip
    """Train and write ``out``; returns it.

    ``network`` is ``direct`` or ``instance`` (None: both, one after the other, ``hours`` shared between them);
    ``classes`` one of `CLASSES` (None: the size's own); ``start`` a safetensors file of this pipeline to begin from.
    ``steps`` instead of the size's own; ``hours`` ends earlier, wherever the schedule is. ``resume`` goes on from the
    last checkpoints. ``ValueError`` for unknown names.
    """
    for what, given, known in (("size", size, SIZES), ("network", network or NETWORKS[0], NETWORKS)):
        if given not in known:
            raise ValueError(f"unknown {what} {given!r}: expected {' or '.join(known)}")
    chosen = SIZES[size] if classes is None else replace(SIZES[size], classes=classes)
    if chosen.classes not in CLASSES:
        raise ValueError(f"unknown classes {classes!r}: expected {' or '.join(CLASSES)}")
    volumes = read_folder(data)
    asked = NETWORKS if network is None else (network,)
    for name in asked:
        fit(
            volumes,
            out.with_suffix("") / name,
            chosen,
            name,
            resume=resume,
            start=start,
            hours=None if hours is None else hours / len(asked),
            steps=steps or chosen.steps[name],
            device=device,
        )
    return to_safetensors(out, chosen)


def fit(volumes: Sequence[LabelledCt], work: Path, size: Size, name: str, *, resume: bool, start: Path | None,
        hours: float | None, steps: int, device: str) -> None:  # fmt: skip
    """Train one network; its checkpoints lie in ``work``."""
    from lightning.pytorch import Trainer, seed_everything
    from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger

    last = work / "last.ckpt"
    goes_on = resume and last.exists()
    done = _steps(last) if goes_on else 0
    seed_everything(SEED + done, verbose=False)
    task = Task(size, name, steps)
    if start and not goes_on:
        task.network.load_state_dict(stored_networks(start)[name])
    training = [one for one in volumes if not one.watches]
    watching = [one for one in volumes if one.watches]
    if not training or not watching:
        raise ValueError(f"{len(training)} volumes to train and {len(watching)} to watch: expected some of each")
    same_shape = name == "instance" or size.direct_shape is not None
    batch = size.batch[name] if same_shape else 1
    gathered = size.batch[name] // batch
    trainer = Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        precision="bf16-mixed" if device == "cuda" else "32-true",
        max_steps=steps,
        accumulate_grad_batches=gathered,
        gradient_clip_val=1.0,
        val_check_interval=gathered * min(WATCH_EVERY, steps),
        check_val_every_n_epoch=None,
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
        DataLoader(Stream(training, size, name, SEED + done), batch),
        DataLoader(Watched(watching, size, name), batch),
        ckpt_path=last if goes_on else None,
        weights_only=True if goes_on else None,
    )
    trainer.save_checkpoint(last)


def to_safetensors(out: Path, size: Size) -> Path:
    """The best checkpoints of both networks in one file. ``ValueError`` names a network that was never trained."""
    networks, steps = {}, []
    for name in NETWORKS:
        best = out.with_suffix("") / name / "best.ckpt"
        best = best if best.exists() else best.with_name("last.ckpt")
        if not best.exists():
            raise ValueError(f"{best}: not there; train {name} too")
        stored = torch.load(best, map_location="cpu", weights_only=True)
        prefix = re.compile(r"^network\.")
        networks[name] = {prefix.sub("", key): value for key, value in stored["state_dict"].items()}
        steps.append(f"{name}:{stored['global_step']}")
    return save_safetensors(networks, size, out, steps=",".join(steps), licence="AGPL-3.0-or-later")


def _steps(checkpoint: Path) -> int:
    found: Any = torch.load(checkpoint, map_location="cpu", weights_only=True)
    return int(found["global_step"])
