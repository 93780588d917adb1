"""How a network that lightning trains is run: checkpoints, a moving average, a session's length, progress on stderr.

Work lies in one folder a network: ``last.ckpt`` every few minutes, ``best.ckpt`` by the watched loss, ``metrics.csv``.
Importing this imports lightning: only training does.
"""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from numbering.pipelines.cpu_torchvision import prepare_torchvision

prepare_torchvision()  # lightning's metrics import torchvision
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything  # noqa: E402
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, RichProgressBar, Timer  # noqa: E402
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

__all__ = ["WATCHED", "LightningModule", "Session", "best_of", "cosine", "session_of", "steps_of", "trainer"]

WATCHED = "watched"
"""The loss on the patients that watch: what a task logs under this name decides which checkpoint is the best."""
SAVE_EVERY = timedelta(minutes=4)
AVERAGED = 0.995
"""Decay of the moving average of the weights over steps."""
WARMING, FLOOR = 100, 0.01
"""Steps over which the cosine's learning rate rises, and the share of it that is left in the end."""


class Session(Timer):
    """Ends this run after its time; what earlier runs took does not count."""

    def __init__(self, length: timedelta) -> None:
        super().__init__(length)
        self.length = length

    @property
    def spent(self) -> float:
        """Share of the time that is over."""
        return self.time_elapsed() / self.length.total_seconds()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing of it."""


def session_of(hours: float | None) -> Session | None:
    """A session of so many hours; None when only the epochs end the training."""
    return Session(timedelta(hours=hours)) if hours else None


def cosine(step: int, steps: float, session: Session | None) -> float:
    """Share of the learning rate at a step: it rises, then falls over steps or session, whichever ends first."""
    spent = step / max(1.0, steps)
    if session is not None:
        spent = max(spent, session.spent)
    return min(1.0, (step + 1) / WARMING) * max(FLOOR, 0.5 * (1 + math.cos(math.pi * min(1.0, spent))))


def trainer(
    work: Path, *, epochs: int, session: Session | None, device: str, seed: int, resume: bool = False
) -> tuple[Trainer, Path | None]:
    """What fits a task in this folder, and the checkpoint to go on from (None: from the start).

    ``seed`` plus the steps that were done seeds the chances of this run.
    """
    last = work / "last.ckpt"
    goes_on = last if resume and last.exists() else None
    seed_everything(seed + (steps_of(last) if goes_on else 0), verbose=False)
    callbacks: list[Callback] = [
        EMAWeightAveraging(decay=AVERAGED),
        ModelCheckpoint(work, "best", monitor=WATCHED, enable_version_counter=False),
        ModelCheckpoint(work, "last", train_time_interval=SAVE_EVERY, enable_version_counter=False),
        RichProgressBar(console_kwargs={"stderr": True}),
    ]
    made = Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        precision="bf16-mixed" if device == "cuda" else "32-true",
        max_epochs=epochs,
        gradient_clip_val=1.0,
        callbacks=[*([session] if session else []), *callbacks],
        logger=CSVLogger(work, name="", version=""),
        log_every_n_steps=10,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    return made, goes_on


def best_of(work: Path) -> Path:
    """The best checkpoint of a folder, else the last. ``ValueError`` when there is none."""
    for name in ("best.ckpt", "last.ckpt"):
        if (work / name).exists():
            return work / name
    raise ValueError(f"{work}: found no checkpoint; train {work.name} first")


def steps_of(checkpoint: Path) -> int:
    """How many steps led to a checkpoint."""
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
