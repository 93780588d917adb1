"""Header facts from files, however damaged."""

from __future__ import annotations

import hashlib
import warnings
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from numbering.dicom import MANUFACTURER
from numbering.dicom.read import read_folder, read_header, read_series
from numbering.errors import ReasonCode, UnsuitableStudy
from tests.films import SECRETS, make_ct, make_film


def test_a_films_header_gives_all_its_facts(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.dcm", study_uid="1.2", series_uid="1.3", sop_uid="1.4", rows=31, columns=17)
    study, series, image = read_header(path)
    assert (study, series, image.sop_instance_uid) == ("1.2", "1.3", "1.4")
    assert image.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (image.modality, image.rows, image.columns, image.frames, image.has_pixels) == ("DX", 31, 17, 1, True)
    assert (image.body_part, image.view_position, image.patient_orientation) == ("LSPINE", "AP", ("L", "F"))
    assert image.view_codes == ("SCT:399348003",)
    assert image.descriptions == ("L SPINE", "Spine", "antero-posterior", "Lumbar spine")
    assert (image.image_type, image.instance_number, image.made_by_us) == (("ORIGINAL", "PRIMARY"), 1, False)
    assert image.acquired == datetime(2024, 2, 29, 10, 11, 12, tzinfo=UTC)
    assert image.path == path


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"AcquisitionDateTime": "20240301235959.5+0200"}, datetime(2024, 3, 1, 21, 59, 59, 500000, tzinfo=UTC)),
        ({"TimezoneOffsetFromUTC": "-0500"}, datetime(2024, 2, 29, 15, 11, 12, tzinfo=UTC)),
        ({"AcquisitionTime": "235960"}, datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
        ({"AcquisitionDate": None, "ContentDate": "20240102"}, datetime(2024, 1, 2, 10, 11, 12, tzinfo=UTC)),
        ({"AcquisitionDate": "2024.02.28"}, datetime(2024, 2, 28, 10, 11, 12, tzinfo=UTC)),
        ({"AcquisitionDate": "20241399"}, datetime(2024, 2, 29, 10, 11, 12, tzinfo=UTC)),
        ({key + "Date": None for key in ("Acquisition", "Content", "Series", "Study")}, None),
    ],
    ids=str,
)
def test_the_acquisition_is_dated_in_utc_from_the_nearest_element(
    tmp_path: Path, elements: dict[str, str], expected: datetime | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = make_film(tmp_path / "a.dcm", **elements)  # type: ignore[arg-type]
    assert read_header(path)[2].acquired == expected


def test_absent_elements_are_empty_facts(tmp_path: Path) -> None:
    path = make_film(
        tmp_path / "a.dcm",
        modality="CR",
        view_position=None,
        patient_orientation=None,
        body_part=None,
        series_description=None,
        StudyDescription=None,
        InstanceNumber=None,
        PixelData=None,
    )
    image = read_header(path)[2]
    assert (image.view_position, image.patient_orientation, image.view_codes, image.descriptions) == ("", (), (), ())
    assert (image.instance_number, image.has_pixels, image.body_part) == (None, False, "")


def test_broken_values_are_empty_facts(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.dcm", sop_uid="1.4")
    data = path.read_bytes()
    at = data.index(b"\x20\x00\x13\x00IS\x02\x00") + 8  # Instance Number (0020,0013)
    data = data[:at] + b"x!" + data[at + 2 :]
    at = data.index(b"\x28\x00\x10\x00US\x02\x00") + 4  # the VR of Rows (0028,0010)
    path.write_bytes(data[:at] + b"??" + data[at + 2 :])
    image = read_header(path)[2]
    assert (image.sop_instance_uid, image.instance_number) == ("1.4", None)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian], ids=["implicit", "deflated"]
)
def test_a_header_is_read_in_any_transfer_syntax(tmp_path: Path, syntax: str) -> None:
    image = read_header(make_film(tmp_path / "a.dcm", transfer_syntax=syntax))[2]
    assert (image.view_position, image.has_pixels, image.rows) == ("AP", True, 157)


def test_a_file_without_preamble_and_meta_information_is_read(tmp_path: Path) -> None:
    ds = dcmread(make_film(tmp_path / "a.dcm", sop_uid="1.4"))
    bare = tmp_path / "bare.dcm"
    Dataset(ds).save_as(bare, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert bare.read_bytes()[128:132] != b"DICM"
    assert read_header(bare)[2].sop_instance_uid == "1.4"


def test_our_own_results_are_known_by_their_manufacturer(tmp_path: Path) -> None:
    assert read_header(make_film(tmp_path / "a.dcm", Manufacturer=MANUFACTURER))[2].made_by_us


def bomb(path: Path) -> Path:
    """A deflated file that is larger inside than any memory."""
    data = make_film(path, transfer_syntax=DeflatedExplicitVRLittleEndian).read_bytes()
    head = 144 + int.from_bytes(data[140:144], "little")
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    blocks = b"".join(deflater.compress(b"\0" * 2**20) for _ in range(40))
    path.write_bytes(data[:head] + blocks + deflater.flush())
    return path


def test_a_deflated_file_that_grows_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbering.dicom.part10.INFLATED_LIMIT", 2**24)
    with pytest.raises(UnsuitableStudy, match=r"bomb\.dcm"):
        read_header(bomb(tmp_path / "bomb.dcm"))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\0" * 128 + b"DICM", b"\xff" * 4096, bytes(range(256)) * 40], ids=range(5)
)
def test_what_is_no_dicom_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(content)
    with pytest.raises(UnsuitableStudy, match=r"^odd\.bin: found .* expected .*\.$") as refusal:
        read_header(path)
    assert refusal.value.reason.code is ReasonCode.UNREADABLE_HEADER


@pytest.mark.parametrize("length", range(100, 2000, 97))
def test_a_truncated_header_is_refused_or_read_but_never_crashes(tmp_path: Path, length: int) -> None:
    whole = make_film(tmp_path / "a.dcm").read_bytes()
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(whole[:length])
    series, unreadable = read_folder([cut])
    assert len(series) + len(unreadable) == 1
    assert not any(secret in found.reason.text for found in unreadable for secret in SECRETS)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_an_object_without_identifiers_is_refused(tmp_path: Path, keyword: str) -> None:
    path = make_film(tmp_path / "a.dcm", **{keyword: None})  # type: ignore[arg-type]
    with pytest.raises(UnsuitableStudy, match=r"a\.dcm: found no valid (Study|Series) Instance UID"):
        read_header(path)


def test_an_invalid_identifier_is_not_repeated(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = make_film(tmp_path / "a.dcm", StudyInstanceUID="SECRET^NAME")
    with pytest.raises(UnsuitableStudy) as refusal:
        read_header(path)
    assert "SECRET" not in str(refusal.value)


def test_series_and_images_come_in_the_same_order_whatever_the_files_are(tmp_path: Path) -> None:
    paths = [
        make_ct(
            tmp_path / f"{n}.dcm",
            study_uid="1.1",
            series_uid=f"1.{2 + n % 2}",
            sop_uid=f"1.9.{n}",
            instance_number=9 - n,
        )
        for n in range(6)
    ]
    found = read_series(paths)
    assert found == read_series(reversed(paths))
    assert [series.series_instance_uid for series in found] == ["1.2", "1.3"]
    assert [image.instance_number for image in found[0].images] == [5, 7, 9]
    assert found[0].modality == "CT"


def test_of_two_files_with_one_uid_the_first_is_kept(tmp_path: Path) -> None:
    first = make_film(tmp_path / "b.dcm", study_uid="1.1", series_uid="1.2", sop_uid="1.3")
    second = make_film(tmp_path / "a.dcm", study_uid="1.1", series_uid="1.2", sop_uid="1.3", view_position="PA")
    assert [image.path for image in read_series([first, second])[0].images] == [first]


def test_a_folder_is_searched_to_the_bottom_and_says_what_it_could_not_read(tmp_path: Path) -> None:
    make_film(tmp_path / "deep" / "deeper" / "film.dcm")
    (tmp_path / "deep" / "notes.txt").write_text("SECRET")
    ds = dcmread(make_film(tmp_path / "DICOMDIR"))
    ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    ds.save_as(tmp_path / "DICOMDIR")
    series, unreadable = read_folder([tmp_path, tmp_path / "deep", tmp_path / "absent.dcm"])
    assert [image.path.name for one in series for image in one.images] == ["film.dcm"]
    assert sorted(found.path.name for found in unreadable) == ["DICOMDIR", "absent.dcm", "notes.txt"]
    assert all(found.reason.text.startswith(found.path.name) for found in unreadable)
    assert "DICOMDIR, a list" in next(found.reason.text for found in unreadable if found.path.name == "DICOMDIR")
