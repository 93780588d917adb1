"""What the command line asks of a model: train it, evaluate it, install its weights.

A model that can be trained has a module with the functions of `Commands` and a line in `MODULES`; it need not be
installed yet. Importing this loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from numbering.weights import Entry

MODULES = {
    "ap-xray": "numbering.pipelines.ap_xray.commands",
    "axial-mr": "numbering.pipelines.axial_mr.commands",
    "ct": "numbering.pipelines.ct.commands",
    "sagittal-xray": "numbering.pipelines.sagittal_xray.commands",
    "view": "numbering.pipelines.view.commands",
}

Progress = Callable[[str, int, int], None]
"""Told what was done, how many are done, and of how many."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What to train from, and how. A model refuses (``ValueError``) what it does not know, and says what it knows.

    ``out`` is the safetensors file to write; work lies in the folder of its name without suffix. ``start`` are weights
    to begin from, ``simulated`` phantoms that train too. ``hours`` fits the schedule into that time; ``epochs`` is
    instead of the size's own. ``network`` is one of the model's (None: all); ``without`` names what to leave out.
    """

    data: Path
    out: Path
    size: str = "small"
    layout: str = "auto"
    resume: bool = False
    start: Path | None = None
    simulated: Path | None = None
    hours: float | None = None
    epochs: int | None = None
    device: str = "cpu"
    network: str | None = None
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What to evaluate on. ``weights`` None: the installed ones; ``gallery`` gets a picture of the failures.

    ``split`` is ``test`` or ``val``; ``without`` names the parts of the method that are left out (ablations); ``films``
    is the most films to look at.
    """

    data: Path
    weights: Path | None = None
    layout: str = "auto"
    split: str = "test"
    gallery: Path | None = None
    device: str = "auto"
    seed: int = 0
    without: frozenset[str] = frozenset()
    films: int | None = None


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Weights for the registry, the folder whose validation films fix calibration and thresholds, and whence."""

    weights: Path
    data: Path
    trained_on: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class FigureTable:
    """A table to print, all cells as text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What came of an evaluation: ``report`` for JSON and the model's card, and the same as tables to read."""

    report: dict[str, Any]
    tables: Sequence[FigureTable]


class Commands(Protocol):
    """The module of a model. All raise ``ValueError`` with what was expected when the data or an option is wrong."""

    def train(self, order: Training) -> Path:
        """Train and write the weights; their path."""
        ...

    def evaluate(self, order: Examination, progress: Progress = silent) -> Figures:
        """The tables of the paper that the model comes from, on films that did not train."""
        ...

    def install(self, order: Installation, progress: Progress = silent) -> Entry:
        """Make what serving needs, fix calibration and thresholds on validation films, write the registry's entry."""
        ...


def commands_of(name: str) -> Commands:
    """The module of a model, imported now; ``KeyError`` names those that there are."""
    if name not in MODULES:
        raise KeyError(f"no model {name!r}: there are {', '.join(MODULES)}")
    return cast(Commands, import_module(MODULES[name]))


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """``ValueError`` unless all names are among the known ones."""
    known = list(known)
    for name in sorted(set(given) - set(known)):
        raise ValueError(f"unknown {what} {name!r}: expected {' or '.join(known) if known else 'none'}")
