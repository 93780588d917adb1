"""What we write, delivered to a real archive: it must take every object, keep it whole, and file it in its study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from numbering.dicom.objects.encode import Written, encode, write_objects
from numbering.dicom.outgoing.deliver import Destination, Outcome, echo, send
from tests.archive import LOOPBACK, Archive, running_archive
from tests.films import make_film
from tests.results import numbered, result_of

OURS = "NUMBERING"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with running_archive(tmp_path_factory.mktemp("archive")) as running:
        yield running


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.dcm")


def study_of(film: Path) -> str:
    return str(dcmread(film, stop_before_pixels=True).StudyInstanceUID)


def written_about(film: Path, folder: Path) -> list[Written]:
    sop_uid = dcmread(film, stop_before_pixels=True).SOPInstanceUID
    return write_objects(encode(result_of([film], numbered(sop_uid)), {sop_uid: film}), folder / "objects")


def delivered(paths: list[Path], archive: Archive) -> list[Outcome]:
    return [sent.outcome for sent in send(paths, Destination.parse(archive.destination), OURS)]


def test_the_archive_answers_an_echo(archive: Archive) -> None:
    assert echo(Destination.parse(archive.destination), OURS).outcome is Outcome.DELIVERED


def test_report_and_presentation_state_are_filed_in_the_study_of_the_film(
    archive: Archive, film: Path, tmp_path: Path
) -> None:
    objects = written_about(film, tmp_path)
    assert delivered([film, *(one.path for one in objects)], archive) == [Outcome.DELIVERED] * 3
    assert sorted(archive.series(study_of(film)).values()) == ["DX", "PR", "SR"]
    assert archive.studies().count(study_of(film)) == 1


def test_the_archive_gives_back_what_we_wrote(archive: Archive, film: Path, tmp_path: Path) -> None:
    objects = written_about(film, tmp_path)
    delivered([one.path for one in objects], archive)
    for one in objects:
        assert dcmread(archive.download(one.sop_instance_uid, tmp_path)) == dcmread(one.path)


def test_delivering_again_leaves_one_of_each(archive: Archive, film: Path, tmp_path: Path) -> None:
    paths = [one.path for one in written_about(film, tmp_path)]
    assert delivered(paths, archive) == delivered(paths, archive) == [Outcome.DELIVERED] * 2
    assert len(archive.instances(study_of(film))) == 2


def test_results_that_come_before_the_film_share_its_study_later(archive: Archive, film: Path, tmp_path: Path) -> None:
    delivered([one.path for one in written_about(film, tmp_path)], archive)
    delivered([film], archive)
    assert sorted(archive.series(study_of(film)).values()) == ["DX", "PR", "SR"]


def test_an_archive_that_does_not_know_us_is_reported_not_raised(archive: Archive, film: Path) -> None:
    (sent,) = send([film], Destination.parse(archive.destination), "STRANGER")
    assert sent.outcome is Outcome.UNREACHABLE
    assert "rejected the association" in sent.text
    assert archive.instances(study_of(film)) == {}


def test_another_called_title_is_refused_by_the_archive(archive: Archive, film: Path) -> None:
    (sent,) = send([film], Destination("SOMEBODY", LOOPBACK, archive.dicom_port), OURS)
    assert sent.outcome is Outcome.UNREACHABLE
    assert archive.instances(study_of(film)) == {}
