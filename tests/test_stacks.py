"""From files of CT and MR to stacks: order, Hounsfield units, single frames, duplicates, and what is broken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.pixels import get_encoder
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLSLossless, RLELossless

from numbering.dicom.read import read_series
from numbering.dicom.stacks import AIR_HU, stack
from numbering.errors import QuarantinedInput, ReasonCode
from numbering.plane import Plane
from numbering.stack import Facts, Stack
from numbering.study import Series, View
from tests.films import SECRETS
from tests.volumes import (
    INTERCEPT,
    affine,
    field,
    item,
    planes_of,
    volume_of,
    write_enhanced,
    write_series,
    write_slice,
)

FEET_FIRST = affine(step=(0, 0, 2.5), down=(0, 0.6, 0.2), along=(0.5, 0, 0), at=(-9, 3, -8))


def series_of(paths: Sequence[Path]) -> Series:
    (series,) = read_series(paths)
    return series


def read(paths: Sequence[Path], view: View = View.AXIAL) -> Stack:
    return stack(series_of(paths), view)


def shows_the_field(found: Stack) -> bool:
    """Whether every pixel holds the value of its place in the body, so that no slice, row or column is swapped."""
    for index, plane in enumerate(found.planes):
        rows, columns = np.mgrid[: plane.rows, : plane.columns]
        expected = np.maximum(field(plane.to_mm(np.stack([columns, rows], axis=-1))), AIR_HU)
        if not np.array_equal(found.pixels(index), expected):
            return False
    return True


def test_slices_are_in_order_by_their_place_whatever_their_numbers_say(tmp_path: Path) -> None:
    found = read(write_series(tmp_path, Stack.of_array(volume_of(FEET_FIRST), FEET_FIRST)))
    assert [plane.sop_instance_uid for plane in found.planes] == [f"1.2.3.{n}" for n in (6, 5, 4, 3, 2, 1)]
    assert found.sheared
    assert found.uniform
    assert (found.modality, found.frame_of_reference_uid, found.duplicates) == ("CT", "1.2.840.9", ())
    assert shows_the_field(found)


def test_what_lies_outside_of_the_scanners_field_is_air(tmp_path: Path) -> None:
    (plane, *_) = planes_of(affine())
    pixels = np.full((5, 4), 40)
    pixels[0], pixels[1] = -3024, 976
    path = write_slice(tmp_path / "a.dcm", plane, pixels, PixelPaddingValue=976 - INTERCEPT)
    (values,) = read([path]).block()
    assert values[:, 0].tolist() == [AIR_HU, AIR_HU, 40, 40, 40]


def test_padding_may_be_a_range(tmp_path: Path) -> None:
    (plane, *_) = planes_of(affine())
    pixels = np.array([[10, 20, 30, 40]] * 5)
    stored = {"PixelPaddingValue": 30 - INTERCEPT, "PixelPaddingRangeLimit": 20 - INTERCEPT}
    (values,) = read([write_slice(tmp_path / "a.dcm", plane, pixels, **stored)]).block()
    assert values[0].tolist() == [10, AIR_HU, AIR_HU, 40]


def test_an_mr_keeps_its_makers_units(tmp_path: Path) -> None:
    (plane, *_) = planes_of(affine())
    path = write_slice(tmp_path / "a.dcm", plane, np.full((5, 4), -3000), modality="MR", PixelPaddingValue=-3000)
    assert (read([path]).pixels(0) == -3000).all()


@pytest.fixture
def frames() -> list[Plane]:
    return sorted(planes_of(FEET_FIRST, multi_frame=True), key=lambda plane: plane.frame or 0)


def stored() -> np.ndarray:
    return (volume_of(FEET_FIRST) - INTERCEPT).astype("<i2")


@pytest.mark.parametrize("syntax", [None, DeflatedExplicitVRLittleEndian])
def test_frames_of_an_enhanced_object_are_slices(tmp_path: Path, frames: list[Plane], syntax: str | None) -> None:
    options = {"TransferSyntaxUID": syntax} if syntax else {}
    found = read([write_enhanced(tmp_path / "ct.dcm", frames, stored(), **options)])
    assert [plane.frame for plane in found.planes] == [6, 5, 4, 3, 2, 1]
    assert shows_the_field(found)


def test_frames_of_a_big_endian_object_are_slices(tmp_path: Path, frames: list[Plane]) -> None:
    ds = dcmread(write_enhanced(tmp_path / "ct.dcm", frames, stored()))
    ds.PixelData = stored().astype(">i2").tobytes()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dcmwrite(tmp_path / "ct.dcm", ds, implicit_vr=False, little_endian=False, force_encoding=True)
    assert shows_the_field(read([tmp_path / "ct.dcm"]))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("offsets", [True, False])
def test_compressed_frames_are_slices(tmp_path: Path, frames: list[Plane], syntax: str, offsets: bool) -> None:
    about = {
        "rows": 5, "columns": 4, "samples_per_pixel": 1, "number_of_frames": 1, "bits_allocated": 16,
        "bits_stored": 16, "pixel_representation": 1, "photometric_interpretation": "MONOCHROME2",
    }  # fmt: skip
    encoder = get_encoder(syntax)
    streams = [bytes(encoder.encode(frame.tobytes(), **about)) for frame in stored()]
    path = write_enhanced(tmp_path / "ct.dcm", frames, streams, TransferSyntaxUID=syntax, offsets=offsets)
    assert shows_the_field(read([path]))


def test_a_frame_is_read_without_the_others(tmp_path: Path, frames: list[Plane]) -> None:
    path = write_enhanced(tmp_path / "ct.dcm", frames, stored())
    found = read([path])
    path.write_bytes(path.read_bytes()[: -2 * 5 * 4 * 2])
    for index in (2, 3, 4, 5):
        found.pixels(index)
    for index in (0, 1):
        with pytest.raises(QuarantinedInput, match=r"1\.2\.3\.1"):
            found.pixels(index)


def test_each_frame_has_its_own_rescaling(tmp_path: Path, frames: list[Plane]) -> None:
    path = write_enhanced(tmp_path / "mr.dcm", frames, np.full((6, 5, 4), 100), modality="MR")
    ds = dcmread(path)
    own = [item(RescaleSlope="2.5", RescaleIntercept="-7")]
    ds.PerFrameFunctionalGroupsSequence[1].PixelValueTransformationSequence = own
    ds.save_as(path)
    found = read([path])
    values = {plane.frame: found.pixels(index)[0, 0] for index, plane in enumerate(found.planes)}
    assert values == {1: -924, 2: 243, 3: -924, 4: -924, 5: -924, 6: -924}


def test_slices_that_came_twice_are_told_and_left_out(tmp_path: Path) -> None:
    once = Stack.of_array(volume_of(affine()), affine())
    again = once.planes[2].model_copy(update={"sop_instance_uid": "1.2.4.1"})
    paths = [
        *write_series(tmp_path, once),
        write_slice(tmp_path / "again.dcm", again, np.zeros((5, 4)), InstanceNumber=9),
    ]
    found = read(paths)
    assert found.duplicates == (again,), "of two in one place the first by its number is kept"
    assert len(found) == 6
    assert found.uniform


@pytest.mark.parametrize(
    ("keyword", "values", "kept"),
    [
        ("EchoTime", ("20", "100"), "1.2.5"),
        ("TemporalPositionIdentifier", (1, 2), "1.2.4"),
        ("AcquisitionNumber", (2, 1), "1.2.5"),
    ],
)
def test_of_several_pictures_of_each_place_one_whole_set_is_kept(
    tmp_path: Path, keyword: str, values: tuple[object, object], kept: str
) -> None:
    paths = []
    for uid, value in zip(("1.2.4", "1.2.5"), values, strict=True):
        one = Stack.of_array(volume_of(affine()), affine(), series_uid=uid, modality="MR")
        paths += write_series(tmp_path / uid, one, **{keyword: value})
    found = read(paths)
    assert {plane.sop_instance_uid.rpartition(".")[0] for plane in found.planes} == {kept}
    assert (len(found.planes), len(found.duplicates)) == (6, 6)


def test_slices_acquired_one_by_one_are_all_kept(tmp_path: Path) -> None:
    whole = Stack.of_array(volume_of(affine()), affine())
    paths = [
        write_slice(tmp_path / f"{number}.dcm", plane, whole.pixels(number), AcquisitionNumber=number + 1)
        for number, plane in enumerate(whole.planes)
    ]
    assert (len(read(paths)), read(paths).duplicates) == (6, ())


def test_only_slices_of_the_view_are_taken(tmp_path: Path) -> None:
    sagittal = affine(step=(3, 0, 0), down=(0, 0, -0.75), along=(0, 0.5, 0))
    paths = [
        *write_series(tmp_path / "a", Stack.of_array(volume_of(affine()), affine(), modality="MR")),
        *write_series(tmp_path / "s", Stack.of_array(volume_of(sagittal), sagittal, series_uid="1.2.4", modality="MR")),
    ]
    assert {plane.sop_instance_uid[:6] for plane in read(paths).planes} == {"1.2.3."}
    assert {plane.sop_instance_uid[:6] for plane in read(paths, View.SAGITTAL).planes} == {"1.2.4."}


def test_slices_along_a_steep_lumbosacral_disc_are_axial_where_others_are(tmp_path: Path) -> None:
    angle = np.radians(55)
    down, step = np.array([0, np.cos(angle), np.sin(angle)]), np.array([0, np.sin(angle), -np.cos(angle)])
    steep = affine(step=4 * step, down=0.75 * down, at=(-40, -120, 200))
    lower = write_series(tmp_path / "low", Stack.of_array(volume_of(steep), steep, series_uid="1.2.4", modality="MR"))
    upper = write_series(tmp_path / "up", Stack.of_array(volume_of(affine()), affine(), modality="MR"))
    assert len(read([*upper, *lower])) == 12
    assert len(read(lower, View.CORONAL)) == 6, "alone they are what they are nearest to"


def test_slices_that_lean_to_the_side_as_steeply_are_not_axial(tmp_path: Path) -> None:
    angle = np.radians(55)
    along, step = np.array([np.cos(angle), 0, np.sin(angle)]), np.array([np.sin(angle), 0, -np.cos(angle)])
    steep = affine(step=4 * step, along=0.5 * along, at=(-40, -120, 200))
    leaning = write_series(tmp_path / "s", Stack.of_array(volume_of(steep), steep, series_uid="1.2.4", modality="MR"))
    axial = write_series(tmp_path / "a", Stack.of_array(volume_of(affine()), affine(), modality="MR"))
    assert len(read([*axial, *leaning])) == 6
    assert len(read([*axial, *leaning], View.SAGITTAL)) == 6


def test_a_damaged_slice_names_itself_and_nothing_of_the_patient(tmp_path: Path) -> None:
    paths = write_series(tmp_path, Stack.of_array(volume_of(affine()), affine()))
    found = read(paths)
    broken = next(path for path in paths if str(dcmread(path).SOPInstanceUID) == found.planes[2].sop_instance_uid)
    broken.write_bytes(broken.read_bytes()[:-9])
    found.pixels(1)
    with pytest.raises(QuarantinedInput) as error:
        found.pixels(2)
    reason = error.value.reason
    assert reason.code is ReasonCode.PIXELS_NOT_DECODABLE
    assert found.planes[2].sop_instance_uid in reason.text
    assert not any(secret in reason.text for secret in (*SECRETS, str(tmp_path)))


def test_a_slice_in_colour_is_not_decoded(tmp_path: Path) -> None:
    (plane, *_) = planes_of(affine())
    path = write_slice(
        tmp_path / "a.dcm", plane, np.zeros((5, 4)), SamplesPerPixel=3, PhotometricInterpretation="RGB",
        PlanarConfiguration=0, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0, PixelData=b"\x01" * 60,
    )  # fmt: skip
    with pytest.raises(QuarantinedInput):
        read([path]).pixels(0)


def facts_of(path: Path, **elements: object) -> Facts:
    (plane, *_) = planes_of(affine())
    modality = "MR" if "EchoTime" in elements or "MagneticFieldStrength" in elements else "CT"
    return read([write_slice(path / "a.dcm", plane, np.zeros((5, 4)), modality=modality, **elements)]).facts


def test_a_ct_says_how_it_was_reconstructed(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, ConvolutionKernel=["Br38f", "3"], KVP="120", GantryDetectorTilt="-14.5")
    assert (facts.kernel, facts.kilovolt, facts.gantry_tilt_degrees) == ("Br38f", 120, -14.5)
    assert facts.weighting is None


@pytest.mark.parametrize(
    ("elements", "weighting", "fat_suppressed"),
    [
        ({"EchoTime": "11", "RepetitionTime": "600"}, "T1", None),
        ({"EchoTime": "98", "RepetitionTime": "3900"}, "T2", None),
        ({"EchoTime": "20", "RepetitionTime": "2600"}, "PD", None),
        ({"EchoTime": "45", "RepetitionTime": "3900", "InversionTime": "160"}, "STIR", True),
        ({"EchoTime": "9", "RepetitionTime": "2200", "InversionTime": "860"}, "T1", None),
        ({"EchoTime": "98", "RepetitionTime": "3900", "ScanOptions": ["FS", "SP"]}, "T2", True),
        ({"EchoTime": "98", "RepetitionTime": "3900", "SeriesDescription": "t2_tse_fs tra"}, "T2", True),
        ({"EchoTime": "4", "RepetitionTime": "300", "ScanningSequence": "GR"}, None, None),
    ],
    ids=str,
)
def test_an_mr_says_what_it_is_weighted_by(
    tmp_path: Path, elements: dict[str, object], weighting: str | None, fat_suppressed: bool | None
) -> None:
    facts = facts_of(tmp_path, **elements)
    assert (facts.weighting, facts.fat_suppressed) == (weighting, fat_suppressed)


def test_a_time_that_is_no_number_is_none(tmp_path: Path) -> None:
    (plane, *_) = planes_of(affine())
    path = write_slice(
        tmp_path / "a.dcm", plane, np.zeros((5, 4)), modality="MR", EchoTime="9876", RepetitionTime="500"
    )
    path.write_bytes(path.read_bytes().replace(b"9876", b"wide"))
    facts = read([path]).facts
    assert (facts.echo_ms, facts.repetition_ms, facts.weighting) == (None, 500, None)


@pytest.mark.parametrize(("written", "tesla"), [("1.5", 1.5), ("15000", 1.5), ("0.3", 0.3)])
def test_a_field_in_gauss_is_tesla(tmp_path: Path, written: str, tesla: float) -> None:
    assert facts_of(tmp_path, MagneticFieldStrength=written).field_tesla == tesla


def test_an_enhanced_mr_says_so_in_its_functional_groups(tmp_path: Path, frames: list[Plane]) -> None:
    path = write_enhanced(tmp_path / "mr.dcm", frames, stored(), modality="MR", MagneticFieldStrength=3.0)
    ds = dcmread(path)
    (shared,) = ds.SharedFunctionalGroupsSequence
    shared.MREchoSequence = [item(EffectiveEchoTime=101.0)]
    shared.MRTimingAndRelatedParametersSequence = [item(RepetitionTime=4200.0)]
    shared.MRModifierSequence = [item(SpectrallySelectedSuppression="FAT")]
    ds.save_as(path)
    facts = read([path]).facts
    assert (facts.weighting, facts.fat_suppressed, facts.field_tesla) == ("T2", True, 3.0)


def test_facts_in_which_slices_differ_are_not_told(tmp_path: Path) -> None:
    whole = Stack.of_array(volume_of(affine()), affine())
    kernels = ["BONE", *["SOFT"] * 5]
    paths = [
        write_slice(tmp_path / f"{n}.dcm", plane, np.zeros((5, 4)), ConvolutionKernel=kernel, KVP="100")
        for n, (plane, kernel) in enumerate(zip(whole.planes, kernels, strict=True))
    ]
    facts = read(paths).facts
    assert (facts.kernel, facts.kilovolt) == (None, 100)
