"""Plain files as what is known: whose each is, and that nobody's films mix."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from numbering.checking import ask
from numbering.checking.files import KnownFiles
from numbering.checking.gather import Asked, question_of
from numbering.checking.question import Misused
from numbering.levelcheck import Check, Policy
from numbering.levelcheck.answer import Why
from numbering.pipelines.ap_xray.card import CARD
from numbering.pipelines.loaded import Pipelines
from numbering.priors.source import Patient
from numbering.settings import Settings
from tests.films import UNEVEN_COLUMNS, UNEVEN_ROWS, make_film


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CARD.__dict__, "path", "tests.stub_pipeline:Stub")


def film(folder: Path, patient: str, issuer: str | None = None, **more: object) -> str:
    """Write a film of this patient; its UID."""
    path = make_film(folder / f"{len(list(folder.iterdir()))}.dcm", PatientID=patient, IssuerOfPatientID=issuer, **more)  # type: ignore[arg-type]
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def known(folder: Path) -> KnownFiles:
    return KnownFiles([folder], Pipelines("cpu"))


def checked(folder: Path, image: str, patient: Patient | None = None) -> Check:
    at = f"{image}:{UNEVEN_COLUMNS * 0.5},{UNEVEN_ROWS * 0.5}"
    asked = Asked(planned="L5", at=at, patient=patient)
    return ask(question_of(asked, Settings(), lambda name: None), known(folder), Policy()).check


def test_files_of_two_patients_are_never_one_record(tmp_path: Path) -> None:
    anna, ben = film(tmp_path, "ANNA"), film(tmp_path, "BEN")
    mine = checked(tmp_path, anna, Patient("ANNA"))
    assert mine.reason is Why.BASIS_NOT_CONFIRMED
    assert len(mine.series) == 1
    assert ben not in mine.to_json()
    assert checked(tmp_path, ben, Patient("ANNA")).reason is Why.ANOTHER_PATIENT
    assert checked(tmp_path, anna).reason is Why.BASIS_NOT_CONFIRMED


def test_an_id_of_two_issuers_needs_its_issuer(tmp_path: Path) -> None:
    north, south, unknown = (film(tmp_path, "7", issuer) for issuer in ("NORTH", "SOUTH", None))
    with pytest.raises(Misused, match="issuer"):
        checked(tmp_path, north, Patient("7"))
    assert checked(tmp_path, north, Patient("7", "NORTH")).reason is Why.BASIS_NOT_CONFIRMED
    assert checked(tmp_path, south, Patient("7", "NORTH")).reason is Why.ANOTHER_PATIENT
    assert checked(tmp_path, unknown, Patient("7", "NORTH")).reason is Why.IMAGE_NOT_KNOWN


def test_an_issuer_that_one_side_does_not_name_does_not_part_a_patient(tmp_path: Path) -> None:
    first, second = film(tmp_path, "7", "NORTH"), film(tmp_path, "7")
    assert len(checked(tmp_path, first, Patient("7")).series) == 2
    assert checked(tmp_path, second, Patient("7", "NORTH")).reason is Why.BASIS_NOT_CONFIRMED
    assert checked(tmp_path, second, Patient("7", "SOUTH")).reason is Why.ANOTHER_PATIENT


def test_a_film_that_does_not_say_whose_it_is_confirms_nothing(tmp_path: Path) -> None:
    image = film(tmp_path, "")
    assert checked(tmp_path, image).reason is Why.IMAGE_NOT_KNOWN
    assert checked(tmp_path, image, Patient("ANNA")).reason is Why.IMAGE_NOT_KNOWN


def test_a_series_of_two_patients_is_nobodys(tmp_path: Path) -> None:
    one = film(tmp_path, "ANNA", study_uid="1.2.3", series_uid="1.2.3.1")
    film(tmp_path, "BEN", study_uid="1.2.3", series_uid="1.2.3.1")
    assert checked(tmp_path, one, Patient("ANNA")).reason is Why.IMAGE_NOT_KNOWN


def test_what_no_pipeline_numbers_is_listed_with_its_reason(tmp_path: Path) -> None:
    image = film(tmp_path, "ANNA", view_position="LL", patient_orientation=None)
    answer = checked(tmp_path, image)
    assert answer.reason is Why.NOTHING_NUMBERED
    (series,) = answer.series
    assert series.reason
