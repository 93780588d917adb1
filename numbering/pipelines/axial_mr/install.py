"""Weights into the registry: the network's IR, operating point from validation series, sha256 of every file."""

from __future__ import annotations

from pathlib import Path

from numbering.pipelines.axial_mr.card import CARD
from numbering.pipelines.axial_mr.classes import CLASSES
from numbering.pipelines.axial_mr.model.export import export_openvino, stored_size
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.sizes import Size
from numbering.pipelines.commands import Progress, silent
from numbering.weights import Entry, WeightsFile, registry, save_entry, shelve

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
    from numbering.pipelines.axial_mr.judging.calibrate import as_numbers, fit
    from numbering.pipelines.axial_mr.judging.cases import cases
    from numbering.pipelines.axial_mr.pipeline import AxialMr

    size = stored_size(weights)
    series = list(cases(data, "auto", "val"))
    if not any(one.normal for one in series):
        raise ValueError(
            f"{data}: found {len(series)} validation series; expected simulated ones of reserved seeds, of normal "
            "anatomy too (axial_mr.judging.reserved --split val)"
        )
    kept = shelve(weights, CARD.weights)
    converted = {
        name: (WeightsFile.of(xml, trained_on), WeightsFile.of(binary, trained_on))
        for name, (xml, binary) in export_openvino(kept, kept.with_suffix("")).items()
    }
    entry = _entry(size, WeightsFile.of(kept, trained_on), converted, trained_on, command)
    done = iter(range(1, len(series) + 1))
    point = fit(AxialMr("cpu", entry=entry), series, lambda case: progress(case.layout, next(done), len(series)))
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
    from numbering.pipelines.axial_mr.judging.calibrate import as_numbers

    return Entry(
        name=CARD.weights,
        version=CARD.version,
        architecture=size.name,
        classes=CLASSES,
        torch=torch,
        openvino=openvino,
        trained_on=trained_on,
        training_command=command,
        intended_use=INTENDED_USE,
        limitations=LIMITATIONS,
        operating_point=as_numbers(OperatingPoint()),
        figures={},
    )
