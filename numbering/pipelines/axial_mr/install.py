"""Weights into the registry: the network's IR, operating point from validation series, sha256 of every file."""

from __future__ import annotations

from pathlib import Path

from numbering.pipelines.axial_mr.card import CARD
from numbering.pipelines.axial_mr.classes import CLASSES
from numbering.pipelines.axial_mr.model.export import export_openvino, stored_size
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.commands import Progress, silent
from numbering.pipelines.registering import Product, candidate, settled, shelved
from numbering.weights import Entry

INTENDED_USE = (
    "Research: says which lumbar disc each slice of an axial MR series of the lumbar spine of adults passes through. "
    "Not a medical device; every result is to be verified by a radiologist."
)
LIMITATIONS = (
    "Trained on simulated MR alone: no real axial MR has trained or judged it, and how it does on real ones is not "
    "known.",
    "Discs are counted up from the sacrum and named as in a spine of five lumbar-type vertebrae: axial slices of the "
    "lumbar spine do not show how many there are, and in spines of four or six the names are wrong.",
    "Discs above L1-L2 have no class and are not named.",
    "Heat maps show what the network's answer rests on, not what is abnormal.",
)


def install(weights: Path, data: Path, *, trained_on: str, command: str, progress: Progress = silent) -> Entry:
    """Copy the weights to the registry's folder, convert, calibrate on validation series, and write the entry."""
    from numbering.pipelines.axial_mr.judging.calibrate import fit
    from numbering.pipelines.axial_mr.judging.cases import cases
    from numbering.pipelines.axial_mr.pipeline import AxialMr

    series = list(cases(data, "auto", "val"))
    if not any(one.normal for one in series):
        raise ValueError(
            f"{data}: found {len(series)} validation series; expected simulated ones of reserved seeds, of normal "
            "anatomy too (axial_mr.judging.reserved --split val)"
        )
    entry = shelved(_product(weights), weights, export_openvino, trained_on=trained_on, command=command)
    done = iter(range(1, len(series) + 1))
    point = fit(AxialMr("cpu", entry=entry), series, lambda case: progress(case.layout, next(done), len(series)))
    return settled(entry, point)


def candidate_entry(weights: Path) -> Entry:
    """An entry for weights that are not installed (see `candidate`)."""
    return candidate(_product(weights), weights)


def _product(weights: Path) -> Product:
    size = stored_size(weights)
    return Product(
        card=CARD,
        architecture=size.name,
        classes=CLASSES,
        intended_use=INTENDED_USE,
        limitations=LIMITATIONS,
        operating_point=OperatingPoint(),
    )
