"""CT series of simulated patients that never train, to calibrate and to judge with.

``python -m numbering.pipelines.ct.judging.reserved --out DIR --split test --anatomy normal --patients 100 --shows l1``
writes pairs of NIfTI volumes (HU and VerSe labels) with the truth beside them: with ``l1`` one series a patient, from
the regions that clinics scan, with ``no-l1`` three, of neck, chest and pelvis, that end before L1. Slices and pixels
are about 2 mm, which is what the small networks see; an archive's would take ten times as long. Scanner and
reconstruction are simulated as for DICOM. A run that was broken off goes on where it was; the same arguments write the
same series.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.ct.protocol import Protocol, Region, sample_protocol
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import pose
from numbering.phantom.produce.stage import shape_source
from numbering.phantom.scene.build import scene
from numbering.phantom.truth.ct import describe
from numbering.pipelines.ct.judging.cases import CT, RAS_TO_LPS, SEG
from numbering.pipelines.judging.patients import ANATOMIES, SPLITS, Person, person

PIXEL_MM, SLICE_MM = 1.8, 2.0
"""Finer series are simulated this coarsely."""
WITH_L1: tuple[Region, ...] = ("lumbar", "abdomen", "upper-abdomen", "thoracolumbar", "abdomen", "lumbar", "chest")
"""In turn; a chest that ends above L1 is moved down by `LOWER_CHEST_MM`."""
LOWER_CHEST_MM = 45.0
WITHOUT_L1: dict[str, tuple[Region, tuple[float, float]]] = {
    "neck": ("cervical", (0.0, 0.0)),
    "upper-chest": ("chest", (0.0, 85.0)),
    "pelvis": ("lumbar", (-115.0, -60.0)),
}
"""Region, and how its upper and its lower end are moved, mm upwards: what ends before L1 begins."""
COMPRESSION = 1
SHOWN = ("l1", "no-l1")


def protocols(who: Person, index: int, shows: str) -> dict[str, Protocol]:
    """What is scanned of this patient, by the series' name."""
    if shows == "l1":
        region = WITH_L1[index % len(WITH_L1)]
        drawn = sample_protocol(np.random.default_rng([who.seed, 71]), region)
        lower = LOWER_CHEST_MM if region == "chest" else 0.0
        return {region: coarse(replace(drawn, shift_mm=(drawn.shift_mm[0], drawn.shift_mm[1] - lower)))}
    found = {}
    for number, (name, (region, shift)) in enumerate(WITHOUT_L1.items()):
        drawn = sample_protocol(np.random.default_rng([who.seed, 72, number]), region)
        found[name] = coarse(replace(drawn, shift_mm=shift))
    return found


def coarse(protocol: Protocol) -> Protocol:
    """The same series with pixels and slices of about `PIXEL_MM` and `SLICE_MM`, where it is finer."""
    return replace(
        protocol,
        matrix=max(64, int(protocol.field_mm / PIXEL_MM) // 2 * 2),
        slice_mm=max(protocol.slice_mm, SLICE_MM),
        increment_mm=max(protocol.increment_mm, SLICE_MM),
    )


def write_series(out: Path, who: Person, wanted: dict[str, Protocol]) -> int:
    """Write those of the patient's series that are missing; how many."""
    missing = {name: one for name, one in wanted.items() if not (out / f"{stem(who, name)}.json").exists()}
    if not missing:
        return 0
    from numbering.phantom.imaging.ct.acquire import acquire

    skeleton = pose(sample(who.seed, who.anomaly), "supine")
    scenes: dict[bool, Any] = {}
    for name, protocol in missing.items():
        arms = protocol.arms == "down"
        if arms not in scenes:
            scenes[arms] = scene(skeleton, shape_source(who.shapes), who.seed, arms=arms)
        volume = acquire(skeleton, scenes[arms], protocol, [who.seed, 73, sorted(wanted).index(name)])
        truth = describe(
            skeleton, volume, visit=1, series_instance_uid="", frame_of_reference_uid="",
            sop_instance_uids=[str(index) for index in range(len(volume.hu))], folder="", labels=None,
        )  # fmt: skip
        facts = {
            "seed": who.seed,
            "shapes": who.source,
            "anomalies": list(skeleton.patient.anomalies),
            "variant": str(skeleton.patient.variant),
            "region": name,
            "l1_hu": skeleton.patient.bone_hu,
            "ct": truth.model_dump(mode="json", exclude={"sop_instance_uids", "affine"}),
        }
        save_series(out, stem(who, name), volume, facts)
    return len(missing)


def stem(who: Person, name: str) -> str:
    """How a series' files begin."""
    return f"{who.seed:06d}-{who.source}-{name}"


def save_series(out: Path, name: str, volume: CtVolume, facts: dict[str, Any]) -> None:
    """Write one series of the layout. The JSON comes last and whole: a series that has one is done."""
    out.mkdir(parents=True, exist_ok=True)
    for ending, voxels in ((CT, volume.hu), (SEG, np.where(volume.labels < 29, volume.labels, 0).astype(np.uint8))):
        _write_nifti(out / f"{name}{ending}", voxels, volume.affine)
    temporary = out / f"{name}.tmp"
    temporary.write_text(json.dumps(facts, separators=(",", ":")))
    temporary.replace(out / f"{name}.json")


def _write_nifti(path: Path, voxels: NDArray[Any], affine: NDArray[np.float64]) -> None:
    import gzip

    ras = RAS_TO_LPS @ affine[:, [2, 1, 0, 3]]
    image = Nifti1Image(np.ascontiguousarray(voxels.transpose(2, 1, 0)), ras)  # type: ignore[no-untyped-call]
    path.write_bytes(gzip.compress(image.to_bytes(), COMPRESSION, mtime=0))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    parser = argparse.ArgumentParser(prog="numbering.pipelines.ct.judging.reserved", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=tuple(SPLITS), required=True)
    parser.add_argument("--anatomy", choices=ANATOMIES, required=True)
    parser.add_argument("--patients", type=int, required=True)
    parser.add_argument("--shows", choices=SHOWN, required=True, help="series that show L1, or that do not")
    parser.add_argument("--first", type=int, default=0, help="number of the first patient")
    parser.add_argument("--shapes", nargs="+", default=["procedural"], help="each patient gets one of these, in turn")
    asked = parser.parse_args(arguments)
    for index in range(asked.first, asked.first + asked.patients):
        who = person(index, asked.split, asked.anatomy, asked.shapes[index % len(asked.shapes)])
        write_series(asked.out, who, protocols(who, index, asked.shows))
        sys.stderr.write(f"patient {index}, seed {who.seed}\n")


if __name__ == "__main__":
    main()
