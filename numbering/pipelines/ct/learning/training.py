"""Training of both networks: labelled volumes in, one safetensors file out, to be taken up again at any time.

Work lies in the folder of the output's name: ``<network>/last.ckpt`` every few minutes, ``best.ckpt`` by the loss on
the patients that watch, ``metrics.csv``. Weights are an exponential moving average over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch.utils.data import DataLoader

from numbering.pipelines.ct.learning.dataset import LabelledCt, read_folder
from numbering.pipelines.ct.learning.stream import Stream, Watched
from numbering.pipelines.ct.learning.task import Task
from numbering.pipelines.ct.model.export import save_networks
from numbering.pipelines.ct.sizes import CLASSES, NETWORKS, SIZES, Size
from numbering.pipelines.lightning_run import Fitting, best_state, session_of, shared_out
from numbering.pipelines.network_files import states_for

SEED = 20261121
WATCH_EVERY = 500
"""Steps between two looks at the patients that watch."""


def train(data: Path, out: Path, *, size: str = "small", classes: str | None = None, resume: bool = False,
          start: Path | None = None, hours: float | None = None, steps: int | None = None, device: str = "cpu",
          network: str | None = None) -> Path:  # fmt: skip
    """Train and write ``out``; returns it.

    ``network`` is ``direct`` or ``instance`` (None: both, one after the other, ``hours`` shared between them);
    ``classes`` one of `CLASSES` (None: the size's own); ``start`` a safetensors file of this pipeline to begin from.
    ``steps`` instead of the size's own; ``hours`` fits the schedules into that time. ``resume`` goes on from the
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
    training, watching = shared_out(volumes, "volumes")
    session = session_of(hours)
    same_shape = name == "instance" or size.direct_shape is not None
    batch = size.batch[name] if same_shape else 1
    gathered = size.batch[name] // batch
    fitting = Fitting(
        work,
        session=session,
        device=device,
        seed=SEED,
        resume=resume,
        max_steps=steps,
        accumulate_grad_batches=gathered,
        val_check_interval=gathered * min(WATCH_EVERY, steps),
        check_val_every_n_epoch=None,
    )
    task = Task(size, name, steps, session)
    if start and not fitting.goes_on:
        task.network.load_state_dict(states_for({name: task.network}, start)[name])
    fitting.fit(
        task,
        DataLoader(Stream(training, size, name, fitting.seed), batch),
        DataLoader(Watched(watching, size, name), batch),
    )


def to_safetensors(out: Path, size: Size) -> Path:
    """The best checkpoints of both networks in one file. ``ValueError`` names a network that was never trained."""
    best = {name: best_state(out.with_suffix("") / name) for name in NETWORKS}
    steps = ",".join(f"{name}:{count}" for name, (_, count) in best.items())
    states = {name: state for name, (state, _) in best.items()}
    return save_networks(states, size, out, steps=steps, licence="AGPL-3.0-or-later")
