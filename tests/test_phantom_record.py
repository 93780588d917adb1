"""A patient's record: visits, ageing, equipment, and headers in the languages of those who wrote them."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import product

import pydicom
import pytest

from numbering.phantom.anatomy.ageing import aged
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.dicom.flaws import FLAWS
from numbering.phantom.dicom.header import SeriesHeader, begin, file_bytes, frame_of_reference_uid, study_uid, uid
from numbering.phantom.styles import STYLES, series_words, study_words
from numbering.phantom.visits import Visit, record
from numbering.views import Projection, Region, of_words, region_of

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
FILM = SeriesHeader(
    name="ap lumbar",
    number=2,
    modality="DX",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
    shown="AP",
    region="lumbar",
    body_part="LSPINE",
    in_space=False,
)


@pytest.fixture(scope="module")
def patient() -> Patient:
    return sample(11, "none")


@pytest.fixture(scope="module")
def visit(patient: Patient) -> Visit:
    return record(patient, ["films"])[0]


def test_one_visit_holds_a_study_of_each_kind_within_weeks(patient: Patient) -> None:
    studies = record(patient)
    assert [study.kind for study in studies] == ["films", "mr", "ct"]
    assert 0 < (studies[-1].day - studies[0].day).days < 60
    assert len({study_uid(study) for study in studies}) == 3
    assert {study.patient for study in studies} == {patient}


def test_several_visits_begin_with_a_film_end_with_everything_and_the_patient_ages(patient: Patient) -> None:
    studies = record(patient, visits=4)
    assert [study.kind for study in studies if study.number == 1] == ["films"]
    assert {study.kind for study in studies if study.number == 4} == {"films", "ct", "mr"}
    days = [study.day for study in studies]
    assert days == sorted(days)
    first, last = studies[0], studies[-1]
    years = (last.day - first.day).days / 365.25
    assert years > 3
    assert abs(last.patient.age - first.patient.age - years) < 1.5


def test_what_a_visit_is_does_not_depend_on_the_kinds_that_are_asked_for(patient: Patient) -> None:
    (alone,) = record(patient, ["ct"])
    assert alone in record(patient)


def test_discs_sink_with_the_years_and_levels_stay(patient: Patient) -> None:
    old = aged(patient, 20)
    assert [one.level for one in old.vertebrae] == [one.level for one in patient.vertebrae]
    pairs = list(zip(patient.vertebrae, old.vertebrae, strict=True))
    assert all(then.disc.height_middle < now.disc.height_middle for now, then in pairs if not now.disc.fused)
    assert all(then.disc.degeneration >= now.disc.degeneration for now, then in pairs)
    assert old.bone_hu < patient.bone_hu
    assert old.age == patient.age + 20
    assert aged(patient, 0) is patient


def test_a_block_vertebra_stays_one_block() -> None:
    first = sample(5, "none")
    fused = replace(first.vertebrae[-3], disc=replace(first.vertebrae[-3].disc, fused=True))
    patient = replace(first, vertebrae=(*first.vertebrae[:-3], fused, *first.vertebrae[-2:]))
    assert aged(patient, 30).vertebrae[-3] == fused


def test_too_many_visits_are_refused(patient: Patient) -> None:
    with pytest.raises(ValueError, match="7 visits: expected 1 to 6"):
        record(patient, visits=7)


def test_uids_tell_apart_whatever_differs(patient: Patient) -> None:
    visits = [
        *record(patient, visits=2),
        *record(patient, ["films"], rendering=("artisynth",)),
        *record(patient, ["films"], flaws=("no-view",)),
        *record(sample(12, "none"), ["films"]),
    ]
    assert len({uid(one, "study") for one in visits}) == len(visits)


def test_series_of_one_study_share_a_frame_of_reference_and_films_have_none(patient: Patient) -> None:
    _, mr, ct = record(patient)
    series = replace(FILM, modality="CT", sop_class_uid=CT_IMAGE, shown="CT", in_space=True)
    assert begin(ct, series).FrameOfReferenceUID == frame_of_reference_uid(ct) != frame_of_reference_uid(mr)
    assert "FrameOfReferenceUID" not in begin(ct, FILM)


def test_a_header_says_that_nobody_real_is_shown(visit: Visit) -> None:
    ds = begin(visit, FILM)
    assert str(ds.PatientName) == "PHANTOM^SEED0011"
    assert ds.PatientID == "PHANTOM-0011"
    assert "no real person" in ds.ImageComments
    assert ds.QualityControlImage == "YES"
    assert "(phantom)" in ds.Manufacturer
    assert ds.Manufacturer != "numbering"
    assert int(ds.PatientBirthDate[:4]) + int(ds.PatientAge[:3]) == visit.day.year


@pytest.mark.parametrize("style", STYLES)
def test_every_style_survives_its_character_set(visit: Visit, style: str) -> None:
    ds = begin(replace(visit, style=style), FILM)
    written = file_bytes(ds)
    read = pydicom.dcmread(io.BytesIO(written))
    assert read.SeriesDescription == series_words(STYLES[style], "AP", "lumbar")
    assert read.StudyDescription == study_words(STYLES[style], "films", "lumbar")
    assert read.ManufacturerModelName == STYLES[style].models["DX"]
    assert file_bytes(begin(replace(visit, style=style), FILM)) == written


@pytest.mark.parametrize(("style", "region"), list(product(STYLES, ("lumbar", "whole-spine"))))
def test_routing_understands_what_a_style_writes(style: str, region: str) -> None:
    equipment = STYLES[style]
    frontal = of_words([series_words(equipment, "AP", region), study_words(equipment, "films", region)])
    assert frontal == {Projection.AP}
    assert of_words([series_words(equipment, "lateral", region)]) == {Projection.LATERAL}
    assert region_of(series_words(equipment, "AP", region)) is Region.SPINE
    assert region_of(study_words(equipment, "films", region)) is Region.SPINE


@pytest.mark.parametrize("flaw", FLAWS)
def test_every_flaw_changes_the_header_that_it_is_about(visit: Visit, flaw: str) -> None:
    def film() -> pydicom.Dataset:
        ds = begin(visit, FILM)
        ds.ViewPosition, ds.PatientOrientation, ds.ImageLaterality = "AP", ["L", "F"], "U"
        ds.ViewCodeSequence, ds.ImagerPixelSpacing = [], [0.2, 0.2]
        return ds

    assert file_bytes(film(), (flaw,)) != file_bytes(film())
