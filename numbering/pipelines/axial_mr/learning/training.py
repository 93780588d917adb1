"""Training: labelled slices in, one safetensors file out, to be taken up again at any time.

Work lies in the folder of the output's name: ``last.ckpt`` every few minutes, ``best.ckpt`` by the loss on the patients
that watch, ``metrics.csv``. Weights are an exponential moving average over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import DataLoader

from numbering.pipelines.axial_mr.learning.dataset import Pictures
from numbering.pipelines.axial_mr.learning.labelled import LabelledSlice, read_slices
from numbering.pipelines.axial_mr.learning.task import Task
from numbering.pipelines.axial_mr.model.network import FineLite0
from numbering.pipelines.axial_mr.sizes import NETWORK, SIZES, Size
from numbering.pipelines.lightning_run import Fitting, best_state, session_of, shared_out
from numbering.pipelines.lite0 import read_imagenet
from numbering.pipelines.network_files import save, states_for

SEED = 20261122
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
    training, watching = shared_out(slices, "slices")
    session = session_of(hours)
    fitting = Fitting(work, session=session, device=device, seed=SEED, resume=resume, max_epochs=epochs)
    task = Task(size, session, fitting.seed)
    if start and not fitting.goes_on:
        begin(task, start)
    fitting.fit(
        task,
        DataLoader(Pictures(training, size), size.batch, shuffle=True, drop_last=len(training) > size.batch),
        DataLoader(Pictures(watching, size), WATCHED_BATCH),
    )


def begin(task: Task, start: Path) -> None:
    """Take over weights: of this pipeline, or of ImageNet for the backbone."""
    if start.suffix == ".safetensors":
        task.network.load_state_dict(states_for({NETWORK: task.network}, start)[NETWORK])
        return
    features = task.network.features
    if not isinstance(features, FineLite0):
        raise ValueError(f"{start}: holds weights of EfficientNet-Lite0, and size {task.size.name} has none of it")
    read_imagenet(features.network, start)


def to_safetensors(out: Path, size: Size) -> Path:
    """The best checkpoint, or the last where none was judged, as one file."""
    state, steps = best_state(out.with_suffix(""))
    metadata = {"size": size.name, "steps": str(steps), "licence": "AGPL-3.0-or-later"}
    return save({NETWORK: state}, out, metadata)
