"""Simulated CT as DICOM: what dciodvfy says, what a reader of the geometry finds, and that the truth names it."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.dicom.ct import (
    encode,
    encode_enhanced,
    encode_scout,
    header,
    instance_uids,
    scout_header,
)
from numbering.phantom.dicom.ct_words import HABITS, scout_words, series_words
from numbering.phantom.dicom.header import frame_of_reference_uid, series_uid
from numbering.phantom.imaging.ct.acquire import acquire
from numbering.phantom.imaging.ct.nifti import labels_nifti
from numbering.phantom.imaging.ct.protocol import EXTENTS, KERNELS, Protocol
from numbering.phantom.imaging.ct.scout import scouts
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.styles import STYLES
from numbering.phantom.truth.ct import TrueCt, describe
from numbering.phantom.visits import Visit, record
from tests.solid_shapes import Pillar
from tests.tools import complaints

PROTOCOL = Protocol(
    region="lumbar", matrix=48, field_mm=130.0, slice_mm=4.0, increment_mm=6.0, noise_hu=5.0, tilt=14.0,
    position="HFP", feet_to_head=True, table_offset_mm=(3.21, -7.654321), phase="portal", missing=(9,),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Made:
    visit: Visit
    skeleton: Skeleton
    structures: list[Structure]
    volume: CtVolume
    truth: TrueCt
    slices: list[Dataset]


@pytest.fixture(scope="module")
def made() -> Made:
    (visit,) = record(sample(3, "none"), ["ct"])
    skeleton, source = pose(visit.patient, "supine"), Procedural()
    bones = [one for placed in skeleton.vertebrae[-6:] for one in source.vertebra(skeleton, placed)]
    structures: list[Structure] = [Pillar(Label.FAT, (0.0, -40.0), (130.0, 105.0)), *bones]
    volume = acquire(skeleton, structures, PROTOCOL, 1, origin_mm=visit.origin_mm)
    head = header(PROTOCOL, 2)
    slices = [dcmread(io.BytesIO(content)) for content in encode(visit, volume, head)]
    return Made(visit, skeleton, structures, volume, truth_of(visit, skeleton, volume), slices)


def truth_of(visit: Visit, skeleton: Skeleton, volume: CtVolume, *, enhanced: bool = False) -> TrueCt:
    head = header(volume.protocol, 2, enhanced=enhanced)
    return describe(
        skeleton, volume, visit=visit.number, series_instance_uid=series_uid(visit, head),
        frame_of_reference_uid=frame_of_reference_uid(visit),
        sop_instance_uids=instance_uids(visit, volume, head), folder="ct", labels=None,
    )  # fmt: skip


def place_in(ds: Dataset, point: tuple[float, float, float]) -> tuple[float, float, float]:
    """Column, row and mm off the plane of a point, by the image's own header (PS3.3 C.7.6.2.1.1)."""
    away = np.array(point) - np.array(ds.ImagePositionPatient, float)
    along, down = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = (float(value) for value in ds.PixelSpacing)
    normal = np.cross(along, down)
    return float(away @ along / between_columns), float(away @ down / between_rows), float(away @ normal)


def test_a_vertebra_lies_where_the_header_of_its_image_puts_it(made: Made) -> None:
    shown = [one for one in made.truth.vertebrae if one.view == "whole"]
    assert [one.level for one in shown[-5:]] == ["L1", "L2", "L3", "L4", "L5"]
    images = {str(ds.SOPInstanceUID): ds for ds in made.slices}
    for vertebra in shown:
        assert vertebra.sop_instance_uid is not None
        ds = images[vertebra.sop_instance_uid]
        column, row, off = place_in(ds, vertebra.centre_mm)
        near_a_gap = vertebra.slice in PROTOCOL.missing
        assert abs(off) <= (6.1 if near_a_gap else 3.05)
        assert vertebra.slice is not None
        if not near_a_gap:
            assert made.volume.labels[vertebra.slice, round(row), round(column)] == vertebra.label
        assert 0 < column < 47
        assert min(abs(place_in(other, vertebra.centre_mm)[2]) for other in made.slices) == pytest.approx(abs(off))


def test_the_gantrys_lean_is_in_the_orientation_and_not_in_the_step(made: Made) -> None:
    first, second = (np.array(ds.ImagePositionPatient, float) for ds in made.slices[:2])
    np.testing.assert_allclose(second - first, [0, 0, 6], atol=1e-5)
    along, down = np.array(made.slices[0].ImageOrientationPatient, float).reshape(2, 3)
    np.testing.assert_allclose(along, [-1, 0, 0], atol=1e-6)
    assert np.degrees(np.arctan2(abs(down[2]), abs(down[1]))) == pytest.approx(14, abs=1e-4)
    assert float(made.slices[0].SpacingBetweenSlices) == pytest.approx(6 * np.cos(np.radians(14)), abs=1e-4)


def test_stored_values_are_the_hu_of_the_volume(made: Made) -> None:
    for ds in made.slices[::4]:
        hu = ds.pixel_array.astype(int) * int(ds.RescaleSlope) + int(ds.RescaleIntercept)
        np.testing.assert_array_equal(hu, made.volume.hu[ds.InstanceNumber - 1])


def test_a_slice_that_never_came_is_missed_and_said(made: Made) -> None:
    numbers = [int(ds.InstanceNumber) for ds in made.slices]
    assert numbers == [n for n in range(1, len(made.volume.hu) + 1) if n != 10]
    assert made.truth.missing == (9,)
    assert made.truth.sop_instance_uids == tuple(str(ds.SOPInstanceUID) for ds in made.slices)


def test_what_is_only_partly_in_view_is_said(made: Made) -> None:
    narrow = replace(PROTOCOL, region="level", tilt=0.0, missing=(), increment_mm=3.0, matrix=32)
    volume = acquire(made.skeleton, made.structures, narrow, 1, origin_mm=made.visit.origin_mm)
    truth = truth_of(made.visit, made.skeleton, volume)
    views = {one.level: one.view for one in truth.vertebrae}
    assert (views["L3"], views["L4"], views["L5"], views["T12"]) == ("none", "part", "part", "none")
    assert not truth.sacrum_in_view
    assert truth.justified is not None
    assert truth.justified.basis == "nothing"
    cut = next(one for one in truth.vertebrae if one.level == "L4").slices
    assert cut is not None
    assert cut[1] == len(volume.hu) - 1  # the stack climbs: its last slices cut L4, where it ends


def test_labels_as_nifti_lie_where_the_images_do(made: Made) -> None:
    content = labels_nifti(made.volume)
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(content))
    labels = np.asarray(image.dataobj)
    for vertebra in (one for one in made.truth.vertebrae if one.view == "whole"):
        x, y, z = vertebra.centre_mm
        index = np.linalg.inv(image.affine) @ np.array([-x, -y, z, 1.0])
        assert labels[tuple(np.rint(index[:3]).astype(int))] == vertebra.label
    assert content == labels_nifti(made.volume)


@pytest.mark.parametrize("style", STYLES)
def test_dciodvfy_accepts_every_makers_slices(made: Made, style: str, tmp_path: Path) -> None:
    visit = replace(made.visit, style=style)
    protocol = replace(PROTOCOL, padding_hu=HABITS[style].padding_hu, scan_field_mm=140.0, missing=())
    hu = made.volume.hu[:2].copy()
    hu[:, :3, :3] = -1024 if protocol.padding_hu is None else protocol.padding_hu
    volume = replace(made.volume, hu=hu, labels=made.volume.labels[:2], protocol=protocol)
    path = tmp_path / "slice.dcm"
    for protocol_ in (
        protocol,
        replace(protocol, oblique=(5.0, 0.0), tilt=0.0, kernel=KERNELS["bone"], phase="native"),
    ):
        path.write_bytes(next(encode(visit, replace(volume, protocol=protocol_), header(protocol_, 2))))
        assert complaints(path) == []
    ds = dcmread(path)
    back = ds.pixel_array.astype(int) + int(ds.RescaleIntercept)
    np.testing.assert_array_equal(back, hu[0])
    if protocol.padding_hu is not None:
        assert ds.PixelPaddingValue == ds.pixel_array[0, 0]


@pytest.mark.parametrize("phase", ["native", "portal"])
@pytest.mark.parametrize("lean", [{"tilt": 14.0}, {"tilt": 0.0, "oblique": (6.0, 2.0)}])
def test_dciodvfy_accepts_the_enhanced_object(made: Made, phase: str, lean: dict[str, object], tmp_path: Path) -> None:
    protocol = replace(PROTOCOL, phase=phase, **lean)  # type: ignore[arg-type]
    volume = replace(made.volume, protocol=protocol)
    path = tmp_path / "series.dcm"
    path.write_bytes(encode_enhanced(made.visit, volume, header(protocol, 2, enhanced=True)))
    assert complaints(path) == []
    ds = dcmread(path)
    frames = ds.PerFrameFunctionalGroupsSequence
    assert len(frames) == ds.NumberOfFrames == len(volume.hu) - 1
    truth = truth_of(made.visit, made.skeleton, volume, enhanced=True)
    vertebra = next(one for one in truth.vertebrae if one.level == "L2")
    assert (vertebra.sop_instance_uid, vertebra.frame is not None) == (str(ds.SOPInstanceUID), True)
    frame = frames[(vertebra.frame or 0) - 1]
    plane = Dataset()
    plane.ImagePositionPatient = frame.PlanePositionSequence[0].ImagePositionPatient
    plane.ImageOrientationPatient = frame.PlaneOrientationSequence[0].ImageOrientationPatient
    plane.PixelSpacing = ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    column, row, off = place_in(plane, vertebra.centre_mm)
    assert abs(off) < 3.05
    stored = ds.pixel_array[(vertebra.frame or 0) - 1]
    assert stored.shape == (48, 48)
    assert 0 < column < 47
    assert 0 < row < 47


def test_dciodvfy_accepts_both_localizers(made: Made, tmp_path: Path) -> None:
    small = replace(made.volume, hu=made.volume.hu[:2])
    head = scout_header(PROTOCOL)
    pair = scouts(made.skeleton, made.structures[:1], small, 1, origin_mm=made.visit.origin_mm)
    for number, scout in enumerate(pair, 1):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(encode_scout(made.visit, scout, PROTOCOL, head, number))
        assert complaints(path) == []
        ds = dcmread(path)
        assert ds.ImageType[2] == "LOCALIZER"
        assert np.array(ds.ImageOrientationPatient, float)[5] == -1
        assert ds.FrameOfReferenceUID == made.slices[0].FrameOfReferenceUID


@pytest.mark.parametrize("style", STYLES)
def test_every_maker_has_words_for_every_protocol(style: str) -> None:
    said = {
        series_words(style, replace(PROTOCOL, region=region, phase=phase, kernel=kernel, slice_mm=1.25))
        for region in EXTENTS
        for phase in ("native", "arterial", "portal")
        for kernel in KERNELS.values()
    }
    assert len(said) >= len(EXTENTS) * 3 * 2
    assert all(1 <= len(words.encode()) <= 64 for words in {*said, scout_words(style)})
