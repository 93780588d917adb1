"""Weights into the registry, the same way for every pipeline: files kept, converted, hashed, then what was fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numbering.pipelines.card import Card
from numbering.weights import Entry, WeightsFile, registry, save_entry, shelve

Export = Callable[[Path, Path], Mapping[str, tuple[Path, Path]]]
"""Writes an IR for each network of a safetensors file into a folder: description and weights by the network's name."""
DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Product:
    """What an entry says besides its files: ``architecture`` and ``classes`` are those of the weights at hand."""

    card: Card
    architecture: str
    classes: tuple[str, ...]
    intended_use: str
    limitations: tuple[str, ...]
    operating_point: Any
    """A dataclass of numbers; as it is before anything was fitted."""


def shelved(product: Product, weights: Path, export: Export, *, trained_on: str, command: str) -> Entry:
    """Copy the weights to the registry's folder and convert them there; the entry is not written yet (`settled`)."""
    kept = shelve(weights, product.card.weights)
    converted = {
        name: (WeightsFile.of(xml, trained_on), WeightsFile.of(binary, trained_on))
        for name, (xml, binary) in export(kept, kept.with_suffix("")).items()
    }
    return _entry(product, WeightsFile.of(kept, trained_on), converted, trained_on, command)


def settled(entry: Entry, operating_point: Any) -> Entry:
    """Write the entry with the operating point that validation data fixed."""
    found = entry.model_copy(update={"operating_point": as_numbers(operating_point)})
    save_entry(found)
    return found


def candidate(product: Product, weights: Path) -> Entry:
    """An entry for weights that are not installed: run by torch, with the installed operating point if any."""
    entry = _entry(product, WeightsFile.elsewhere(weights), None, "", "")
    installed = registry().get(product.card.weights)
    return entry.model_copy(update={"operating_point": installed.operating_point}) if installed else entry


def as_numbers(operating_point: Any) -> dict[str, float]:
    """An operating point as the registry keeps it."""
    return {name: round(float(value), DIGITS) for name, value in asdict(operating_point).items()}


def _entry(
    product: Product,
    torch: WeightsFile,
    openvino: dict[str, tuple[WeightsFile, WeightsFile]] | None,
    trained_on: str,
    command: str,
) -> Entry:
    return Entry(
        name=product.card.weights,
        version=product.card.version,
        architecture=product.architecture,
        classes=product.classes,
        torch=torch,
        openvino=openvino,
        trained_on=trained_on,
        training_command=command,
        intended_use=product.intended_use,
        limitations=product.limitations,
        operating_point=as_numbers(product.operating_point),
        figures={},
    )
