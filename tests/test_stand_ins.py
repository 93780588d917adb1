"""Files that somebody emptied of their identifiers are numbered under stand-ins, always the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from numbering.dicom.objects.encode import encode
from numbering.dicom.read import read_folder, read_header
from numbering.dicom.stand_ins import WORDS, stand_in
from numbering.errors import UnsuitableStudy
from tests.films import make_ct, make_film
from tests.results import numbered, result_of

EMPTIED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def emptied(path: Path) -> Path:
    """The file without identifiers in its data set; its meta information still names the instance."""
    ds = dcmread(path)
    for keyword in EMPTIED:
        setattr(ds, keyword, "")
    ds.save_as(path)
    return path


def test_slices_of_one_frame_of_reference_are_one_series_again(tmp_path: Path) -> None:
    uids = [f"1.2.3.{number}" for number in range(3)]
    for uid in uids:
        emptied(make_ct(tmp_path / f"{uid}.dcm", series_uid="1.2.3", sop_uid=uid))
    (series,), unreadable = read_folder([tmp_path])
    assert unreadable == []
    assert {image.sop_instance_uid for image in series.images} == set(uids)
    assert all(image.stood_in for image in series.images)
    assert read_folder([tmp_path])[0] == [series]


def test_films_without_a_frame_of_reference_stand_alone(tmp_path: Path) -> None:
    for name in "ab":
        emptied(make_film(tmp_path / f"{name}.dcm"))
    series, _ = read_folder([tmp_path])
    assert len(series) == len({one.study_instance_uid for one in series}) == 2


def test_an_identifier_that_is_there_is_kept(tmp_path: Path) -> None:
    ds = dcmread(make_film(tmp_path / "a.dcm", study_uid="1.2", series_uid="1.3", sop_uid="1.4"))
    assert stand_in(ds) == ()
    ds.SeriesInstanceUID = ""
    assert stand_in(ds) == ("SeriesInstanceUID",)
    assert (ds.StudyInstanceUID, ds.SOPInstanceUID) == ("1.2", "1.4")


def test_a_file_that_does_not_name_its_instance_is_refused_still(tmp_path: Path) -> None:
    path = emptied(make_film(tmp_path / "a.dcm"))
    with pytest.raises(UnsuitableStudy):
        read_header(path)
    nameless = Dataset()
    assert stand_in(nameless) == ()
    assert "SOPInstanceUID" not in nameless


def test_objects_written_of_such_a_file_bear_its_stand_ins(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.dcm")
    result = result_of([path], numbered(dcmread(path).SOPInstanceUID))
    emptied(path)
    (series,), _ = read_folder([path])
    sources = {image.sop_instance_uid: image.path for image in series.images}
    written = encode(result, sources)
    assert {ds.StudyInstanceUID for ds in written} == {series.study_instance_uid}
    assert "stand-ins" in WORDS
