"""Small simulated CT and axial MR series as files, and what a reader who knows the truth would find on them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from numbering.anatomy import Level
from numbering.errors import ReasonCode
from numbering.geometry import Box
from numbering.packed import HeatMap, LabelVolume, Place
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.dicom import ct as dicom_ct
from numbering.phantom.dicom import mr as dicom_mr
from numbering.phantom.dicom.header import frame_of_reference_uid, series_uid
from numbering.phantom.imaging.ct import acquire as ct_scanner
from numbering.phantom.imaging.ct.protocol import Protocol as CtProtocol
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.imaging.mr import acquire as mr_scanner
from numbering.phantom.imaging.mr.acquire import MrSeries
from numbering.phantom.imaging.mr.protocol import Protocol as MrProtocol
from numbering.phantom.pose import pose
from numbering.phantom.scene.labels import Label, vertebra_label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.truth.ct import TrueCt
from numbering.phantom.truth.ct import describe as describe_ct
from numbering.phantom.truth.mr import TrueMr, TrueMrSlice
from numbering.phantom.truth.mr import describe as describe_mr
from numbering.phantom.visits import Visit, record
from numbering.result import (
    Alternative,
    Findings,
    KeyImage,
    Lstv,
    Measurement,
    NumberedDisc,
    NumberingBasis,
    StatedReason,
    Status,
    Vertebra,
)
from tests.solid_shapes import Pillar

SEED = 3
CT = CtProtocol(
    region="lumbar", matrix=72, field_mm=140.0, slice_mm=4.0, increment_mm=4.0, noise_hu=5.0,
    table_offset_mm=(3.21, -7.654321), shift_mm=(10.0, 0.0), feet_to_head=True,
)  # fmt: skip
"""Uneven in every direction, and sent feet first."""
MR = MrProtocol(
    plane="axial", weighting="T2", repetition_ms=3500, echo_ms=100, fov_mm=160, matrix=(64, 60), reconstructed=72,
    readout="row", thickness_mm=4, gap_mm=0.5, slices=3, bandwidth_hz=1e9, signal_to_noise=200, normalised=1.0,
    breathing=0.0, tukey=0.5, oversampling=0.6, layout="parallel",
)  # fmt: skip


BLOCK = {"parallel": 3, "block": 24}
"""Slices of each stack."""


@dataclass(frozen=True, eq=False)
class SimulatedCt:
    """A CT and its truth; ``labels`` ``[slice, row, column]`` as simulated, in the order of ``places``."""

    truth: TrueCt
    files: tuple[bytes, ...]
    labels: NDArray[np.uint8]
    places: tuple[Place, ...]
    hu: NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class SimulatedMr:
    """An axial MR series and its truth."""

    truth: TrueMr
    files: tuple[bytes, ...]


def written(files: Iterable[bytes], folder: Path) -> list[Path]:
    """The files, named by their number."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, content in enumerate(files, 1):
        paths.append(folder / f"{number:03d}.dcm")
        paths[-1].write_bytes(content)
    return paths


@cache
def simulated_ct(*, enhanced: bool = False, tilt: float = 0.0) -> SimulatedCt:
    """A lumbar CT of bones in fat, 72 × 72 pixels."""
    visit, volume = _scanned(replace(CT, tilt=tilt))
    head = dicom_ct.header(volume.protocol, 2, enhanced=enhanced)
    uids = dicom_ct.instance_uids(visit, volume, head)
    whole = [dicom_ct.encode_enhanced(visit, volume, head)] if enhanced else dicom_ct.encode(visit, volume, head)
    truth = describe_ct(
        pose(visit.patient, "supine"), volume, visit=visit.number, series_instance_uid=series_uid(visit, head),
        frame_of_reference_uid=frame_of_reference_uid(visit), sop_instance_uids=uids, folder="ct", labels=None,
    )  # fmt: skip
    count = len(volume.hu)
    places = tuple((uids[0], n + 1) for n in range(count)) if enhanced else tuple((uid, None) for uid in uids)
    return SimulatedCt(truth, tuple(whole), volume.labels, places, volume.hu)


@cache
def _scanned(protocol: CtProtocol) -> tuple[Visit, CtVolume]:
    (visit,) = record(sample(SEED, "none"), ["ct"])
    skeleton, source = pose(visit.patient, "supine"), Procedural()
    bones = [one for placed in skeleton.vertebrae[-7:] for one in source.vertebra(skeleton, placed)]
    structures: list[Structure] = [Pillar(Label.FAT, (0.0, -40.0), (130.0, 105.0)), *bones]
    return visit, ct_scanner.acquire(skeleton, structures, protocol, 1, origin_mm=visit.origin_mm)


@cache
def simulated_mr(*, enhanced: bool = False, layout: Literal["parallel", "block"] = "parallel") -> SimulatedMr:
    """Stacks along the lumbar discs, or one block, of bones in fat, 72 × 72 pixels."""
    visit, series = _examined(layout)
    head = dicom_mr.header(series.protocol, 3, enhanced=enhanced)
    whole = [dicom_mr.encode_enhanced(visit, series, head)] if enhanced else list(dicom_mr.encode(visit, series, head))
    uids = [str(dcmread(io.BytesIO(one), stop_before_pixels=True).SOPInstanceUID) for one in whole]
    truth = describe_mr(
        visit, pose(visit.patient, "supine"), series, series_instance_uid=series_uid(visit, head),
        frame_of_reference_uid=frame_of_reference_uid(visit), sop_instance_uids=uids, folder="mr",
    )  # fmt: skip
    return SimulatedMr(truth, tuple(whole))


@cache
def _examined(layout: Literal["parallel", "block"]) -> tuple[Visit, MrSeries]:
    (visit,) = record(sample(SEED, "none"), ["mr"])
    skeleton, source = pose(visit.patient, "supine"), Procedural()
    bones = [one for placed in skeleton.vertebrae[-6:] for one in source.vertebra(skeleton, placed)]
    structures: list[Structure] = [Pillar(Label.FAT, (0.0, -40.0), (130.0, 105.0)), *bones]
    return visit, mr_scanner.acquire(skeleton, structures, replace(MR, layout=layout, slices=BLOCK[layout]), 1)


def basis(**parts: Any) -> NumberingBasis:
    """Counted from the sacrum, with every part said."""
    said: dict[str, Any] = {
        "counted_from": "sacrum",
        "anchors_in_view": ("sacrum",),
        "assumptions": ("five lumbar-type vertebrae",),
        "lumbar_type_count": 5,
        "last_rib": "T12",
        "lstv": Lstv.NOT_ASSESSED,
        "lowest_disc": "L5-S1",
        "confidence": 0.94,
        "statement": "Numbering basis: counted from the sacrum; assumed five lumbar-type vertebrae. Confidence 0.94.",
    }
    return NumberingBasis(**(said | parts))


def ct_findings(ct: SimulatedCt) -> Findings:
    """Every vertebra whose middle is in view with its voxels, and what is measured of L1."""
    seen = [one for one in ct.truth.vertebrae if one.slice is not None and one.sop_instance_uid is not None]
    levels = [one.level for one in seen]
    values = np.zeros(256, np.uint8)
    values[[vertebra_label(Level.parse(level)) for level in levels]] = np.arange(1, len(levels) + 1)
    labels = values[ct.labels]
    vertebrae, heights = [], {}
    for value, one in enumerate(seen, 1):
        assert one.slice is not None
        uid, frame = ct.places[one.slice]
        heights[one.level] = one.centre_mm[2]
        vertebrae.append(
            Vertebra(
                level=one.level, probability=0.94 + 0.005 * value, sop_instance_uid=uid, frame=frame,
                box=_extent(labels[one.slice] == value), centre_mm=one.centre_mm,
            )
        )  # fmt: skip
    return Findings(
        status=Status.NUMBERED,
        vertebrae=tuple(vertebrae),
        measurements=tuple(_of_l1(ct, labels == levels.index("L1") + 1, heights["L1"], vertebrae)),
        basis=basis(),
        alternative=Alternative(probability=0.03, levels=tuple(_one_higher(level) for level in levels)),
        segmentation=LabelVolume.of(labels, ct.places, levels),
        key_images=tuple(
            KeyImage(
                level=one.level, sop_instance_uid=one.sop_instance_uid, frame=one.frame,
                shows="axial slice through the middle of the body",
            )
            for one in vertebrae
            if one.level == "L1"
        ),
    )  # fmt: skip


def _of_l1(
    ct: SimulatedCt, mask: NDArray[np.bool_], height_mm: float, vertebrae: list[Vertebra]
) -> Iterable[Measurement]:
    voxel = abs(np.linalg.det(np.array(ct.truth.affine)[:3, :3]))
    (l1,) = [one for one in vertebrae if one.level == "L1"]
    place: dict[str, Any] = {"levels": ("L1",), "sop_instance_uid": l1.sop_instance_uid, "frame": l1.frame}
    volume = float(mask.sum() * voxel)
    yield Measurement(
        name="trabecular-attenuation-l1", value=float(ct.hu[mask].mean()), unit="HU", uncertainty=12.5,
        volume_mm3=volume / 3, **place,
    )  # fmt: skip
    yield Measurement(name="vertebral-volume-l1", value=volume / 1000, unit="cm3", **place)
    yield Measurement(name="craniocaudal-position-l1", value=height_mm, unit="mm", **place)


def mr_findings(mr: SimulatedMr, *, boxes: bool = False) -> Findings:
    """Every slice that passes through a disc, with a heat map about its middle; the best slice of each disc is key."""
    discs, maps = [], []
    best: dict[str, tuple[float, TrueMrSlice]] = {}
    for one in mr.truth.slices:
        if one.disc is None or one.spine is None:
            continue
        x, y = one.spine
        discs.append(
            NumberedDisc(
                level=one.disc, probability=0.9, sop_instance_uid=one.sop_instance_uid, frame=one.frame,
                centre_mm=one.spine_mm, box=(x - 8, y - 6, x + 8, y + 6) if boxes else None,
            )
        )  # fmt: skip
        across, down = np.meshgrid(np.linspace(0, 71, 9), np.linspace(0, 71, 7))
        blob = np.exp(-((across - x) ** 2 + (down - y) ** 2) / 200)
        maps.append(HeatMap.of(one.disc, (one.sop_instance_uid, one.frame), (-0.5, -0.5, 71.5, 71.5), blob))
        away = abs(one.disc_offset_mm or 0.0)
        if one.disc not in best or away < best[one.disc][0]:
            best[one.disc] = (away, one)
    return Findings(
        status=Status.NUMBERED,
        discs=tuple(discs),
        basis=basis(last_rib=None, anchors_in_view=()),
        alternative=Alternative(probability=0.05, levels=tuple(_disc_higher(one.level) for one in discs)),
        heat_maps=tuple(maps),
        key_images=tuple(
            KeyImage(
                level=level, sop_instance_uid=one.sop_instance_uid, frame=one.frame,
                shows="axial slice nearest to the middle of the disc",
            )
            for level, (_, one) in best.items()
        ),
        quality=("1 slice lies between discs",),
    )  # fmt: skip


def not_in_view() -> Findings:
    """An abstention that says which region was seen."""
    text = "L1 is not in view: the volume shows the cervical spine, from C2 to C7"
    return Findings(status=Status.ABSTAINED, reason=StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text))


def _one_higher(level: str) -> str:
    levels = list(map(str, Level))
    usual = [name for name in levels if name not in ("T13", "L6")]
    return usual[usual.index(level) - 1]


def _disc_higher(level: str) -> str:
    return "-".join(map(_one_higher, level.split("-")))


def _extent(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5
