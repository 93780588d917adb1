"""Reads folders of the VID layout: keypoints that a network found in CT scans, and the truth about them.

ImFusion VID, Bürgin et al., MICCAI 2023, CC BY-SA 4.0. A folder holds ``KeypointGroundTruthNoSacrum/*/NAME.json`` and
``KeypointPredictionsNoSacrum/*/NAME.json``; ``mapping-export-*.txt``, where it is there, says which scans are of one
patient.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level
from numbering.enumeration.detections import Detections

TRUTH, FOUND = "KeypointGroundTruthNoSacrum", "KeypointPredictionsNoSacrum"
FOLDS = 5


@dataclass(frozen=True)
class Scan:
    """One scan: its public index in the set, its patient, the true levels with ``(n, 3)`` centres in mm LPS head to
    foot, and what the network found.
    """

    name: str
    patient: str
    levels: tuple[Level, ...]
    centres: NDArray[np.float64]
    found: Detections

    @property
    def collection(self) -> str:
        """Which of VID's three collections the scan is from; empty where its source is not known."""
        kinds = {"sub-": "VerSe", "PANCREAS": "Pancreas-CT", "CTC-": "CT Colonography", "1.3.6": "CT Colonography"}
        return next((name for start, name in kinds.items() if self.patient.startswith(start)), "")

    @property
    def has_l6(self) -> bool:
        """Whether the truth names a sixth lumbar vertebra."""
        return Level.L6 in self.levels

    @property
    def has_11_ribs(self) -> bool:
        """Whether T11 is followed by L1 in the truth."""
        return (Level.T11, Level.L1) in set(zip(self.levels, self.levels[1:], strict=False))


def fold_of_name(name: str) -> int:
    """The cross-validation fold of a patient or scan: fixed by a hash, so it needs no list and no seed."""
    return crc32(name.encode()) % FOLDS


def scans(folder: Path) -> list[Scan]:
    """All scans below this folder, sorted by name; ``FileNotFoundError`` says what was expected."""
    truths, found = _files(folder, TRUTH), _files(folder, FOUND)
    if not truths:
        raise FileNotFoundError(f"{folder}: found no {TRUTH}/*/*.json; expected a folder of the VID layout")
    lost = sorted(truths.keys() - found.keys())
    if lost:
        raise FileNotFoundError(f"{folder}: {len(lost)} scans have a truth and no {FOUND}, the first is {lost[0][1]}")
    patients = _patients(folder)
    return [_scan(name, patients.get(name, name), truths[split, name], found[split, name]) for split, name in truths]


def _files(folder: Path, kind: str) -> dict[tuple[str, str], Path]:
    """By split and name. The split's own folder may be missing, and the layout may lie one folder deeper."""
    roots = sorted(path for path in (folder, *folder.glob("*"), *folder.glob("*/*")) if path.name == kind)
    roots = roots or sorted(folder.glob(f"{kind}"))
    files = sorted(path for root in roots for path in root.rglob("*.json"))
    return {(path.parent.name if path.parent.name != kind else "", path.stem): path for path in files}


def _patients(folder: Path) -> dict[str, str]:
    patients = {}
    for listing in sorted(folder.rglob("mapping-export-*.txt")):
        for line in listing.read_text().splitlines():
            name, _, source = line.partition(",")
            patients[name.strip()] = _patient(source.strip())
    return patients


def _patient(source: str) -> str:
    """The part of a source path that names the patient, in the three collections that VID was made from."""
    for pattern in (r"CTC-\d+", r"PANCREAS_\d+", r"sub-[a-z]+\d+", r"1\.3\.6\.1\.4\.1\.9328\.50\.\d+\.\d+"):
        if match := re.search(pattern, source):
            return match.group()
    return source


def _scan(name: str, patient: str, truth: Path, found: Path) -> Scan:
    bodies = sorted(
        ((Level.parse(point["type"]["spine_level"]), point["coordinates"]["world_space"]) for point in _bodies(truth)),
        key=lambda body: -body[1][2],
    )
    points = json.loads(found.read_text())
    return Scan(
        name,
        patient,
        tuple(level for level, _ in bodies),
        np.array([centre for _, centre in bodies]).reshape(-1, 3),
        Detections.of(
            _points(points, "body"),
            [point["type"]["spine_segment_probabilities"] for point in points if _is(point, "body")],
            _points(points, "left"),
            _points(points, "right"),
        ),
    )


def _bodies(truth: Path) -> Iterator[dict]:
    return (point for point in json.loads(truth.read_text()) if _is(point, "body"))


def _is(point: dict, kind: str) -> bool:
    return point["type"]["keypoint_type"] == kind


def _points(points: Sequence[dict], kind: str) -> list[list[float]]:
    return [point["coordinates"]["world_space"] for point in points if _is(point, kind)]
