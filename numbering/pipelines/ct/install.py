"""Weights into the registry: an IR for each network, operating point from validation series, sha256 of every file."""

from __future__ import annotations

from pathlib import Path

from numbering.pipelines.commands import Progress, silent
from numbering.pipelines.ct.card import CARD
from numbering.pipelines.ct.model.export import export_openvino, stored_size
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.sizes import CLASSES, Size
from numbering.weights import Entry, WeightsFile, registry, save_entry, shelve

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
    from numbering.pipelines.ct.judging.calibrate import as_numbers, fit
    from numbering.pipelines.ct.judging.cases import cases
    from numbering.pipelines.ct.pipeline import Ct

    size = stored_size(weights)
    series = list(cases(data, "auto", "val"))
    if not any("L1" not in one.bodies for one in series) or not any(one.shows_l1 for one in series):
        raise ValueError(
            f"{data}: found {len(series)} validation series; expected simulated ones of reserved seeds, with L1 and "
            "without (ct.judging.reserved --split val)"
        )
    kept = shelve(weights, CARD.weights)
    converted = {
        name: (WeightsFile.of(xml, trained_on), WeightsFile.of(binary, trained_on))
        for name, (xml, binary) in export_openvino(kept, kept.with_suffix("")).items()
    }
    entry = _entry(size, WeightsFile.of(kept, trained_on), converted, trained_on, command)
    done = iter(range(1, len(series) + 1))
    point = fit(Ct("cpu", entry=entry), series, lambda case: progress(case.region, next(done), len(series)))
    entry = entry.model_copy(update={"operating_point": as_numbers(point)})
    save_entry(entry)
    return entry


def candidate_entry(weights: Path) -> Entry:
    """An entry for weights that are not installed: run by torch, with the installed operating point if any."""
    entry = _entry(stored_size(weights), WeightsFile.elsewhere(weights), None, "", "")
    installed = registry().get(CARD.weights)
    return entry.model_copy(update={"operating_point": installed.operating_point}) if installed else entry


def _entry(
    size: Size,
    torch: WeightsFile,
    openvino: dict[str, tuple[WeightsFile, WeightsFile]] | None,
    trained_on: str,
    command: str,
) -> Entry:
    from numbering.pipelines.ct.judging.calibrate import as_numbers

    return Entry(
        name=CARD.weights,
        version=CARD.version,
        architecture=size.name,
        classes=CLASSES[size.classes],
        torch=torch,
        openvino=openvino,
        trained_on=trained_on,
        training_command=command,
        intended_use=INTENDED_USE,
        limitations=LIMITATIONS,
        operating_point=as_numbers(OperatingPoint()),
        figures={},
    )
