"""Weights into the registry: an IR for each network, operating point from validation series, sha256 of every file."""

from __future__ import annotations

from pathlib import Path

from numbering.pipelines.commands import Progress, silent
from numbering.pipelines.ct.card import CARD
from numbering.pipelines.ct.model.export import export_openvino, stored_size
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.sizes import CLASSES
from numbering.pipelines.registering import Product, candidate, settled, shelved
from numbering.weights import Entry

INTENDED_USE = (
    "Research: finds L1 on axial CT of the trunk of adults, names and segments the vertebrae in view, and measures the "
    "mean attenuation of L1's spongy bone. Not a medical device; every result is to be verified by a radiologist."
)
LIMITATIONS = (
    "Trained on simulated CT alone: no real CT has trained it; how it does on real ones is not known beyond the two "
    "studies that docs/ct.md describes.",
    "Names rest on the last rib-bearing vertebra or on the sacrum: in spines with another number of vertebrae they are "
    "presumed, and the alternative is stated.",
    "It abstains where L1 is not wholly in view; cervical vertebrae are hardly represented in training.",
    "The attenuation of L1 is a measurement on uncalibrated HU; contrast medium and tube voltage change it.",
)


def install(weights: Path, data: Path, *, trained_on: str, command: str, progress: Progress = silent) -> Entry:
    """Copy the weights to the registry's folder, convert, calibrate on validation series, and write the entry."""
    from numbering.pipelines.ct.judging.calibrate import fit
    from numbering.pipelines.ct.judging.cases import cases
    from numbering.pipelines.ct.pipeline import Ct

    series = list(cases(data, "auto", "val"))
    if not any("L1" not in one.bodies for one in series) or not any(one.shows_l1 for one in series):
        raise ValueError(
            f"{data}: found {len(series)} validation series; expected simulated ones of reserved seeds, with L1 and "
            "without (ct.judging.reserved --split val)"
        )
    entry = shelved(_product(weights), weights, export_openvino, trained_on=trained_on, command=command)
    done = iter(range(1, len(series) + 1))
    point = fit(Ct("cpu", entry=entry), series, lambda case: progress(case.region, next(done), len(series)))
    return settled(entry, point)


def candidate_entry(weights: Path) -> Entry:
    """An entry for weights that are not installed (see `candidate`)."""
    return candidate(_product(weights), weights)


def _product(weights: Path) -> Product:
    size = stored_size(weights)
    return Product(
        card=CARD,
        architecture=size.name,
        classes=CLASSES[size.classes],
        intended_use=INTENDED_USE,
        limitations=LIMITATIONS,
        operating_point=OperatingPoint(),
    )
