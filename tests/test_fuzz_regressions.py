"""What fuzzing found, each by its symptom and the smallest input; found by ``benchmarks/fuzz.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from numbering.dicom.objects.encode import encode, write_objects
from numbering.dicom.part10 import PREAMBLE, split
from tests.films import make_film
from tests.logged import logged
from tests.results import numbered, result_of
from tests.tools import complaints
from tests.web import running_web

GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
TWISTED = b"\x02\0\x01\0DA\0\0\x02\0\0\0\0\x01\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"


@pytest.mark.parametrize(
    "meta",
    [GROUP_LENGTH + b"\0\0\0\0", GROUP_LENGTH + b"\x2a\0\0\0" + TWISTED],
    ids=["no transfer syntax", "a version that is a date"],
)
def test_a_file_with_broken_meta_information_is_split_into_a_value_error_alone(tmp_path: Path, meta: bytes) -> None:
    data_set = make_film(tmp_path / "film.dcm").read_bytes()[1000:]
    with pytest.raises(ValueError, match=r"PS3\.10") as caught:
        split(PREAMBLE + meta + data_set)
    assert caught.value.__suppress_context__  # the cause quotes bytes of the file


def test_a_body_that_is_no_http_is_no_fault_of_ours(
    tmp_path: Path,
) -> None:
    """It was logged as an error, so that a stranger without a key could fill the log with errors."""
    with logged() as log, running_web(tmp_path) as web, web.connect() as connection:
        connection.sendall(b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n")
        while connection.recv(65536):
            pass
    said = log.getvalue()
    assert "what is no HTTP" in said
    assert "a request broke" not in said


@pytest.mark.parametrize("path", ["/dicom-web/studies/", "/dicom-web/studies/%2e%2e%2f", "/api/v1/jobs/", "/health/"])
def test_nobody_is_redirected_to_what_the_host_header_claims(tmp_path: Path, path: str) -> None:
    with running_web(tmp_path) as web:
        answer = web.client().post(path, headers={"Host": "evil.example"})
    assert answer.status_code in (401, 404, 405)
    assert "location" not in answer.headers


@pytest.mark.parametrize("spacing", [b"0.5\\.   ", b"0.50\xfe\xff\r\xe0", b"0.5\\-1  ", b"0.5\\nan "])
def test_a_pixel_spacing_that_is_no_number_withholds_no_result(tmp_path: Path, spacing: bytes) -> None:
    film = make_film(tmp_path / "film.dcm")
    sound = film.read_bytes()
    assert sound.count(b"0.5\\0.25") == 1
    film.write_bytes(sound.replace(b"0.5\\0.25", spacing))
    uid = str(dcmread(film, stop_before_pixels=True).SOPInstanceUID)
    written = write_objects(encode(result_of([film], numbered(uid)), {uid: film}), tmp_path)
    assert [complaints(item.path) for item in written] == [[], []]
    (state,) = [item.path for item in written if item.kind == "PR"]
    assert "PresentationPixelSpacing" not in dcmread(state).DisplayedAreaSelectionSequence[0]
