"""Training of the three networks: labelled films in, one safetensors file out, to be taken up again at any time.

Work lies in the folder of the output's name: ``<network>/last.ckpt`` every few minutes, ``best.ckpt`` by the loss on
the patients that watch, ``metrics.csv``. Weights are an exponential moving average over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from numbering.pipelines.lightning_run import Fitting, best_state, session_of, shared_out
from numbering.pipelines.lite0 import Lite0, read_imagenet
from numbering.pipelines.network_files import save, states_for
from numbering.pipelines.sagittal_xray.learning.crops import CROPS_PER_FILM, Crops, stacked
from numbering.pipelines.sagittal_xray.learning.dataset import LabelledFilm, read_films
from numbering.pipelines.sagittal_xray.learning.regions import Regions, ShapedBatches
from numbering.pipelines.sagittal_xray.learning.task import Task
from numbering.pipelines.sagittal_xray.model.networks import build
from numbering.pipelines.sagittal_xray.sizes import SIZES, Size

SEED = 20261121
WITHOUT = frozenset({"caudal-crops"})
"""What training can leave out, to see what it is worth."""


def train(data: Path, out: Path, *, size: str = "small", resume: bool = False, start: Path | None = None,
          hours: float | None = None, epochs: int | None = None, device: str = "cpu", network: str | None = None,
          without: frozenset[str] = frozenset()) -> Path:  # fmt: skip
    """Train and write ``out``; returns it.

    ``network`` is one of `networks.build`'s names (None: all, one after the other, ``hours`` shared among them);
    ``start`` is a safetensors file of this pipeline, or ImageNet's weights of EfficientNet-Lite0 (``.pth``) for the
    backbones of the small size. ``resume`` goes on from the last checkpoints. ``ValueError`` for unknown names.
    """
    if size not in SIZES:
        raise ValueError(f"unknown size {size!r}: expected {' or '.join(SIZES)}")
    names = list(build(SIZES[size]))
    if network not in {None, *names}:
        raise ValueError(f"unknown network {network!r}: expected one of {', '.join(names)}")
    if without - WITHOUT:
        raise ValueError(f"cannot leave out {min(without - WITHOUT)!r}: expected {', '.join(sorted(WITHOUT))}")
    films = read_films(data)
    asked = names if network is None else [network]
    for name in asked:
        fit(
            films,
            out.with_suffix("") / name,
            SIZES[size],
            name,
            resume=resume,
            start=start,
            hours=hours / len(asked) if hours else None,
            epochs=epochs or SIZES[size].epochs,
            device=device,
            without=without,
        )
    return to_safetensors(out, SIZES[size])


def fit(films: Sequence[LabelledFilm], work: Path, size: Size, name: str, *, resume: bool, start: Path | None,
        hours: float | None, epochs: int, device: str, without: frozenset[str]) -> None:  # fmt: skip
    """Train one network; its checkpoints lie in ``work``."""
    training, watching = shared_out(films, "films")
    session = session_of(hours)
    fitting = Fitting(work, session=session, device=device, seed=SEED, resume=resume, max_epochs=epochs)
    task = Task(size, name, session)
    if start and not fitting.goes_on:
        begin(task, start)
    fitting.fit(task, training_batches(training, size, name, without), watching_batches(watching, size, name))


def training_batches(films: Sequence[LabelledFilm], size: Size, name: str, without: frozenset[str]) -> DataLoader[Any]:
    """Augmented batches without end of one epoch: every film once."""
    if name == "refine":
        batch = max(1, size.batch[name] // CROPS_PER_FILM)
        return DataLoader(Crops(films, size), batch, shuffle=True, collate_fn=stacked, drop_last=len(films) > batch)
    regions = Regions(films, size, caudal="caudal-crops" not in without)
    return DataLoader(regions, batch_sampler=ShapedBatches(films, size.batch[name]))


def watching_batches(films: Sequence[LabelledFilm], size: Size, name: str) -> DataLoader[Any]:
    """Films that watch, as they are; the same every time."""
    if name == "refine":
        return DataLoader(Crops(films, size, seed=SEED), 2, collate_fn=stacked)
    whole: Any = [[(index, 0.0)] for index in range(len(films))]
    return DataLoader(Regions(films, size, seed=SEED), batch_sampler=whole)


def begin(task: Task, start: Path) -> None:
    """Take over weights: of this pipeline, or of ImageNet for a small network's backbone."""
    if start.suffix == ".safetensors":
        task.network.load_state_dict(states_for({task.name: task.network}, start)[task.name])
        return
    features = getattr(task.network, "features", None)
    if not isinstance(features, Lite0):
        raise ValueError(f"{start}: holds weights of EfficientNet-Lite0, and {task.name} of this size has none of it")
    read_imagenet(features, start)


def to_safetensors(out: Path, size: Size) -> Path:
    """The best checkpoints of all networks in one file. ``ValueError`` names a network that was never trained."""
    best = {name: best_state(out.with_suffix("") / name) for name in build(size)}
    steps = ",".join(f"{name}:{count}" for name, (_, count) in best.items())
    metadata = {"size": size.name, "steps": steps, "licence": "AGPL-3.0-or-later"}
    return save({name: state for name, (state, _) in best.items()}, out, metadata)
