"""Stored pixels to what a radiologist sees; bright means dense."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from numbering.dicom.pixels import radiographs
from numbering.dicom.read import read_folder, read_series
from numbering.errors import QuarantinedInput, ReasonCode
from numbering.route import route
from numbering.study import Radiograph
from tests.films import SECRETS, make_film, uneven


def shown(path: Path) -> Radiograph:
    (film,) = radiographs(read_series([path])[0])
    return film


def film(tmp_path: Path, **options: Any) -> Radiograph:
    return shown(make_film(tmp_path / "film.dcm", sop_uid="1.2.3", **options))


def like(picture: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> bool:
    """Equal up to brightness and contrast, neither turned nor inverted."""
    flat, wanted = (np.asarray(value, float).ravel() for value in (picture, expected))
    return picture.shape == expected.shape and bool(np.corrcoef(flat, wanted)[0, 1] > 0.999)


def test_a_film_is_rows_by_columns_of_float32_without_a_frame(tmp_path: Path) -> None:
    found = film(tmp_path)
    assert (found.pixels.dtype, found.pixels.shape, found.frame) == (np.float32, (157, 93), None)
    assert found.sop_instance_uid == "1.2.3"
    assert like(found.pixels, uneven())


@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_monochrome1_is_inverted_so_that_bright_is_dense(tmp_path: Path, modality: str) -> None:
    negative = film(tmp_path, photometric="MONOCHROME1", modality=modality)
    assert like(negative.pixels, uneven())


@pytest.mark.parametrize(
    ("sign", "pixels"), [(-1, uneven()), (1, 4095 - uneven())], ids=["dense-is-high", "dense-is-low"]
)
def test_a_film_for_processing_is_turned_by_its_intensity_sign(tmp_path: Path, sign: int, pixels: Any) -> None:
    found = film(tmp_path, for_processing=True, pixels=pixels, PixelIntensityRelationshipSign=sign)
    assert like(found.pixels, uneven())


def test_rescaling_comes_before_the_window(tmp_path: Path) -> None:
    found = film(
        tmp_path, RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="1000", WindowWidth="1000", modality="CR"
    )
    rescaled = uneven() * 2.0 - 1000
    inside = (rescaled > 510) & (rescaled < 1490)
    assert like(found.pixels[inside], rescaled[inside])
    assert len(np.unique(found.pixels[rescaled < 499])) == 1
    assert len(np.unique(found.pixels[rescaled > 1501])) == 1


def test_of_several_windows_the_first_is_applied(tmp_path: Path) -> None:
    both = film(tmp_path, modality="CR", WindowCenter=["1000", "3000"], WindowWidth=["800", "400"]).pixels
    first = film(tmp_path, modality="CR", WindowCenter="1000", WindowWidth="800").pixels
    assert np.array_equal(both, first)
    assert len(np.unique(both[uneven() > 1500])) == 1


def test_a_voi_lut_is_applied_before_inversion(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.dcm", modality="CR", photometric="MONOCHROME1", pixels=255 - uneven(31, 17, 255))
    ds = dcmread(path)
    lut = Dataset()
    lut.LUTDescriptor = [256, 0, 16]
    lut.add_new("LUTData", "US", [value**2 for value in range(256)])
    ds.VOILUTSequence = [lut]
    ds.save_as(path)
    assert like(shown(path).pixels, 65025.0 - (255.0 - uneven(31, 17, 255)) ** 2)


@pytest.mark.parametrize(
    "window",
    [("30000", "10"), ("-5000", "1"), ("2048", "0"), ("2048", "-100")],
    ids=["all-black", "all-white", "no-width", "negative"],
)
def test_a_window_that_leaves_nothing_to_see_is_ignored(tmp_path: Path, window: tuple[str, str]) -> None:
    assert like(film(tmp_path, modality="CR", WindowCenter=window[0], WindowWidth=window[1]).pixels, uneven())


def test_signed_pixels_keep_their_order(tmp_path: Path) -> None:
    pixels = uneven().astype(np.int16) - 2000
    assert like(film(tmp_path, modality="CR", pixels=pixels).pixels, uneven())


def test_every_frame_is_one_radiograph_counted_from_one(tmp_path: Path) -> None:
    frames = np.stack([uneven(31, 17), uneven(31, 17)[::-1], uneven(31, 17)[:, ::-1]])
    path = make_film(tmp_path / "film.dcm", modality="CR", pixels=frames, sop_uid="1.2.3")
    found = radiographs(read_series([path])[0])
    assert [one.name for one in found] == ["1.2.3#1", "1.2.3#2", "1.2.3#3"]
    assert all(like(one.pixels, frame) for one, frame in zip(found, frames, strict=True))


def test_colour_becomes_luminance(tmp_path: Path) -> None:
    grey = uneven(31, 21, 255).astype(np.uint8)
    colour = np.stack([grey, grey, np.zeros_like(grey)], axis=-1)
    found = film(tmp_path, modality="OT", photometric="RGB", pixels=colour)
    assert np.allclose(found.pixels, grey * (0.299 + 0.587), atol=0.01)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=["rle", "j2k", "jpeg-ls"])
def test_lossless_compression_changes_no_pixel(tmp_path: Path, syntax: str) -> None:
    plain = film(tmp_path)
    ds = dcmread(tmp_path / "film.dcm")
    ds.compress(syntax, generate_instance_uid=False)
    ds.save_as(tmp_path / "small.dcm")
    assert np.array_equal(shown(tmp_path / "small.dcm").pixels, plain.pixels)


@pytest.mark.parametrize(
    ("elements", "spacing", "calibrated"),
    [
        ({}, (0.5, 0.25), False),
        ({"PixelSpacing": [0.5, 0.25]}, (0.5, 0.25), False),
        ({"PixelSpacing": [0.4, 0.2]}, (0.4, 0.2), True),
        ({"PixelSpacing": [0.5, 0.25], "PixelSpacingCalibrationType": "FIDUCIAL"}, (0.5, 0.25), True),
        ({"ImagerPixelSpacing": None, "NominalScannedPixelSpacing": [0.3, 0.1]}, (0.3, 0.1), False),
        ({"ImagerPixelSpacing": None}, None, False),
        ({"ImagerPixelSpacing": [0, 0]}, None, False),
        ({"ImagerPixelSpacing": [0.5]}, None, False),
    ],
    ids=str,
)
def test_spacing_is_the_patients_when_calibrated_and_else_the_detectors(
    tmp_path: Path, elements: dict[str, Any], spacing: tuple[float, float] | None, calibrated: bool
) -> None:
    found = film(tmp_path, modality="CR", **elements)
    assert (found.spacing_mm, found.calibrated) == (spacing, calibrated)


def refusal(path: Path) -> str:
    with pytest.raises(QuarantinedInput) as refused:
        shown(path)
    assert refused.value.reason.code is ReasonCode.PIXELS_NOT_DECODABLE
    text = refused.value.reason.text
    assert "1.2.3" in text
    assert "found " in text
    assert "expected " in text
    assert not any(secret in text for secret in SECRETS)
    return text


def test_truncated_pixels_are_refused_with_their_size(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.dcm", sop_uid="1.2.3", PixelData=b"\0" * 100)
    assert "100 bytes for 157 × 93" in refusal(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=["rle", "j2k", "jpeg-ls"])
def test_truncated_compressed_pixels_are_refused(tmp_path: Path, syntax: str) -> None:
    ds = dcmread(make_film(tmp_path / "film.dcm", sop_uid="1.2.3"))
    ds.compress(syntax, generate_instance_uid=False)
    whole = ds.PixelData
    # The fragment's header still promises everything that was there.
    ds.PixelData = whole[: len(whole) // 4 * 2]
    ds.save_as(tmp_path / "cut.dcm")
    refusal(tmp_path / "cut.dcm")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_fewer_compressed_frames_than_the_header_promises_are_refused(tmp_path: Path) -> None:
    frames = np.stack([uneven(31, 17)] * 3)
    ds = dcmread(make_film(tmp_path / "film.dcm", sop_uid="1.2.3", pixels=frames))
    ds.compress(RLELossless, generate_instance_uid=False)
    first = next(generate_frames(ds.PixelData, number_of_frames=3))
    ds.PixelData = encapsulate([first], has_bot=False)
    ds.save_as(tmp_path / "fewer.dcm")
    refusal(tmp_path / "fewer.dcm")


def test_a_jpeg_2000_frame_with_a_damaged_bit_depth_is_refused_and_the_process_goes_on(tmp_path: Path) -> None:
    """Found by ``benchmarks/fuzz.py``: a second decoder, tried after the first had refused, ended the process."""
    ds = dcmread(make_film(tmp_path / "film.dcm", sop_uid="1.2.3"))
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    frame = bytearray(next(generate_frames(ds.PixelData, number_of_frames=1)))
    frame[42] = 0xFF  # Ssiz of the only component (ITU-T T.800 A.5.1)
    ds.PixelData = encapsulate([bytes(frame)])
    ds.save_as(tmp_path / "damaged.dcm")
    refusal(tmp_path / "damaged.dcm")


@pytest.mark.parametrize(
    "elements",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"Columns": None},
        {"NumberOfFrames": 2000000000},
        {"BitsAllocated": 13},
        {"RescaleSlope": "NaN", "RescaleIntercept": "0"},
        {"PixelData": None},
    ],
    ids=str,
)
def test_absurd_headers_are_refused(tmp_path: Path, elements: dict[str, Any]) -> None:
    refusal(make_film(tmp_path / "film.dcm", sop_uid="1.2.3", modality="CR", **elements))


def test_a_file_that_has_gone_is_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.dcm", sop_uid="1.2.3")
    series = read_series([path])[0]
    path.unlink()
    with pytest.raises(QuarantinedInput, match="could not be read again"):
        radiographs(series)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_file_is_refused_or_read_but_never_crashes_or_names_the_patient(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    whole = make_film(tmp_path / "film.dcm", rows=71, columns=65).read_bytes()
    if seed % 2:
        ds = dcmread(tmp_path / "film.dcm")
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(tmp_path / "film.dcm")
        whole = (tmp_path / "film.dcm").read_bytes()
    damaged = tmp_path / "damaged.dcm"
    said = []
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(choose.choice([1, 3, 12])):
            data[choose.randrange(132, choose.choice([1800, len(data)]))] = choose.choice([0, 255, 0x5C, 0x20])
        damaged.write_bytes(data)
        series, unreadable = read_folder([damaged])
        said += [found.reason.text for found in unreadable]
        for one in series:
            said += [part.reason.text for part in route(one) if part.reason]
            try:
                assert all(np.isfinite(picture.pixels).all() for picture in radiographs(one))
            except QuarantinedInput as refused:
                said.append(str(refused))
    assert said, "no damage was noticed"
    assert not any(secret in text for text in said for secret in SECRETS)
