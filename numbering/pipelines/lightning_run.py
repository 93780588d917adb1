"""How a network that lightning trains is run: checkpoints, a moving average, a session's length, progress on stderr.

Work lies in one folder a network: ``last.ckpt`` every few minutes, ``best.ckpt`` by the watched loss, ``metrics.csv``.
Importing this imports lightning: only training does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch.utils.data import DataLoader

from numbering.pipelines.cpu_torchvision import prepare_torchvision

prepare_torchvision()  # lightning's metrics import torchvision
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything  # noqa: E402
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, RichProgressBar, Timer  # noqa: E402
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

__all__ = [
    "WATCHED",
    "Fitting",
    "LightningModule",
    "Session",
    "best_state",
    "cosine",
    "session_of",
    "shared_out",
    "spent",
]

WATCHED = "watched"
"""The loss on the patients that watch: what a task logs under this name decides which checkpoint is the best."""
SAVE_EVERY = timedelta(minutes=4)
AVERAGED = 0.995
"""Decay of the moving average of the weights over steps."""
WARMING, FLOOR = 100, 0.01
"""Steps over which the cosine's learning rate rises (a tenth of a short training), and the share that is left in the
end."""


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


def spent(step: int, steps: float, session: Session | None) -> float:
    """Share of the training that is over at a step: of the steps or of the session, whichever ends first; at most 1."""
    return min(1.0, max(step / max(1.0, steps), session.spent if session else 0.0))


def cosine(step: int, steps: float, session: Session | None) -> float:
    """Share of the learning rate at a step: it rises, then falls over steps or session, whichever ends first."""
    falling = 0.5 * (1 + math.cos(math.pi * spent(step, steps, session)))
    return min(1.0, (step + 1) / max(1.0, min(WARMING, steps / 10))) * max(FLOOR, falling)


class Trained(Protocol):
    """What watches instead of training says so."""

    @property
    def watches(self) -> bool:
        """Whether its patient watches."""
        ...


T = TypeVar("T", bound=Trained)


def shared_out(samples: Sequence[T], what: str) -> tuple[list[T], list[T]]:
    """Those that train, and those of the patients that watch. ``ValueError`` when there are none of either."""
    training = [one for one in samples if not one.watches]
    watching = [one for one in samples if one.watches]
    if not training or not watching:
        raise ValueError(f"{len(training)} {what} to train and {len(watching)} to watch: expected some of each")
    return training, watching


class Fitting:
    """One training in one folder, from the start or from where it stopped.

    ``done`` steps were done before; ``seed`` plus these seeds the chances of this run, from now on. ``limits`` are
    what ends it and how often it is watched, as lightning's ``Trainer`` takes them.
    """

    def __init__(
        self, work: Path, *, session: Session | None, device: str, seed: int, resume: bool, **limits: Any
    ) -> None:
        self.last = work / "last.ckpt"
        self.goes_on = resume and self.last.exists()
        self.done = _steps_of(self.last) if self.goes_on else 0
        self.seed = seed + self.done
        seed_everything(self.seed, verbose=False)
        callbacks: list[Callback] = [
            EMAWeightAveraging(decay=AVERAGED),
            ModelCheckpoint(work, "best", monitor=WATCHED, enable_version_counter=False),
            ModelCheckpoint(work, "last", train_time_interval=SAVE_EVERY, enable_version_counter=False),
            RichProgressBar(console_kwargs={"stderr": True}),
        ]
        self.trainer = Trainer(
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=1,
            precision="bf16-mixed" if device == "cuda" else "32-true",
            gradient_clip_val=1.0,
            callbacks=[*([session] if session else []), *callbacks],
            logger=CSVLogger(work, name="", version=""),
            log_every_n_steps=10,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **limits,
        )

    def fit(self, task: LightningModule, training: DataLoader[Any], watching: DataLoader[Any]) -> None:
        """Train and keep the last state."""
        checkpoint = self.last if self.goes_on else None
        self.trainer.fit(task, training, watching, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
        self.trainer.save_checkpoint(self.last)


def best_state(work: Path) -> tuple[dict[str, Any], int]:
    """State of the network in the best checkpoint of a folder, else in the last, and how many steps led to it.

    ``ValueError`` when there is none.
    """
    found = next((work / name for name in ("best.ckpt", "last.ckpt") if (work / name).exists()), None)
    if found is None:
        raise ValueError(f"{work}: found no checkpoint; train {work.name} first")
    stored = torch.load(found, map_location="cpu", weights_only=True)
    state = {key.removeprefix("network."): value for key, value in stored["state_dict"].items()}
    return state, int(stored["global_step"])


def _steps_of(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
