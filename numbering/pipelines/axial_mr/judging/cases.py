"""Evaluation cases: axial MR series with their truth, as the pipeline would meet them; pixels are read when asked for.

Three layouts are read. ``series``: an ``.npz`` a study with its truth in a JSON beside it (see `reserved`).
``phantom``: folders of simulated patients (``truth.json`` and DICOM). ``levels``: single slices as DICOM or PNG in
folders named by level (``L1-L2`` … ``L5-S1``), as in the paper; of these only single slices can be judged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from numbering.anatomy import Disc, Level, Variant
from numbering.phantom.splits import reserved
from numbering.pipelines.axial_mr.classes import CLASSES, NONE, class_of
from numbering.pipelines.judging.patients import NORMAL, SPLITS, is_of_split
from numbering.stack import Stack

NEAR_MM = 9.0
"""A slice so near to the middle of a disc without passing through it there shows both: it may bear its name or none."""
UNKNOWN_FIELD_MM = 200.0
"""What a PNG shows across, for want of a header."""
LEVEL_FOLDERS = CLASSES[:NONE]


@dataclass(frozen=True, kw_only=True)
class TrueSlice:
    """What one slice shows. ``disc``: that it passes through on the spine's axis; ``near``: the disc whose name it may
    bear too; ``offset_mm`` from that disc's middle; ``position``: its class (`CLASSES`), None where it shows two."""

    disc: str | None
    near: str | None
    offset_mm: float | None
    position: int | None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One axial series and its truth, a slice by its name.

    ``study`` gives the axial stack first, then sagittal ones of the same examination. ``read_as`` is what a perfect
    reader of this series alone would call each disc, by its true name (empty where it justifies no names).
    ``external``: neither its shapes nor its equipment ever trained. ``patient`` groups cases for the bootstrap.
    """

    name: str
    patient: str
    slices: Mapping[str, TrueSlice]
    study: Callable[[], tuple[Stack, ...]]
    read_as: Mapping[str, str] = field(default_factory=dict)
    shapes: str = "real"
    anatomy: str = NORMAL
    weighting: str = ""
    style: str = ""
    layout: str = "series"
    external: bool = False

    @property
    def normal(self) -> bool:
        """Whether nothing about this patient's anatomy is unusual."""
        return self.anatomy == NORMAL

    @property
    def discs(self) -> dict[str, list[str]]:
        """The slices through each disc that has a class, head to foot."""
        found: dict[str, list[str]] = {}
        for name, one in self.slices.items():
            if one.disc is not None and one.position not in (None, NONE):
                found.setdefault(one.disc, []).append(name)
        return dict(sorted(found.items(), key=lambda item: Disc.parse(item[0])))

    @property
    def origin(self) -> str:
        """``external``, ``internal`` or ``real``."""
        return "real" if self.shapes == "real" else "external" if self.external else "internal"


def cases(data: Path, layout: str = "auto", split: str = "test") -> Iterator[Case]:
    """Cases of a folder; simulated ones only of the split (``test``, ``val``): nothing that trained counts."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: expected {' or '.join(SPLITS)}")
    readers = {"series": _series, "phantom": _phantoms, "levels": _levels}
    layout = layout_of(data) if layout == "auto" else layout
    if layout not in readers:
        raise ValueError(f"unknown layout {layout!r}: expected {' or '.join(readers)}")
    return readers[layout](data, split)


def layout_of(data: Path) -> str:
    """Which layout a folder has; ``ValueError`` says what was expected."""
    if next(data.glob("*.npz"), None):
        return "series"
    if any((data / name).is_dir() for name in LEVEL_FOLDERS):
        return "levels"
    if next(data.rglob("truth.json"), None):
        return "phantom"
    raise ValueError(
        f"{data}: no labelled MR found; expected *.npz with a JSON each (series), folders {LEVEL_FOLDERS[0]} … "
        f"{LEVEL_FOLDERS[-1]} (levels) or truth.json (phantom)"
    )


def _series(data: Path, split: str) -> Iterator[Case]:
    for path in sorted(data.glob("*.npz")):
        facts = path.with_suffix(".json")
        if not facts.is_file():
            raise ValueError(f"{path}: expected its truth in {facts}")
        truth = json.loads(facts.read_text())
        if is_of_split(truth, split):
            yield simulated(path.stem, truth, truth["mr"], partial(read_study, path))


def simulated(
    name: str, truth: Mapping[str, Any], series: Mapping[str, Any], study: Callable[[], tuple[Stack, ...]]
) -> Case:
    """A series of a simulated patient: ``truth`` says who, ``series`` (`TrueMr` as JSON) what it shows."""
    variant = variant_of(truth["variant"])
    table = reserved()
    held = (
        {one for names in table.shapes.values() for one in names},
        {one for names in table.styles.values() for one in names},
    )
    return Case(
        name=name,
        patient=str(truth["seed"]),
        slices={named(one): true_slice(one, variant) for one in series["slices"]},
        study=study,
        read_as=discs_read_as(series),
        shapes=truth["shapes"],
        anatomy=", ".join(truth["anomalies"]) or NORMAL,
        weighting=series["weighting"],
        style=", ".join(truth["styles"]),
        layout=series["layout"],
        external=truth["shapes"] in held[0] and bool(set(truth["styles"]) & held[1]),
    )


def variant_of(said: str | Mapping[str, Any]) -> Variant:
    """A variant as ``truth.json`` writes it, or as its text (``7C+12T+5L``)."""
    if not isinstance(said, str):
        return Variant(said["thoracic"], said["lumbar"])
    _, thoracic, lumbar = said.split("+")
    return Variant(int(thoracic[:-1]), int(lumbar[:-1]))


def named(one: Mapping[str, Any]) -> str:
    """``UID`` or ``UID#frame`` of a `TrueMrSlice` (as JSON)."""
    uid = str(one["sop_instance_uid"])
    return uid if one["frame"] is None else f"{uid}#{one['frame']}"


def true_slice(one: Mapping[str, Any], variant: Variant) -> TrueSlice:
    """A `TrueMrSlice` (as JSON) of a spine of this variant."""
    disc, offset = one["disc"], one["disc_offset_mm"]
    beside = disc is None and offset is not None and abs(offset) <= NEAR_MM
    return TrueSlice(
        disc=disc,
        near=one["nearest_disc"] if disc is not None or beside else None,
        offset_mm=offset,
        position=None if beside else class_of(Disc.parse(disc) if disc else None, variant),
    )


def discs_read_as(series: Mapping[str, Any]) -> dict[str, str]:
    """What a perfect reader of this `TrueMr` (as JSON) alone calls each disc, by its true name."""
    reading = (series["justified"] or {}).get("reading")
    if not reading:
        return {}
    true = {one["ordinal"]: one["level"] for one in series["vertebrae"]}
    called = dict(zip(reading["ordinals"], reading["levels"], strict=True))
    found = {}
    for ordinal, level in called.items():
        below, lower = true.get(ordinal + 1, "S1"), called.get(ordinal + 1)
        lower = "S1" if below == "S1" else lower
        if lower is not None and _neighbours(level, lower):
            found[f"{true[ordinal]}-{below}"] = f"{level}-{lower}"
    return found


def _neighbours(upper: str, lower: str) -> bool:
    try:
        Disc(Level.parse(upper), Level.parse(lower))
    except ValueError:
        return False
    return True


def read_study(path: Path) -> tuple[Stack, ...]:
    """Axial stack and its companions of an ``.npz``: ``axial`` ``(n, rows, columns)`` with ``axial_affines``
    ``(n, 4, 4)``, likewise ``sagittal`` where there is one."""
    with np.load(path) as kept:
        found = [
            stack_of(kept[name], kept[f"{name}_affines"], number)
            for number, name in enumerate(("axial", "sagittal"), 1)
            if name in kept
        ]
    return tuple(found)


def stack_of(pixels: np.ndarray[Any, Any], affines: np.ndarray[Any, Any], number: int) -> Stack:
    """Slices ``(n, rows, columns)``, each where its affine says; slice n is instance ``1.2.<number>.<n + 1>``."""
    alone = [
        Stack.of_array(pixels[index : index + 1], affine, modality="MR", series_uid=f"1.2.{number}").planes[0]
        for index, affine in enumerate(affines)
    ]
    planes = [
        plane.model_copy(update={"sop_instance_uid": f"1.2.{number}.{index + 1}"}) for index, plane in enumerate(alone)
    ]
    at = {plane.name: index for index, plane in enumerate(planes)}
    return Stack.of(
        planes,
        lambda plane: np.asarray(pixels[at[plane.name]], np.float32),
        modality="MR",
        frame_of_reference_uid="1.2.826.0.1.3680043.8.498.1",
    )


def _phantoms(data: Path, split: str) -> Iterator[Case]:
    for folder in sorted(path.parent for path in data.rglob("truth.json")):
        truth = json.loads((folder / "truth.json").read_text())
        truth["styles"] = sorted({study["style"] for study in truth["studies"]})
        if not is_of_split(truth, split):
            continue
        for series in truth["mr"]:
            if series["plane"] == "axial":
                name = str((folder / series["folder"]).relative_to(data))
                yield simulated(name, truth, series, partial(_of_phantom, folder, truth["mr"], series))


def _of_phantom(folder: Path, every: list[Mapping[str, Any]], series: Mapping[str, Any]) -> tuple[Stack, ...]:
    from numbering.dicom.read import read_series
    from numbering.dicom.stacks import stack
    from numbering.study import View

    same = [
        one
        for one in every
        if one["plane"] == "sagittal" and one["frame_of_reference_uid"] == series["frame_of_reference_uid"]
    ]
    found = []
    for one, view in [(series, View.AXIAL), *((one, View.SAGITTAL) for one in same)]:
        (files,) = read_series(sorted((folder / one["folder"]).glob("*.dcm")))
        found.append(stack(files, view))
    return tuple(found)


def _levels(data: Path, split: str) -> Iterator[Case]:
    for position, level in enumerate(LEVEL_FOLDERS):
        for path in sorted((data / level).iterdir()) if (data / level).is_dir() else ():
            yield Case(
                name=f"{level}/{path.name}",
                patient=path.stem.partition("_")[0],
                slices={"1.2.1.1": TrueSlice(disc=level, near=level, offset_mm=0.0, position=position)},
                study=partial(_single, path),
                layout="single",
            )


def _single(path: Path) -> tuple[Stack, ...]:
    if path.suffix.lower() == ".png":
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"), np.float32)[None]
        side = UNKNOWN_FIELD_MM / max(pixels.shape[1:])
        affine = np.array([[0, 0, side, 0], [0, side, 0, 0], [-4.0, 0, 0, 0], [0, 0, 0, 1]])
        return (stack_of(pixels, affine[None], 1),)
    from numbering.dicom.read import read_series
    from numbering.dicom.stacks import stack
    from numbering.study import View

    (series,) = read_series([path])
    found = stack(series, View.AXIAL)
    (plane,) = found.planes
    renamed = plane.model_copy(update={"sop_instance_uid": "1.2.1.1", "frame": None})
    return (Stack.of([renamed], lambda _: found.pixels(0), modality="MR"),)
