"""Simulated patients as folders: ``patient-0000/ap/*.dcm`` and ``truth.json``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from numbering.phantom.old import dicom, patient, pose, preview, radiograph, truth

VIEWS = ("ap",)
"""The views that can be simulated."""


def generate(
    out: Path,
    *,
    seed: int,
    count: int,
    views: Sequence[str] = VIEWS,
    field_of_view: str | Sequence[str] = radiograph.FIELDS_OF_VIEW[0],
    anomaly: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write ``count`` patients below ``out``, seeds ``seed`` to ``seed + count - 1``, and return their folders.

    A folder that already holds the same patient complete is left alone, so an interrupted run is taken up again; the
    same arguments always give the same bytes. ``field_of_view`` is one or several of
    `radiograph.FIELDS_OF_VIEW`, a film each; ``anomaly`` one of `patient.ANOMALIES`. ``progress`` is called with the
    number of patients done and ``count``. Unknown names are a ``ValueError`` before anything is written, and so is
    a folder that holds another patient.
    """
    fields = (field_of_view,) if isinstance(field_of_view, str) else tuple(field_of_view)
    _check("view", views, VIEWS)
    _check("field of view", fields, radiograph.FIELDS_OF_VIEW)
    _check("anomaly", [] if anomaly is None else [anomaly], patient.ANOMALIES)
    if count < 0 or seed < 0:
        raise ValueError(f"seed {seed} and count {count}: expected neither below 0")
    folders = []
    for index in range(count):
        folder = out / f"patient-{index:04d}"
        sampled = patient.sample(seed + index, anomaly)
        if not _complete(folder, sampled, fields):
            _write(folder, sampled, fields)
        folders.append(folder)
        if progress:
            progress(index + 1, count)
    return folders


def _check(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"no {what} {name!r}: expected one of {', '.join(known)}")


def _complete(folder: Path, sampled: patient.Patient, fields: Sequence[str]) -> bool:
    """Whether the folder holds this patient's films, all of them; ``truth.json`` is written last."""
    if not (folder / truth.FILE_NAME).exists():
        return False
    found = truth.read(folder)
    if (found.seed, found.anomalies) != (sampled.seed, sampled.anomalies):
        raise ValueError(
            f"{folder} holds seed {found.seed} {list(found.anomalies)}, not seed {sampled.seed} "
            f"{list(sampled.anomalies)}: choose another folder"
        )
    have = {image.field_of_view for image in found.images if (folder / image.file).exists()}
    return have >= set(fields)


def _write(folder: Path, sampled: patient.Patient, fields: Sequence[str]) -> None:
    (folder / "ap").mkdir(parents=True, exist_ok=True)
    skeleton = pose.stand(sampled)
    images = []
    for field in radiograph.FIELDS_OF_VIEW:
        if field not in fields:
            continue
        rng = np.random.default_rng([sampled.seed, 2, radiograph.FIELDS_OF_VIEW.index(field)])
        exposure = radiograph.expose(skeleton, field, rng)
        name = f"ap/{field}.dcm"
        (folder / name).write_bytes(dicom.encode(sampled, exposure))
        uid = dicom.instance_uid(sampled, exposure)
        images.append(truth.describe(skeleton, exposure, sop_instance_uid=uid, file=name))
        preview.save(exposure.pixels, images[-1], folder / f"{field}.png")
    variant = truth.TrueVariant(thoracic=sampled.variant.thoracic, lumbar=sampled.variant.lumbar)
    (folder / "patient.json").write_text(patient.to_json(sampled) + "\n")
    truth.write(
        truth.Truth(seed=sampled.seed, variant=variant, anomalies=sampled.anomalies, images=tuple(images)), folder
    )
