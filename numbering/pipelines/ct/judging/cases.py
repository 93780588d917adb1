"""Evaluation cases: CT series with their truth, as the pipeline would meet them; voxels are read when asked for.

Two layouts are read. ``volumes``: ``*_ct.nii.gz`` with ``*_seg.nii.gz`` (VerSe labels) and, of simulated patients, a
JSON beside them (see `reserved`). ``phantom``: folders of simulated patients (``truth.json``, DICOM, label volume).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from numbering.anatomy import Level
from numbering.phantom.scene.labels import vertebra_label
from numbering.pipelines.judging.patients import NORMAL, SPLITS, is_of_split
from numbering.stack import Stack

Point = NDArray[np.float64]
CT, SEG = "_ct.nii.gz", "_seg.nii.gz"
_LABELS = {vertebra_label(level): level for level in Level if level.region in "CTL"}
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
REAL_NAMED_FROM = 2000.0
"""mm³: a labelled vertebra of real data with less than this is not asked for; the scan cuts it off."""


@dataclass(frozen=True, kw_only=True)
class TrueBody:
    """A vertebra that the series shows at least in part. ``label`` is its number in the label volume."""

    centre_mm: Point
    whole: bool
    label: int


@dataclass(frozen=True)
class Scan:
    """What the pipeline gets, and true labels uint8 ``[row, column]`` of an image of it, by its name."""

    stack: Stack
    labels: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One series and its truth.

    ``bodies`` are what it shows of vertebrae by true name, head to foot; ``read_as`` what a perfect reader of this
    series alone would call them (empty where it justifies no names). ``l1_hu`` is the density that L1's spongiosa was
    given, None where it is not known or contrast medium may have raised it. ``patient`` groups cases for the
    bootstrap, ``shapes`` says what the bones were drawn from, ``anatomy`` is `NORMAL` or names the anomalies.
    """

    name: str
    patient: str
    bodies: Mapping[str, TrueBody]
    scan: Callable[[], Scan]
    read_as: Mapping[str, str] = field(default_factory=dict)
    l1_hu: float | None = None
    shapes: str = "real"
    anatomy: str = NORMAL
    region: str = "series"

    @property
    def normal(self) -> bool:
        """Whether nothing about this patient's anatomy is unusual."""
        return self.anatomy == NORMAL

    @property
    def shows_l1(self) -> bool:
        """Whether the whole body of L1 is in view."""
        return "L1" in self.bodies and self.bodies["L1"].whole


def cases(data: Path, layout: str = "auto", split: str = "test") -> Iterator[Case]:
    """Cases of a folder; simulated ones only of the split (``test``, ``val``): nothing that trained counts."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: expected {' or '.join(SPLITS)}")
    readers = {"volumes": _volumes, "phantom": _phantoms}
    layout = layout_of(data) if layout == "auto" else layout
    if layout not in readers:
        raise ValueError(f"unknown layout {layout!r}: expected {' or '.join(readers)}")
    return readers[layout](data, split)


def layout_of(data: Path) -> str:
    """Which layout a folder has; ``ValueError`` says what was expected."""
    if next(data.glob(f"*{CT}"), None):
        return "volumes"
    if next(data.rglob("truth.json"), None):
        return "phantom"
    raise ValueError(f"{data}: no labelled CT found; expected *{CT} with *{SEG} (volumes) or truth.json (phantom)")


def _volumes(data: Path, split: str) -> Iterator[Case]:
    for path in sorted(data.glob(f"*{CT}")):
        name = path.name.removesuffix(CT)
        labels, facts = data / f"{name}{SEG}", data / f"{name}.json"
        if not labels.is_file():
            raise ValueError(f"{path}: expected its labels in {labels}")
        if not facts.is_file():
            yield _real(name, path, labels)
            continue
        truth = json.loads(facts.read_text())
        if is_of_split(truth, split):
            yield simulated(name, truth, truth["ct"], partial(read_volume, path, labels))


def _real(name: str, path: Path, labels: Path) -> Case:
    """Of real data only labels are known: the middle of a vertebra is that of its labelled voxels."""
    return Case(
        name=name,
        patient=name.partition("_")[0],
        bodies=labelled_bodies(*oriented(labels)),
        scan=partial(read_volume, path, labels),
    )


def simulated(name: str, truth: Mapping[str, Any], series: Mapping[str, Any], scan: Callable[[], Scan]) -> Case:
    """A series of a simulated patient: ``truth`` says who, ``series`` (`TrueCt` as JSON) what it shows."""
    return Case(
        name=name,
        patient=str(truth["seed"]),
        bodies=bodies_of(series),
        scan=scan,
        read_as=read_as(series),
        l1_hu=truth.get("l1_hu") if series["phase"] == "native" else None,
        shapes=truth["shapes"],
        anatomy=", ".join(truth["anomalies"]) or NORMAL,
        region=truth.get("region", series["protocol"]),
    )


def bodies_of(series: Mapping[str, Any]) -> dict[str, TrueBody]:
    """What a `TrueCt` (as JSON) shows of vertebrae, by true name."""
    return {
        one["level"]: TrueBody(
            centre_mm=np.array(one["centre_mm"]), whole=one["view"] == "whole", label=int(one["label"])
        )
        for one in series["vertebrae"]
        if one["view"] != "none"
    }


def read_as(series: Mapping[str, Any]) -> dict[str, str]:
    """What a perfect reader of this `TrueCt` (as JSON) alone calls each vertebra, by its true name."""
    reading = (series["justified"] or {}).get("reading")
    if not reading:
        return {}
    names = {one["ordinal"]: one["level"] for one in series["vertebrae"]}
    return {names[ordinal]: level for ordinal, level in zip(reading["ordinals"], reading["levels"], strict=True)}


def read_volume(path: Path, labels: Path) -> Scan:
    """Voxels and labels of a pair of NIfTI files, as a stack of slices; ``ValueError`` when their grids differ."""
    hu, affine = oriented(path)
    seg, other = oriented(labels)
    if hu.shape != seg.shape or not np.allclose(affine, other, atol=1e-2):
        raise ValueError(f"{labels}: grid {seg.shape}, expected that of {path.name}, {hu.shape}")
    stack = Stack.of_array(hu, affine)
    found = seg.astype(np.uint8)
    return Scan(stack, {plane.name: found[int(plane.name.rpartition(".")[2]) - 1] for plane in stack.planes})


def oriented(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """A NIfTI volume ``[slice, row, column]``, its axes the ones nearest to z, y and x; index to mm LPS."""
    image = Nifti1Image.from_filename(path)
    affine = np.asarray(RAS_TO_LPS @ image.affine)
    directions = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    _, axes = linear_sum_assignment(-directions)  # of x, y and z
    order = [int(axis) for axis in axes[::-1]]
    return np.asanyarray(image.dataobj).transpose(order), affine[:, [*order, 3]]


def labelled_bodies(seg: NDArray[Any], affine: NDArray[np.float64]) -> dict[str, TrueBody]:
    """What VerSe labels ``[slice, row, column]`` show; a vertebra at the volume's border is there in part."""
    volume_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    found = {}
    for label in sorted(set(np.unique(seg).astype(int).tolist()) & _LABELS.keys(), key=lambda one: _LABELS[one]):
        index = np.argwhere(seg == label)
        inside = bool((index.min(0) > 0).all() and (index.max(0) < np.array(seg.shape) - 1).all())
        found[str(_LABELS[label])] = TrueBody(
            centre_mm=(affine @ [*index.mean(0), 1.0])[:3],
            whole=inside and len(index) * volume_mm3 >= REAL_NAMED_FROM,
            label=label,
        )
    return found


def _phantoms(data: Path, split: str) -> Iterator[Case]:
    for folder in sorted(path.parent for path in data.rglob("truth.json")):
        truth = json.loads((folder / "truth.json").read_text())
        truth["styles"] = [study["style"] for study in truth["studies"]]
        if not is_of_split(truth, split):
            continue
        for series in truth["ct"]:
            name = str((folder / series["folder"]).relative_to(data))
            yield simulated(name, truth, series, partial(_of_phantom, folder, series))


def _of_phantom(folder: Path, series: Mapping[str, Any]) -> Scan:
    from numbering.dicom.read import read_series
    from numbering.dicom.stacks import stack
    from numbering.study import View

    (found,) = read_series(sorted((folder / series["folder"]).glob("*.dcm")))
    labels = np.asanyarray(Nifti1Image.from_filename(folder / series["labels"]).dataobj).transpose(2, 1, 0)
    sent = [index for index in range(len(labels)) if index not in series["missing"]]
    uids = series["sop_instance_uids"]
    names = [f"{uids[0]}#{number}" for number in range(1, len(sent) + 1)] if len(uids) < len(sent) else uids
    return Scan(stack(found, View.AXIAL), {name: labels[index] for name, index in zip(names, sent, strict=True)})
