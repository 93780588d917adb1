"""Weights into the registry: IR beside the safetensors, operating point from validation films, sha256 of each file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from numbering.pipelines.ap_xray.card import CARD
from numbering.pipelines.ap_xray.detector import DETECTOR
from numbering.weights import Entry, WeightsFile, registry, save_entry, shelve

INTENDED_USE = (
    "Research: marks the lowest lumbar-type vertebra on frontal radiographs of the whole spine or the lumbar spine of "
    "adolescents and adults. Not a medical device; every result is to be verified by a radiologist."
)
LIMITATIONS = (
    "It presumes five lumbar-type vertebrae: in a spine of six or four the name L5 is wrong, though it is the lowest.",
    "Trained on films of scoliosis patients from one collection, all with twelve ribbed and five lumbar vertebrae as "
    "labelled; implants, fractures and transitional vertebrae are rare or absent in it.",
    "Which labels are right was read again by general-purpose vision models; no radiologist has confirmed it.",
    "ultralytics' anchor-free YOLOv5u, not the anchor-based YOLOv5 of the paper; a second class marks other vertebrae.",
)


def install(
    weights: Path,
    data: Path,
    *,
    trained_on: str,
    command: str,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Entry:
    """Copy the weights to the registry's folder, convert, calibrate on validation films, and write the entry."""
    from numbering.pipelines.ap_xray.calibrate import UNCALIBRATED, as_numbers, fit
    from numbering.pipelines.ap_xray.cases import cases
    from numbering.pipelines.ap_xray.export import export_openvino
    from numbering.pipelines.ap_xray.pipeline import ApXray

    meta = _metadata(weights)
    classes = tuple(meta["classes"].split(","))
    kept = shelve(weights, CARD.weights)
    xml, binary = export_openvino(kept, meta["architecture"], len(classes), kept)
    torch_file, xml_file, binary_file = (WeightsFile.of(path, trained_on) for path in (kept, xml, binary))
    entry = Entry(
        name=CARD.weights,
        version=CARD.version,
        architecture=meta["architecture"],
        classes=classes,
        torch=torch_file,
        openvino={DETECTOR: (xml_file, binary_file)},
        trained_on=trained_on,
        training_command=command,
        intended_use=INTENDED_USE,
        limitations=LIMITATIONS,
        operating_point=as_numbers(UNCALIBRATED),
        figures={},
    )
    films = list(cases(data, "auto", "val", crops=3))
    done = iter(range(1, len(films) + 1))
    size = int(meta["image_size"])
    point = fit(ApXray("cpu", entry=entry), films, size, lambda case: progress(case.view, next(done), len(films)))
    entry = entry.model_copy(update={"operating_point": as_numbers(point)})
    save_entry(entry)
    return entry


def candidate_entry(weights: Path) -> Entry:
    """An entry for weights that are not installed: judged by torch's file with the installed operating point."""
    meta = _metadata(weights)
    installed = registry()[CARD.weights]
    return installed.model_copy(
        update={
            "architecture": meta["architecture"],
            "classes": tuple(meta["classes"].split(",")),
            "torch": WeightsFile.elsewhere(weights),
            "openvino": None,
        }
    )


def _metadata(weights: Path) -> dict[str, str]:
    """What `training.train` wrote beside the tensors; ``ValueError`` for other files."""
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        meta = dict(file.metadata() or {})
    if not {"architecture", "classes"} <= meta.keys():
        raise ValueError(f"{weights}: no architecture and classes in its metadata; expected a file written by train")
    return meta
