"""The view network's weights into the registry: IR, temperature and threshold from validation pictures, sha256."""

from __future__ import annotations

from pathlib import Path

from numbering.pipelines import openvino_ir
from numbering.pipelines.commands import Progress, silent
from numbering.pipelines.view.classifier import NAME, ViewClassifier
from numbering.pipelines.view.kinds import KINDS, SIDE
from numbering.weights import Entry, WeightsFile, save_entry, shelve

VERSION = "1.0"
INTENDED_USE = (
    "Research: tells frontal from lateral radiographs of the spine where the header does not, and doubts headers that "
    "the picture contradicts. Not a medical device."
)
LIMITATIONS = (
    "Lateral films that trained are simulated, all of them; real ones were only looked at.",
    "AP and PA are one kind: a picture does not tell them apart.",
    "Of other pictures it has seen slices of CT and MR, ultrasound and patches: radiographs of other parts of the body "
    "(hands, chests, skulls) did not train, and may be taken for a view of the spine.",
)
UNCALIBRATED = {"temperature": 1.0, "answer": 0.95}


def entry_for(weights: Path, *, trained_on: str = "", command: str = "") -> Entry:
    """An entry for weights that are not installed, run by torch."""
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        meta = dict(file.metadata() or {})
    if meta.get("classes") != ",".join(KINDS):
        raise ValueError(
            f"{weights}: classes {meta.get('classes')!r}; expected {','.join(KINDS)}, written by train view"
        )
    return Entry(
        name=NAME,
        version=VERSION,
        architecture=meta["architecture"],
        classes=tuple(KINDS),
        torch=WeightsFile.elsewhere(weights, trained_on),
        openvino=None,
        trained_on=trained_on,
        training_command=command,
        intended_use=INTENDED_USE,
        limitations=LIMITATIONS,
        operating_point=UNCALIBRATED,
        figures={},
    )


def install(weights: Path, data: Path, *, trained_on: str, command: str, progress: Progress = silent) -> Entry:
    """Copy the weights to the registry's folder, convert, calibrate on validation pictures, and write the entry."""
    from numbering.pipelines.view.evaluation import calibrate, look_at

    entry = entry_for(weights, trained_on=trained_on, command=command)
    kept = shelve(weights, NAME)
    xml, binary = export_openvino(kept)
    entry = entry.model_copy(
        update={
            "torch": WeightsFile.of(kept, trained_on),
            "openvino": {NAME: (WeightsFile.of(xml, trained_on), WeightsFile.of(binary, trained_on))},
        }
    )
    looked = look_at(ViewClassifier(entry=entry), data, "val", progress)
    entry = entry.model_copy(update={"operating_point": calibrate(looked)})
    save_entry(entry)
    return entry


def export_openvino(weights: Path) -> tuple[Path, Path]:
    """Convert a safetensors file to an IR beside it, in half precision; both paths."""
    import torch

    from numbering.pipelines.view.network import load

    example = torch.zeros(1, 1, SIDE, SIDE)
    return openvino_ir.write(load(weights), example, (-1, 1, SIDE, SIDE), weights.with_suffix(".xml"))
