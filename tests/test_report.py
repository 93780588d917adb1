"""Structured reports as radiologists, validators and other programs read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes as standard
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from numbering.dicom.objects import codes
from numbering.dicom.objects.encode import encode, write_objects
from numbering.errors import ReasonCode
from numbering.result import Findings, Measurement, NumberedDisc, NumberingResult, StatedReason, Status, Vertebra
from tests.films import make_ct, make_film, uneven
from tests.results import BOX, STATEMENT, WEIGHTS, abstained, numbered, result_of
from tests.tools import complaints, dumped, tid1500

NOTICE = "AI result, not verified. Research use only."
TWO_BOXES = [(10.0, 20.0, 50.0, 60.0), (10.0, 70.0, 50.0, 100.0)]


def written(film: Path, findings: Findings, **more: Any) -> Path:
    """The report of this result, as a file."""
    return report_file(result_of([film], findings, **more), {uid_of(film): film})


def report_file(result: NumberingResult, sources: dict[str, Path]) -> Path:
    folder = next(iter(sources.values())).parent / "objects"
    return write_objects(encode(result, sources), folder)[0].path


def uid_of(film: Path) -> str:
    return str(dcmread(film, stop_before_pixels=True).SOPInstanceUID)


FILMS: dict[str, dict[str, Any]] = {
    "AP film": {},
    "without PatientOrientation": {"PatientOrientation": None, "patient_orientation": None},
    "with an empty PatientOrientation": {"patient_orientation": None},
    "without pixel spacing": {"modality": "CR", "ImagerPixelSpacing": None},
    "MONOCHROME1": {"photometric": "MONOCHROME1"},
    "CR": {"modality": "CR"},
    "secondary capture": {"modality": "OT"},
    "Japanese name": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    },
    "Latin-1 name": {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jörg"},
}


@pytest.mark.parametrize("elements", FILMS.values(), ids=FILMS)
def test_every_reader_takes_the_report_of_every_film(elements: dict[str, Any], tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", **elements)
    path = written(film, numbered(uid_of(film)))
    assert complaints(path) == []
    assert "Image Library" in dumped(path)
    (group,) = tid1500(path)["Measurements"]
    assert group["FindingSite"]["CodeValue"] == "49668003"
    assert tid1500(path)["imageLibrary"] == [uid_of(film)]
    assert_read_back(path, uid_of(film))


def assert_read_back(path: Path, film_uid: str) -> None:
    """highdicom finds level, region and probability."""
    document = hd.sr.srread(path)
    assert isinstance(document, hd.sr.ComprehensiveSR)
    site = standard.SCT.L5Vertebra
    (group,) = document.content.get_planar_roi_measurement_groups(finding_site=site)
    assert group.finding_type == standard.SCT.Vertebra
    assert group.tracking_identifier == "L5"
    (probability,) = group.get_measurements(hd.sr.CodedConcept("122157", "DCM", "Probability"))
    assert probability.value == 0.97
    assert probability.unit == hd.sr.CodedConcept("1", "UCUM", "no units")
    assert group.roi.graphic_type == hd.sr.GraphicTypeValues.POLYLINE
    x0, y0, x1, y1 = (value + 0.5 for value in BOX)
    expected = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    np.testing.assert_array_equal(group.roi.value, expected)
    (image,) = group.roi.ContentSequence
    assert image.referenced_sop_instance_uid == film_uid


def test_a_film_without_any_identification_still_gets_a_valid_report(tmp_path: Path) -> None:
    nothing = dict.fromkeys(
        ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID")
        + ("AccessionNumber", "ReferringPhysicianName", "SeriesNumber", "StudyDescription")
    )
    film = make_film(tmp_path / "film.dcm", **nothing)
    path = written(film, numbered(uid_of(film)))
    # What the film does not say is not invented; a DICOMDIR could not list it then, nor could it the film
    assert {line.partition(" - ")[2].partition(" - ")[2] for line in complaints(path)} == {
        "Missing attribute or value that would be needed to build DICOMDIR"
    }
    assert_read_back(path, uid_of(film))
    assert tid1500(path)["Measurements"]
    assert dumped(path)


def test_a_radiologist_reads_the_whole_answer_in_the_dump(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    text = dumped(written(film, numbered(uid_of(film))))
    for line in (
        'Finding Site")=(49668003,SCT,"L5 vertebra")',
        'Probability")="0.97" (1,UCUM,"no units")',
        'Detector\'s score for this region")="0.91"',
        'Level in the alternative numbering")=(L6,99NUMBERING,"L6 vertebra")',
        'Probability of the alternative numbering")="0.02"',
        f'Numbering basis")="{STATEMENT}"',
        'Counted from")=(COUNT-LOOKS,99NUMBERING,"Lowest lumbar-type vertebra by appearance, presumed L5")',
        'Anchor in view")=(54735007,SCT,"Sacrum")',
        'Number of lumbar-type vertebrae in view")="4" (1,UCUM,"no units")',
        'Lowest rib-bearing vertebra")=(23215003,SCT,"T12 vertebra")',
        'transitional vertebra")=(LSTV-SUSPECTED,99NUMBERING,"Lumbosacral transitional vertebra suspected")',
        'Evidence for a lumbosacral transitional vertebra")="six lumbar-type vertebrae"',
        'Lowest well-formed intervertebral disc")=(DISC-L5-L6,99NUMBERING,"L5/L6 disc")',
        'Confidence of the numbering: its weakest name\'s probability")="0.97"',
        'Assumption of the numbering")="five lumbar-type vertebrae"',
        'Alternative numbering")="L6, probability 0.02"',
        'Suspected numerical or transitional anomaly")="transitional vertebra not excluded"',
        'Quality Finding")="lower edge of the film crops the sacrum"',
        f'Status of this result")="{NOTICE}"',
        f"weights_sha256={WEIGHTS}",
        "runtime=openvino 2026.4.1 cpu f32",
        "Verification Flag   : UNVERIFIED",
    ):
        assert line in text


def test_the_report_joins_the_study_and_says_what_it_is(tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "film.dcm",
        AccessionNumber="A-77",
        StudyID="S9",
        ReferringPhysicianName="Doe^Jane",
        PatientAge="071Y",
    )
    source, report = dcmread(film), dcmread(written(film, numbered(uid_of(film))))
    for keyword in (
        *("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
        *("AccessionNumber", "ReferringPhysicianName", "StudyID", "StudyDate", "StudyTime", "StudyDescription"),
    ):
        assert report[keyword].value == source[keyword].value, keyword
    assert report.SOPClassUID == ComprehensiveSRStorage
    assert report.SeriesInstanceUID != source.SeriesInstanceUID
    assert report.SeriesDescription == "numbering: L5 (AI, unverified)"
    assert (report.Manufacturer, report.ContentQualification) == ("numbering", "RESEARCH")
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    (equipment,) = report.ContributingEquipmentSequence
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert report.CodingSchemeIdentificationSequence[0].CodingSchemeUID == codes.SCHEME_UID


def test_times_are_utc_unless_the_source_states_its_offset(tmp_path: Path) -> None:
    plain = make_film(tmp_path / "a" / "film.dcm")
    report = dcmread(written(plain, numbered(uid_of(plain))))
    assert (report.TimezoneOffsetFromUTC, report.ContentDate) == ("+0000", "20260301")
    assert report.ContentTime == "223015.250000"
    tokyo = make_film(tmp_path / "b" / "film.dcm", TimezoneOffsetFromUTC="+0900")
    report = dcmread(written(tokyo, numbered(uid_of(tokyo))))
    assert (report.TimezoneOffsetFromUTC, report.ContentDate) == ("+0900", "20260302")
    assert report.ContentTime == "073015.250000"


@pytest.mark.parametrize(
    ("theirs", "name", "ours"),
    [
        ("ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        (None, "DOE^JANE", None),
        ("ISO_IR 192", "Müller^Jörg", "ISO_IR 192"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "ISO_IR 192"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "ISO_IR 13"),
    ],
)
def test_names_survive_in_a_character_set_that_holds_them(
    theirs: Any, name: str, ours: str | None, tmp_path: Path
) -> None:
    film = make_film(tmp_path / "film.dcm", SpecificCharacterSet=theirs, PatientName=name)
    report = dcmread(written(film, numbered(uid_of(film))))
    assert report.get("SpecificCharacterSet") == ours
    assert str(report.PatientName) == name


def test_a_statement_beyond_latin_1_makes_the_report_utf_8(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")
    path = written(film, numbered(uid_of(film), anomalies=("rib at T13 ≥ 20 mm",)))
    assert dcmread(path).SpecificCharacterSet == "ISO_IR 192"
    assert str(dcmread(path).PatientName) == "Müller^Jörg"
    assert "rib at T13 ≥ 20 mm" in dumped(path)


def test_an_abstention_shows_its_reason_and_its_candidates_without_a_name(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    path = written(film, abstained(uid_of(film), TWO_BOXES))
    assert complaints(path) == []
    text = dumped(path)
    assert 'Reason for giving no numbering")=(R-AMBIGUOUS,99NUMBERING,' in text
    assert 'Reason for giving no numbering")="Two regions look like the lowest lumbar-type vertebra."' in text
    assert NOTICE in text
    assert "Finding Site" not in text
    groups = hd.sr.srread(path).content.get_planar_roi_measurement_groups()
    assert [group.finding_type.meaning for group in groups] == ["Candidate, not numbered"] * 2
    assert [group.roi.value[0].tolist() for group in groups] == [[10.5, 20.5], [10.5, 70.5]]
    assert [item["measurementItems"][0]["value"] for item in tid1500(path)["Measurements"]] == ["0.6", "0.5"]


def test_an_abstention_without_candidates_is_a_report_too(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    path = written(film, abstained(uid_of(film)))
    assert complaints(path) == []
    assert "R-NOT-IN-VIEW" in dumped(path)
    assert tid1500(path)["Measurements"] == []
    assert hd.sr.srread(path).content.get_planar_roi_measurement_groups() == []
    assert dcmread(path).SeriesDescription == "numbering: no numbering given (AI, unverified)"


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_can_be_reported(code: ReasonCode, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    findings = Findings(status=Status.ABSTAINED, reason=StatedReason(code=code, text="Because."))
    report, *_ = encode(result_of([film], findings), {uid_of(film): film})
    evaluations = report.ContentSequence[-1].ContentSequence
    assert evaluations[1].ConceptCodeSequence[0].CodeValue == codes.REASONS[code].value


def test_l6_is_coded_in_our_own_scheme(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    path = written(film, numbered(uid_of(film), level="L6"))
    assert complaints(path) == []
    (group,) = tid1500(path)["Measurements"]
    assert (group["FindingSite"]["CodingSchemeDesignator"], group["FindingSite"]["CodeValue"]) == ("99NUMBERING", "L6")
    assert dcmread(path).SeriesDescription == "numbering: L6 (AI, unverified)"


def test_a_superseding_report_names_its_predecessor_and_the_series_it_lies_in(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    first = dcmread(written(film, numbered(uid_of(film))))
    path = written(film, numbered(uid_of(film), level="L4"), revision=2, predecessor_sr_uid=first.SOPInstanceUID)
    second = dcmread(path)
    (study,) = second.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert study.StudyInstanceUID == first.StudyInstanceUID
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert second.SOPInstanceUID != first.SOPInstanceUID
    assert second.SeriesInstanceUID != first.SeriesInstanceUID
    assert complaints(path) == []


def test_a_region_on_a_frame_is_selected_from_that_frame(tmp_path: Path) -> None:
    frames = np.stack([uneven(), uneven() // 2])
    multi = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    film = make_film(tmp_path / "film.dcm", modality="OT", pixels=frames, SOPClassUID=multi)
    path = written(film, numbered(uid_of(film), frame=2))
    assert complaints(path) == []
    assert tid1500(path)["Measurements"]
    (group,) = hd.sr.srread(path).content.get_planar_roi_measurement_groups()
    assert group.roi.ContentSequence[0].referenced_frame_numbers == [2]


def test_corners_are_drawn_where_they_are_known_and_stay_inside_the_image(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    corners = ((-3.0, 101.0), (60.0, 99.0), (61.5, 130.0), (21.0, 160.0))
    vertebra = Vertebra(level="L5", probability=0.9, sop_instance_uid=uid_of(film), box=BOX, corners=corners)
    path = written(film, numbered(uid_of(film), vertebrae=(vertebra,)))
    (group,) = hd.sr.srread(path).content.get_planar_roi_measurement_groups()
    assert group.roi.value.tolist() == [[0, 101.5], [60.5, 99.5], [62, 130.5], [21.5, 157], [0, 101.5]]


def test_every_image_of_a_series_is_evidence_and_in_the_library(tmp_path: Path) -> None:
    films = [make_film(tmp_path / f"{n}.dcm", study_uid="1.2.3", series_uid=f"1.2.3.{n // 2}") for n in range(3)]
    sources = {uid_of(film): film for film in films}
    path = report_file(result_of(films, numbered(uid_of(films[2]))), sources)
    (study,) = dcmread(path).CurrentRequestedProcedureEvidenceSequence
    listed = [[item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] for series in study[0x00081115]]
    assert listed == [[uid_of(films[0]), uid_of(films[1])], [uid_of(films[2])]]
    assert tid1500(path)["imageLibrary"] == [uid_of(film) for film in films]


def test_a_slice_with_a_frame_of_reference_gets_a_comprehensive_3d_report(tmp_path: Path) -> None:
    slice_ = make_ct(tmp_path / "ct.dcm")
    uid = uid_of(slice_)
    discs = (NumberedDisc(level="L5-L6", probability=0.8, sop_instance_uid=uid),)
    angles = (
        Measurement(name="lumbar-lordosis-l1-l5", levels=("L1", "L5"), value=43.125, unit="deg", uncertainty=2),
        Measurement(name="sacral-slope", levels=("S1",), value=None, unit="deg", reason="S1 is not in view"),
    )
    path = written(slice_, numbered(uid, box=(3.0, 4.0, 20.0, 25.0), discs=discs, measurements=angles))
    assert dcmread(path).SOPClassUID == Comprehensive3DSRStorage
    assert complaints(path) == []
    text = dumped(path)
    assert '(DISC-L5-L6,99NUMBERING,"L5/L6 disc")' in text
    assert 'Lumbar lordosis")="43.125" (deg,UCUM,"degree")' in text
    assert '"+/-, range of measurement uncertainty")="2"' in text
    assert "S1 is not in view" in text
    groups = tid1500(path)["Measurements"]
    assert [group["TrackingIdentifier"] for group in groups][:3] == ["L5", "L5-L6", "lumbar-lordosis-l1-l5"]
    assert len(hd.sr.srread(path).content.get_image_measurement_groups()) == 2


def test_no_text_is_longer_than_its_element_allows(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    vertebrae = tuple(
        Vertebra(level=level, probability=0.9, sop_instance_uid=uid_of(film), box=BOX) for level in ("T12", "L1", "L2")
    )
    report = dcmread(written(film, numbered(uid_of(film), vertebrae=vertebrae, alternative=None)))
    assert report.SeriesDescription == "numbering: T12 to L2 (AI, unverified)"
    assert len(report.SeriesDescription) <= 64
    uids = [
        group.tracking_uid
        for group in hd.sr.srread(
            film.parent / "objects" / f"{report.SOPInstanceUID}.dcm"
        ).content.get_planar_roi_measurement_groups()
    ]
    assert len(set(uids)) == 3
