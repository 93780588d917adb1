"""Asking a real archive which studies a patient has, by DIMSE and by DICOMweb."""

from __future__ import annotations

import threading

import pytest

from numbering.dicom.priors import PriorSource, open_source
from numbering.priors.source import Allowance, Cancelled, OutOfTime, Patient, SourceRefuses, SourceUnavailable
from numbering.settings import Settings
from tests.archive import free_port
from tests.earlier import OURS, EarlierArchive, uid_of

WAYS = ("dimse", "dicomweb")


def allowance(seconds: float = 20, cancelled: threading.Event | None = None) -> Allowance:
    return Allowance(objects=100, size=2**30, seconds=seconds, cancelled=cancelled)


def source_at(way: str, earlier: EarlierArchive) -> PriorSource:
    address = earlier.archive.destination if way == "dimse" else earlier.archive.dicomweb
    return open_source(Settings(priors_source=address, priors_plain_http=True, ae_title=OURS))


@pytest.fixture(params=WAYS)
def source(request: pytest.FixtureRequest, earlier: EarlierArchive) -> PriorSource:
    return source_at(request.param, earlier)


def test_a_patients_studies_are_listed_and_nobody_elses(source: PriorSource, earlier: EarlierArchive) -> None:
    films = earlier.films
    found = source.studies(Patient("PHANTOM-0040"), allowance())
    listed = {study.study_instance_uid for study in found}
    assert {uid_of(film) for film in (films.prior, films.older, films.chest)} <= listed  # others may store more of them
    assert uid_of(films.somebody_else) not in listed
    (prior,) = [study for study in found if study.study_instance_uid == uid_of(films.prior)]
    assert str(prior.study_date) == "2023-03-01"
    assert prior.modalities == {"DX"}
    assert prior.description == "Spine, simulated"
    assert prior.instances == 1


def test_a_patient_without_studies_has_none(source: PriorSource) -> None:
    assert source.studies(Patient("NOBODY"), allowance()) == []


def test_the_series_of_a_study_say_what_they_show(source: PriorSource, earlier: EarlierArchive) -> None:
    (series,) = source.series(Patient("PHANTOM-0040"), uid_of(earlier.films.chest), allowance())
    assert series.series_instance_uid == uid_of(earlier.films.chest, "SeriesInstanceUID")
    assert (series.modality, series.description, series.instances) == ("DX", "Thorax pa", 1)


def test_a_study_that_the_archive_does_not_know_has_no_series(source: PriorSource) -> None:
    assert source.series(Patient("PHANTOM-0040"), "1.2.3.4", allowance()) == []


def test_an_archive_that_is_down_is_unavailable_and_the_error_names_no_patient(tmp_path) -> None:
    for address in (f"ARCHIVE@127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}/dicom-web"):
        source = open_source(Settings(priors_source=address, priors_plain_http=True))
        with pytest.raises(SourceUnavailable) as raised:
            source.studies(Patient("PHANTOM-0040"), allowance())
        assert "PHANTOM" not in str(raised.value)
        assert "127.0.0.1" in str(raised.value)


def test_a_wrong_address_of_a_dicomweb_service_is_refused_and_not_unavailable(earlier: EarlierArchive) -> None:
    source = open_source(Settings(priors_source=f"{earlier.archive.url}/nothing-here", priors_plain_http=True))
    with pytest.raises(SourceRefuses, match="404"):
        source.studies(Patient("PHANTOM-0040"), allowance())


def test_a_title_that_the_archive_does_not_know_gets_no_answer(earlier: EarlierArchive) -> None:
    source = open_source(Settings(priors_source=earlier.archive.destination, ae_title="STRANGER"))
    with pytest.raises(SourceUnavailable, match="rejected"):
        source.studies(Patient("PHANTOM-0040"), allowance())


def test_a_search_whose_time_is_over_asks_nobody(source: PriorSource) -> None:
    with pytest.raises(OutOfTime):
        source.studies(Patient("PHANTOM-0040"), allowance(seconds=0))


def test_a_search_that_is_not_wanted_any_more_ends(source: PriorSource) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        source.studies(Patient("PHANTOM-0040"), allowance(cancelled=cancelled))
