"""What is written for a lateral film: outlines and measurements in the report, lines and values over the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from numbering.dicom.objects.encode import encode, write_objects
from numbering.labels import labels
from numbering.marks import angles_on, marks_on
from numbering.result import Findings, Measurement, NumberingBasis, Status, Vertebra
from numbering.study import View
from tests.films import make_film, uneven
from tests.results import lateral, result_of
from tests.tools import complaints, dumped, grey_levels, run, tid1500

SIZE: dict[str, Any] = {"rows": 300, "columns": 200}
LATERAL: dict[str, Any] = SIZE | {"view_position": "LL", "patient_orientation": ["P", "F"]}
FILMS: dict[str, dict[str, Any]] = {
    "DX": {},
    "CR": {"modality": "CR", "ImagerPixelSpacing": None},
    "MONOCHROME1": {"photometric": "MONOCHROME1"},
    "whole spine": {"rows": 1500, "columns": 500},
}


def objects(film: Path, findings: Findings | None = None) -> tuple[Path, Path]:
    """The report and the presentation state of a lateral film."""
    header = dcmread(film, stop_before_pixels=True)
    found = findings or lateral(str(header.SOPInstanceUID), size=float(min(header.Rows, 1.5 * header.Columns)))
    result = result_of([film], found, view=View.LATERAL, pipeline="sagittal-xray")
    report, state = write_objects(encode(result, {header.SOPInstanceUID: film}), film.parent / "objects")
    return report.path, state.path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("lateral") / "film.dcm", **LATERAL)


@pytest.fixture(scope="module")
def written(film: Path) -> tuple[Path, Path]:
    return objects(film)


@pytest.fixture(scope="module")
def found(film: Path) -> Findings:
    return lateral(str(dcmread(film).SOPInstanceUID))


@pytest.mark.parametrize("kind", FILMS.values(), ids=FILMS)
def test_every_reader_takes_what_is_written_of_every_film(kind: dict[str, Any], tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.dcm", **(LATERAL | kind))
    report, state = objects(source)
    assert complaints(report) == []
    assert complaints(state) == []
    checked = run("dcmpschk", state)
    assert "Test passed" in checked.stdout + checked.stderr
    assert len(hd.sr.srread(report).content.get_planar_roi_measurement_groups()) == 8
    assert [group["TrackingIdentifier"] for group in tid1500(report)["Measurements"]][:2] == ["L1", "L2"]
    np.testing.assert_array_equal(grey_levels(source, state), grey_levels(source))


def test_each_vertebra_is_a_closed_line_through_its_corners(written: tuple[Path, Path], found: Findings) -> None:
    groups = hd.sr.srread(written[0]).content.get_planar_roi_measurement_groups()
    for vertebra, group in zip(found.vertebrae[:5], groups, strict=False):
        corners = np.array([*vertebra.corners, vertebra.corners[0]]) + 0.5
        np.testing.assert_allclose(group.roi.value, corners, rtol=1e-6)


def test_the_sacrum_is_its_endplate_and_no_outline(written: tuple[Path, Path], found: Findings) -> None:
    group = hd.sr.srread(written[0]).content.get_planar_roi_measurement_groups()[5]
    assert group.tracking_identifier == "S1"
    np.testing.assert_allclose(group.roi.value, np.array(found.vertebrae[5].endplate) + 0.5, rtol=1e-6)


def test_an_angle_is_written_with_its_uncertainty_its_levels_and_its_lines(
    written: tuple[Path, Path], found: Findings
) -> None:
    (group,) = [one for one in _groups(written[0]) if _text(one, "112039") == "lumbar-lordosis-l1-s1"]
    (number,) = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    assert number.ConceptNameCodeSequence[0].CodeValue == "LUMBAR-LORDOSIS"
    value = number.MeasuredValueSequence[0]
    assert float(value.NumericValue) == pytest.approx(found.measurements[1].value, abs=1e-3)
    assert value.MeasurementUnitsCodeSequence[0].CodeValue == "deg"
    beneath = number.ContentSequence
    assert [item.ConceptCodeSequence[0].CodeMeaning for item in beneath[:2]] == ["L1 vertebra", "S1 vertebra"]
    assert float(beneath[2].MeasuredValueSequence[0].NumericValue) == 2.25
    lines = [np.array(item.GraphicData).reshape(2, 2) for item in beneath[3:]]
    np.testing.assert_allclose(lines, np.array(found.measurements[1].lines) + 0.5, rtol=1e-6)
    assert {item.RelationshipType for item in beneath[3:]} == {"INFERRED FROM"}


def test_what_was_measured_of_one_vertebra_stands_in_its_group(written: tuple[Path, Path]) -> None:
    sacrum = _groups(written[0])[5]
    names = [item.ConceptNameCodeSequence[0].CodeValue for item in sacrum.ContentSequence if item.ValueType == "NUM"]
    assert "SACRAL-SLOPE" in names
    assert "sacral-slope" not in [_text(group, "112039") for group in _groups(written[0])]


def test_what_is_not_given_says_why_and_makes_no_group(written: tuple[Path, Path]) -> None:
    text = dumped(written[0])
    assert 'Anterior to posterior height of vertebral body")=(114006,DCM,"Measurement failure")' in text
    assert 'Comment")="L2: a fracture is suspected"' in text
    assert 'Segmental angle")=(114006,DCM,"Measurement failure")' in text
    assert 'Comment")="T12 is not named"' in text
    assert len(_groups(written[0])) == 8


def test_only_lordosis_has_a_region_and_lines_of_its_own(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", **LATERAL)
    plain = lateral(str(dcmread(film).SOPInstanceUID))
    slip = plain.measurements[0].model_copy(update={"name": "anterolisthesis-l4-l5", "levels": ("L4", "L5")})
    report, _ = objects(film, plain.model_copy(update={"measurements": (*plain.measurements, slip)}))
    assert len(hd.sr.srread(report).content.get_planar_roi_measurement_groups()) == 8
    assert [_text(group, "112039") for group in _groups(report)][-1] == "anterolisthesis-l4-l5"
    number = _groups(report)[-1].ContentSequence[-1]
    assert [item.ValueType for item in number.ContentSequence] == ["CODE", "CODE", "NUM"]
    assert complaints(report) == []


def test_no_group_makes_ohif_stumble(tmp_path: Path) -> None:
    """It reads the first region of a group, or what stands beneath the number of a group that has none."""
    film = make_film(tmp_path / "film.dcm", **LATERAL)
    uid = str(dcmread(film).SOPInstanceUID)
    bare = Measurement(name="lumbar-lordosis-l1-l5", levels=("L1", "L5"), value=41.0, unit="deg")
    for group in _groups(objects(film, lateral(uid, measurements=(bare,)))[0]):
        items = group.ContentSequence
        numbers = [item for item in items if item.ValueType == "NUM"]
        assert any(item.ValueType == "SCOORD" for item in items) or all("ContentSequence" in item for item in numbers)
        assert numbers


def test_the_presentation_state_draws_outlines_names_and_angles(written: tuple[Path, Path], found: Findings) -> None:
    state = dcmread(written[1])
    by_layer = {item.GraphicLayer: item for item in state.GraphicAnnotationSequence[:3]}
    assert [layer.GraphicLayer for layer in state.GraphicLayerSequence] == ["OUTLINES", "NAMES", "ANGLES"]
    outlines = by_layer["OUTLINES"].GraphicObjectSequence
    assert [item.NumberOfGraphicPoints for item in outlines] == [5, 5, 5, 5, 5, 2]
    names = [item.UnformattedTextValue for item in by_layer["NAMES"].TextObjectSequence]
    assert names == [f"L{n} presumed 0.93" for n in range(1, 6)] + ["S1 presumed 0.96"]
    lines = [np.array(item.GraphicData).reshape(2, 2) for item in by_layer["ANGLES"].GraphicObjectSequence]
    given = np.array([line for one in found.measurements for line in one.lines]) + 0.5
    np.testing.assert_allclose(np.mean(lines, axis=1), given.mean(1), rtol=1e-5)
    np.testing.assert_allclose(np.diff(lines, axis=1), 1.8 * np.diff(given, axis=1), atol=1e-3)  # seen beyond outlines
    values = [item.UnformattedTextValue for item in by_layer["ANGLES"].TextObjectSequence]
    assert values[1] == f"L1-S1 lordosis {found.measurements[1].value:.1f} +/- 2.2 deg"
    assert values[2].startswith("S1 sacral slope ")


def test_a_measurement_that_is_not_given_is_not_drawn(found: Findings) -> None:
    uid = found.vertebrae[0].sop_instance_uid
    without = [one.model_copy(update={"value": None, "reason": "not sure"}) for one in found.measurements]
    assert angles_on(found.model_copy(update={"measurements": tuple(without)}), uid) == []
    assert angles_on(found, "1.2.3") == []


def test_lines_on_a_frame_refer_to_that_frame(tmp_path: Path) -> None:
    frames = np.stack([uneven(300, 200), uneven(300, 200) // 2])
    kind = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    source = make_film(tmp_path / "film.dcm", modality="OT", pixels=frames, SOPClassUID=kind)
    _, state = objects(source, lateral(str(dcmread(source).SOPInstanceUID), frame=2))
    drawn = dcmread(state).GraphicAnnotationSequence
    assert [item.ReferencedImageSequence[0].get("ReferencedFrameNumber") for item in drawn] == [2, 2, 2, None]
    assert complaints(state) == []


def test_two_films_of_a_series_keep_their_own_measurements(tmp_path: Path) -> None:
    films = [make_film(tmp_path / f"{n}.dcm", study_uid="1.2.3", series_uid="1.2.3.4", **LATERAL) for n in range(2)]
    uids = [str(dcmread(one).SOPInstanceUID) for one in films]
    first, second = (lateral(uid) for uid in uids)
    both = first.model_copy(
        update={
            "vertebrae": first.vertebrae + second.vertebrae,
            "measurements": first.measurements + second.measurements,
            "alternative": None,
        }
    )
    report, *states = encode(result_of(films, both), dict(zip(uids, films, strict=True)))
    slopes = [
        item.ContentSequence[-1].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for group in _of(report, "126010").ContentSequence
        for item in group.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "SACRAL-SLOPE"
    ]
    assert slopes == uids
    assert [len(state.GraphicAnnotationSequence[2].GraphicObjectSequence) for state in states] == [6, 6]


@pytest.mark.parametrize(("rows", "columns"), [(300, 200), (3000, 2000), (300, 90), (900, 4000)])
def test_no_words_hide_other_words(rows: int, columns: int) -> None:
    findings = lateral("1.2.3", size=float(min(rows, 1.5 * columns)))
    placed = [label.box for label in labels(marks_on(findings, "1.2.3"), angles_on(findings, "1.2.3"), rows, columns)]
    assert len(placed) == 9
    for index, one in enumerate(placed):
        assert one[1] >= 0
        assert one[3] <= rows
        for other in placed[index + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_names_of_small_neighbours_are_written_smaller() -> None:
    basis = NumberingBasis(counted_from="C2", statement="Counted from C2.")
    boxes = [(100.0, 100.0 + 14 * n, 130.0, 110.0 + 14 * n) for n in range(3)]
    vertebrae = tuple(
        Vertebra(level=f"C{n + 2}", probability=0.9, sop_instance_uid="1.2.3", box=box) for n, box in enumerate(boxes)
    )
    findings = Findings(status=Status.NUMBERED, vertebrae=vertebrae, basis=basis)
    heights = [one.box[3] - one.box[1] for one in labels(marks_on(findings, "1.2.3"), [], 1000, 400)]
    assert heights == pytest.approx([14 / 1.15] * 3)


def _groups(report: Path) -> list[Dataset]:
    return list(_of(dcmread(report), "126010").ContentSequence)


def _of(item: Dataset, name: str) -> Dataset:
    return next(one for one in item.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == name)


def _text(item: Dataset, name: str) -> str:
    return str(_of(item, name).TextValue)
