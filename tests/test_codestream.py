"""The size that a compressed frame claims, and what becomes of one that lies."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames

from numbering.dicom.codestream import FrameSize, frame_size
from numbering.dicom.pixels import radiographs
from numbering.dicom.read import read_series
from numbering.dicom.same import same_picture
from numbering.errors import QuarantinedInput, ReasonCode
from tests.films import make_film, uneven
from tests.tools import program

ROWS, COLUMNS = 70, 50
CODECS = {
    "JPEG baseline": ("dcmcjpeg", "+eb"),
    "JPEG lossless": ("dcmcjpeg", "+e1"),
    "JPEG-LS": ("dcmcjpls", "+el"),
    "JPEG 2000": (),
}


def compressed(codec: str, path: Path) -> Path:
    pixels = uneven(ROWS, COLUMNS, 255).astype(np.uint8) if codec == "JPEG baseline" else uneven(ROWS, COLUMNS)
    plain = make_film(path.with_name("plain.dcm"), modality="CR", pixels=pixels, sop_uid="1.2.3")
    if CODECS[codec]:
        name, option = CODECS[codec]
        subprocess.run([program(name), option, plain, path], check=True, timeout=60)
    else:
        ds = dcmread(plain)
        ds.compress("1.2.840.10008.1.2.4.90", generate_instance_uid=False)
        ds.save_as(path)
    return path


def frame_of(path: Path) -> bytearray:
    return bytearray(next(generate_frames(dcmread(path).PixelData, number_of_frames=1)))


def claiming(path: Path, rows: int, columns: int) -> Path:
    """The file, its frame's header claiming another size; the DICOM header stays."""
    ds, frame = dcmread(path), frame_of(path)
    if frame[:2] == b"\xff\xd8":
        (place,) = [at for at in range(2, len(frame)) if frame[at : at + 2] in HEADERS and frame_at(frame, at)]
        struct.pack_into(">HH", frame, place + 5, rows, columns)
    else:
        struct.pack_into(">II", frame, 8, columns, rows)
        struct.pack_into(">II", frame, 24, columns, rows)
    ds.PixelData = encapsulate([bytes(frame)])
    ds.save_as(path)
    return path


HEADERS = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc3", b"\xff\xf7")


def frame_at(frame: bytearray, at: int) -> bool:
    return struct.unpack_from(">HH", frame, at + 5) == (ROWS, COLUMNS)


@pytest.mark.parametrize("codec", CODECS)
def test_the_size_is_read_from_the_codestream(tmp_path: Path, codec: str) -> None:
    assert frame_size(bytes(frame_of(compressed(codec, tmp_path / "film.dcm")))) == FrameSize(ROWS, COLUMNS, 1)


@pytest.mark.parametrize("codec", CODECS)
def test_an_honest_film_is_decoded(tmp_path: Path, codec: str) -> None:
    (film,) = radiographs(read_series([compressed(codec, tmp_path / "film.dcm")])[0])
    assert film.pixels.shape == (ROWS, COLUMNS)


@pytest.mark.parametrize("codec", CODECS)
def test_no_decoder_gets_a_frame_that_claims_more_than_the_header(tmp_path: Path, codec: str) -> None:
    """JPEG-LS ended the process, JPEG 2000 took gigabytes for a kilobyte."""
    path = claiming(compressed(codec, tmp_path / "film.dcm"), 60001, 60003)
    with pytest.raises(QuarantinedInput) as caught:
        radiographs(read_series([path])[0])
    assert caught.value.reason.code is ReasonCode.PIXELS_NOT_DECODABLE


@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_that_lies_is_another_picture(tmp_path: Path, codec: str) -> None:
    honest = compressed(codec, tmp_path / "film.dcm").read_bytes()
    lying = claiming(tmp_path / "film.dcm", 60001, 60003).read_bytes()
    assert not same_picture(honest, lying)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 9, 20, 41])
@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_that_ends_early_has_no_size(tmp_path: Path, codec: str, cut: int) -> None:
    frame = bytes(frame_of(compressed(codec, tmp_path / "film.dcm")))[:cut]
    assert frame_size(frame) in (None, FrameSize(ROWS, COLUMNS, 1))
