"""Encoding is a pure function of the stored result, and files appear whole or not at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from numbering.dicom.objects.encode import DifferentBytesError, encode, object_bytes, write_objects
from numbering.result import NumberingResult, Origin
from numbering.uids import IMPLEMENTATION_CLASS_UID
from tests.films import make_film
from tests.results import numbered, result_of


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.dcm", PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100")


def uid_of(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def encoded(film: Path, **more: object) -> list[Dataset]:
    return encode(result_of([film], numbered(uid_of(film)), **more), {uid_of(film): film})


def test_the_same_result_is_the_same_bytes_at_another_time(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [object_bytes(ds) for ds in encoded(film)]
    monkeypatch.setattr(time, "time", lambda: 4e9)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        second = [object_bytes(ds) for ds in encoded(film)]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert first == second
    assert len(first) == 2


def test_a_result_that_went_through_json_is_the_same_bytes(film: Path) -> None:
    result = result_of([film], numbered(uid_of(film)))
    stored = NumberingResult.model_validate_json(result.model_dump_json())
    sources = {uid_of(film): film}
    before, after = ([object_bytes(ds) for ds in encode(one, sources)] for one in (result, stored))
    assert before == after


def test_writing_an_object_twice_is_harmless(film: Path, tmp_path: Path) -> None:
    first = write_objects(encoded(film), tmp_path / "out")
    times = [item.path.stat().st_mtime_ns for item in first]
    assert write_objects(encoded(film), tmp_path / "out") == first
    assert [item.path.stat().st_mtime_ns for item in first] == times
    assert [item.kind for item in first] == ["SR", "PR"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {item.path.name for item in first}


def test_another_object_under_the_same_uid_is_never_overwritten(film: Path, tmp_path: Path) -> None:
    written, _ = write_objects(encoded(film), tmp_path / "out")
    written.path.write_bytes(b"something else")
    with pytest.raises(DifferentBytesError, match=written.sop_instance_uid):
        write_objects(encoded(film), tmp_path / "out")
    assert written.path.read_bytes() == b"something else"


def test_a_write_that_fails_leaves_nothing_behind(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numbering.dicom.objects.encode.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_objects(encoded(film), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_files_say_who_wrote_them(film: Path, tmp_path: Path) -> None:
    for item in write_objects(encoded(film), tmp_path / "out"):
        meta = dcmread(item.path).file_meta
        assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
        assert meta.TransferSyntaxUID.name == "Explicit VR Little Endian"
        assert meta.MediaStorageSOPInstanceUID == item.sop_instance_uid == dcmread(item.path).SOPInstanceUID
        assert meta.MediaStorageSOPClassUID == item.sop_class_uid


def test_each_kind_has_its_own_series_and_every_revision_new_uids(film: Path) -> None:
    report, state = encoded(film)
    assert report.SeriesInstanceUID != state.SeriesInstanceUID
    revised = encoded(film, revision=2, predecessor_sr_uid=str(report.SOPInstanceUID))
    elsewhere = encoded(film, origin=Origin.RUN)
    uids = [str(ds.SOPInstanceUID) for ds in (report, state, *revised, *elsewhere)]
    series = [str(ds.SeriesInstanceUID) for ds in (report, state, *revised, *elsewhere)]
    assert len(set(uids) | set(series)) == 12


def test_no_uid_or_date_comes_from_anywhere_but_source_and_result(film: Path) -> None:
    for ds in encoded(film):
        for element in ds.iterall():
            if element.VR == "DA" and element.keyword not in {"StudyDate", "PatientBirthDate"}:
                assert element.value == "20260301", element.keyword


def test_odd_patient_data_are_copied_as_they_are_and_never_quoted(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    odd = {"PatientID": "SECRET" * 20, "PatientBirthDate": "1901/2/3", "PatientAge": "71", "StudyTime": "10:11:12"}
    film = make_film(tmp_path / "film.dcm", **odd)
    for item in write_objects(encoded(film), tmp_path / "out"):
        ds = dcmread(item.path)
        assert {keyword: ds.get(keyword) for keyword in odd} == odd
    assert [str(warning.message) for warning in recwarn] == []


def test_a_description_that_cannot_be_read_withholds_no_result(film: Path) -> None:
    data = film.read_bytes()
    damaged = data.replace(b"\x08\x00\x30\x10LO", b"\x08\x00\x30\x10LN", 1)
    assert damaged != data
    film.write_bytes(damaged)
    report, _ = encoded(film)
    assert "StudyDescription" not in report
    assert report.PatientName == "Müller^Jörg"


def test_a_missing_source_is_named(film: Path, tmp_path: Path) -> None:
    result = result_of([film], numbered(uid_of(film)))
    with pytest.raises(LookupError, match=uid_of(film)):
        encode(result, {})
    other = make_film(tmp_path / "other.dcm")
    with pytest.raises(ValueError, match=f"expected the source image {uid_of(film)}"):
        encode(result, {uid_of(film): other})
