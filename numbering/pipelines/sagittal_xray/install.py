"""Weights into the registry: an IR for each network, operating point from validation films, sha256 of every file."""

from __future__ import annotations

from pathlib import Path

from numbering.pipelines.commands import Progress, silent
from numbering.pipelines.registering import Product, candidate, settled, shelved
from numbering.pipelines.sagittal_xray.card import CARD
from numbering.pipelines.sagittal_xray.levels import LEVELS24
from numbering.pipelines.sagittal_xray.model.export import export_openvino, stored_size
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.weights import Entry

INTENDED_USE = (
    "Research: names vertebrae and measures lordosis and sacral slope on lateral radiographs of the lumbar or the "
    "whole spine of adults. Not a medical device; every result is to be verified by a radiologist."
)
LIMITATIONS = (
    "Trained on simulated films alone: no real lateral film has trained it, and how it does on real ones is not known.",
    "Names rest on the last rib-bearing vertebra or on the sacrum: in spines with another number of vertebrae they are "
    "presumed, and the alternative is stated.",
    "Corners are projections of landmarks in the middle of the body, not of its outline.",
    "Standing or lying, flexed or extended is not told apart; angles are those of the film.",
)


def install(weights: Path, data: Path, *, trained_on: str, command: str, progress: Progress = silent) -> Entry:
    """Copy the weights to the registry's folder, convert, calibrate on validation films, and write the entry."""
    from numbering.pipelines.sagittal_xray.judging.calibrate import fit
    from numbering.pipelines.sagittal_xray.judging.cases import cases
    from numbering.pipelines.sagittal_xray.pipeline import SagittalXray

    films = list(cases(data, "auto", "val"))
    if not films:
        raise ValueError(
            f"{data}: no validation films; expected simulated ones of reserved seeds (reserved --split val)"
        )
    entry = shelved(_product(weights), weights, export_openvino, trained_on=trained_on, command=command)
    done = iter(range(1, len(films) + 1))
    point = fit(
        SagittalXray("cpu", entry=entry), films, lambda case: progress(case.field_of_view, next(done), len(films))
    )
    return settled(entry, point)


def candidate_entry(weights: Path) -> Entry:
    """An entry for weights that are not installed (see `candidate`)."""
    return candidate(_product(weights), weights)


def _product(weights: Path) -> Product:
    size = stored_size(weights)
    return Product(
        card=CARD,
        architecture=size.name,
        classes=tuple(str(level) for level in LEVELS24),
        intended_use=INTENDED_USE,
        limitations=LIMITATIONS,
        operating_point=OperatingPoint(),
    )
