"""Which simulated patients never train: reserved seeds, shape sources and equipment (``splits.json``).

Every loader that reads simulated patients for training calls `refuse_reserved_truth` (or `refuse_reserved`, where it
makes them itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from numbering.phantom.styles import STYLES

Split = Literal["train", "validation", "test"]


class ReservedPatient(ValueError):
    """A simulated patient that is reserved for validation or test was about to train."""


class _Reserved(BaseModel):
    """Seed ranges (both ends included), shape sources and styles of equipment kept for validation and test."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: dict[Literal["validation", "test"], tuple[int, int]]
    shapes: dict[Literal["validation", "test"], tuple[str, ...]]
    styles: dict[Literal["validation", "test"], tuple[str, ...]]


@cache
def reserved() -> _Reserved:
    """What ``splits.json`` reserves."""
    return _Reserved.model_validate_json(files("numbering.phantom").joinpath("splits.json").read_bytes())


def split_of(seed: int, shapes: str = "procedural", styles: Iterable[str] = ()) -> Split:
    """Where a patient belongs: test when anything about it is reserved for test, then validation, else train."""
    table = reserved()
    for split in ("test", "validation"):
        first, last = table.seeds[split]
        if first <= seed <= last or shapes in table.shapes[split] or set(styles) & set(table.styles[split]):
            return split
    return "train"


def refuse_reserved(name: str, seed: int, shapes: str = "procedural", styles: Iterable[str] = ()) -> None:
    """Raise `ReservedPatient`, which names the folder ``name``, unless this patient may train."""
    split = split_of(seed, shapes, styles)
    if split != "train":
        raise ReservedPatient(
            f"{name}: simulated patient of seed {seed}, shapes {shapes!r}, is reserved for {split} "
            "(numbering/phantom/splits.json): remove it from the training data"
        )


def refuse_reserved_truth(name: str, truth: Mapping[str, Any]) -> None:
    """`refuse_reserved` for the content of a ``truth.json``: what loaders of every pipeline call first."""
    refuse_reserved(name, truth["seed"], truth["shapes"], [study["style"] for study in truth["studies"]])


def styles_for(seed: int) -> tuple[str, ...]:
    """The styles of equipment that a patient of this seed may have: reserved ones only where the seed is reserved."""
    table, split = reserved().styles, split_of(seed)
    closed = {name for names in table.values() for name in names}
    if split == "train":
        return tuple(name for name in STYLES if name not in closed)
    return tuple(STYLES)
