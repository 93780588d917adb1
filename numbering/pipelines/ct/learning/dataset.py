"""Labelled CT: ``*_ct.nii.gz`` with ``*_seg.nii.gz`` (VerSe's numbers), and for simulated ones a JSON that says more.

Volumes are ``[slice, row, column]`` on the working grid: slices from head to foot, rows to the back, columns to the
patient's left. Reserved patients are refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from numbering.anatomy import Level, Variant
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.splits import refuse_reserved
from numbering.pipelines.ct.levels import place
from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU

LEVEL_OF: dict[int, Level] = {vertebra_label(level): level for level in Level if level < Level.S1}
SACRUM = vertebra_label(Level.S1)
WATCHED_EVERY = 16
"""Of so many patients one watches the training and does not train."""


@dataclass(frozen=True)
class Bone:
    """One vertebra of a labelled volume. ``rib_bearing`` None: not known."""

    label: int
    level: Level
    place: float
    rib_bearing: bool | None
    lowest: bool | None
    """Whether it is the lowest presacral one."""


@dataclass(frozen=True, kw_only=True)
class LabelledCt:
    """One volume that may train, not yet read."""

    name: str
    ct: Path
    seg: Path
    truth: dict[str, Any] | None
    patient: int

    @property
    def watches(self) -> bool:
        """Whether this patient watches the training instead of training."""
        return self.patient % WATCHED_EVERY == 0


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A volume that was read: HU int16, labels uint8, vertebrae head to foot."""

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    bones: tuple[Bone, ...]

    @property
    def first_lumbar(self) -> int:
        """Label of L1; 0 where the labels have none."""
        return next((bone.label for bone in self.bones if bone.level is Level.L1), 0)

    @property
    def last_thoracic(self) -> int:
        """Label of the vertebra above L1; 0 where the labels have none, or no L1."""
        thoracic = [bone.label for bone in self.bones if bone.level.region == "T"]
        return thoracic[-1] if thoracic and self.first_lumbar else 0


def read_folder(folder: Path) -> list[LabelledCt]:
    """All volumes of a folder, by name. ``ReservedPatient`` when one may not train; ``ValueError`` for an empty one."""
    found: list[LabelledCt] = []
    for ct in sorted(folder.glob("*_ct.nii.gz")):
        name = ct.name.removesuffix("_ct.nii.gz")
        seg, said = ct.with_name(f"{name}_seg.nii.gz"), ct.with_name(f"{name}.json")
        if not seg.exists():
            raise ValueError(f"{ct}: no {seg.name} beside it, expected its labels")
        truth = json.loads(said.read_text()) if said.exists() else None
        if truth is not None:
            refuse_reserved(name, truth["seed"], truth["shapes"])
        patient = len(found) if truth is None else int(truth["seed"])
        found.append(LabelledCt(name=name, ct=ct, seg=seg, truth=truth, patient=patient))
    if not found:
        raise ValueError(f"{folder}: no volume found, expected *_ct.nii.gz with *_seg.nii.gz")
    return found


def read_volume(one: LabelledCt, spacing_mm: float) -> Volume:
    """HU and labels on the working grid; a volume of another spacing or orientation is brought to it."""
    hu = _canonical(one.ct, spacing_mm, labels=False)
    labels = _canonical(one.seg, spacing_mm, labels=True)
    if hu.shape != labels.shape:
        raise ValueError(f"{one.seg}: {labels.shape} voxels, expected those of {one.ct.name}, {hu.shape}")
    return Volume(hu=hu, labels=labels.astype(np.uint8), bones=bones(one.truth, np.unique(labels).tolist()))


def bones(truth: dict[str, Any] | None, labels: Sequence[int]) -> tuple[Bone, ...]:
    """The vertebrae whose labels are there, head to foot. Without a JSON the variant follows from the labels."""
    if truth is not None:
        variant = Variant(truth["variant"]["thoracic"], truth["variant"]["lumbar"])
        ribs: dict[int, bool] = {one["label"]: one["rib_bearing"] for one in truth["vertebrae"]}
    else:
        variant, ribs = _variant(set(labels)), {}
    lowest = None if truth is None and SACRUM not in labels else variant.levels()[6 + variant.thoracic + variant.lumbar]
    named = sorted(LEVEL_OF[label] for label in labels if label in LEVEL_OF)
    return tuple(
        Bone(
            label=vertebra_label(level),
            level=level,
            place=place(level, variant),
            rib_bearing=ribs.get(vertebra_label(level)),
            lowest=None if lowest is None else level is lowest,
        )
        for level in named
    )


def _variant(labels: set[int]) -> Variant:
    """What the labels of a volume say about the number of vertebrae; the usual spine where they say nothing."""
    has = {str(level): label in labels for label, level in LEVEL_OF.items()}
    thoracic = 13 if has["T13"] else 11 if has["T11"] and has["L1"] and not has["T12"] else 12
    lumbar = 6 if has["L6"] else 4 if SACRUM in labels and has["L4"] and not has["L5"] else 5
    return Variant(thoracic, lumbar)


def _canonical(path: Path, spacing_mm: float, *, labels: bool) -> NDArray[np.int16]:
    """The array of a NIfTI with slices from head to foot, rows to the back, columns to the left, evenly spaced."""
    canonical: Any = nibabel.as_closest_canonical
    image = canonical(nibabel.load(path))
    spacing: NDArray[np.float64] = np.array(image.header.get_zooms()[:3], np.float64)[::-1]
    array: NDArray[Any] = np.asarray(image.dataobj)[::-1, ::-1, ::-1].transpose(2, 1, 0)
    if np.allclose(spacing, spacing_mm, rtol=0.01):
        return np.ascontiguousarray(array, np.int16)
    step = spacing_mm / spacing
    shape = tuple(int(count) for count in np.maximum(1, np.round(np.array(array.shape) / step)))
    if labels:
        found = affine_transform(array, step, (step - 1) / 2, shape, order=0, mode="nearest")
    else:
        blurred = gaussian_filter(array.astype(np.float32), np.maximum(step - 1, 0) / 2, mode="nearest")
        found = affine_transform(blurred, step, (step - 1) / 2, shape, order=1, mode="constant", cval=OUTSIDE_HU)
    return np.asarray(np.round(found), np.int16)
