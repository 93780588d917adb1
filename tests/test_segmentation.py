"""Segmentations of vertebral bodies: off unless asked for, and exactly what lies within the corners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage, SegmentationStorage

from numbering.dicom.objects.encode import encode, object_bytes, write_objects
from numbering.geometry import inside
from numbering.pipelines.loaded import Pipelines
from numbering.pipelines.sagittal_xray.card import CARD as SAGITTAL_XRAY
from numbering.result import NumberingResult
from numbering.run import run
from tests.films import make_film
from tests.results import abstained, lateral, numbered, result_of
from tests.stub_pipeline import LATERAL as LATERAL_FINDINGS
from tests.stub_pipeline import LateralStub
from tests.tools import complaints

LATERAL: dict[str, Any] = {"rows": 300, "columns": 200, "view_position": "LL", "patient_orientation": ["P", "F"]}
FILMS: dict[str, dict[str, Any]] = {
    "DX": {},
    "CR without spacing": {"modality": "CR", "ImagerPixelSpacing": None},
    "without orientation": {"patient_orientation": None},
    "MONOCHROME1": {"photometric": "MONOCHROME1"},
}


def film_and_result(folder: Path, **film: Any) -> tuple[Path, NumberingResult]:
    path = make_film(folder / "film.dcm", **(LATERAL | film))
    return path, result_of([path], lateral(str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)))


def kinds(objects: list[Dataset]) -> list[str]:
    return [ds.Modality for ds in objects]


@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS)
def test_each_body_is_one_segment_that_readers_lay_over_the_film(film: dict[str, Any], tmp_path: Path) -> None:
    path, result = film_and_result(tmp_path, **film)
    uid = result.sources[0].sop_instance_uid
    *_, written = write_objects(encode(result, {uid: path}, segmented=True), tmp_path)
    assert complaints(written.path) == []
    masks = hd.seg.segread(written.path).get_pixels_by_source_instance([uid])[0]
    assert masks.shape == (300, 200, 5)
    for index, vertebra in enumerate(result.findings.vertebrae[:5]):
        assert vertebra.corners is not None
        x, y = np.mean(vertebra.corners, axis=0)
        assert masks[round(y), round(x), index] == 1
        np.testing.assert_array_equal(masks[..., index].astype(bool), inside(vertebra.corners, 300, 200))


def test_a_segment_is_tracked_as_its_vertebra_in_the_report(tmp_path: Path) -> None:
    path, result = film_and_result(tmp_path)
    report, _, segmentation = encode(result, {result.sources[0].sop_instance_uid: path}, segmented=True)
    groups = next(item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    uids = [
        item.UID
        for group in groups.ContentSequence
        for item in group.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "112040"
    ]
    assert [segment.TrackingUID for segment in segmentation.SegmentSequence] == uids[:5]
    types = [segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning for segment in segmentation.SegmentSequence]
    assert types == [f"L{n} vertebra" for n in range(1, 6)]


def test_nothing_is_segmented_unless_it_is_asked_for(tmp_path: Path) -> None:
    path, result = film_and_result(tmp_path)
    sources = {result.sources[0].sop_instance_uid: path}
    assert kinds(encode(result, sources)) == ["SR", "PR"]
    asked = encode(result, sources, segmented=True)
    assert kinds(asked) == ["SR", "PR", "SEG"]
    again = encode(result, sources, segmented=True)
    assert [object_bytes(one) for one in asked] == [object_bytes(one) for one in again]


def test_a_run_segments_when_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, result = film_and_result(tmp_path)
    (tmp_path / "findings.json").write_text(result.findings.model_dump_json())
    monkeypatch.setenv(LATERAL_FINDINGS, str(tmp_path / "findings.json"))
    monkeypatch.setattr("numbering.route.CARDS", (SAGITTAL_XRAY,))
    monkeypatch.setattr(Pipelines, "named", lambda self, name: LateralStub())
    for told, last in ((False, GrayscaleSoftcopyPresentationStateStorage), (True, SegmentationStorage)):
        report = run([path], tmp_path / f"out-{told}", Pipelines(), segmented=told).report
        assert report.studies[0].series[0].objects[-1].sop_class == last


def test_what_has_no_corners_is_not_segmented(tmp_path: Path) -> None:
    path, result = film_and_result(tmp_path)
    uid = result.sources[0].sop_instance_uid
    for findings in (numbered(uid), abstained(uid, [(10.0, 20.0, 50.0, 60.0)])):
        objects = encode(result_of([path], findings), {uid: path}, segmented=True)
        assert kinds(objects) == ["SR", "PR"]


@pytest.mark.parametrize(
    ("outline", "pixels"),
    [
        ([(0.5, 0.5), (3.5, 0.5), (3.5, 2.5), (0.5, 2.5)], {(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)}),
        ([(2.13, -0.08), (4.63, 2.42), (2.13, 4.92), (-0.37, 2.42)], None),
        ([(-5.0, -5.0), (1.5, -5.0), (1.5, 0.5), (-5.0, 0.5)], {(0, 0), (0, 1)}),
        ([(9.0, 9.0), (12.0, 9.0), (12.0, 12.0)], set()),
    ],
)
def test_the_inside_is_the_pixels_whose_centres_are_in_it(
    outline: list[tuple[float, float]], pixels: set[tuple[int, int]] | None
) -> None:
    found = {(int(row), int(column)) for row, column in np.argwhere(inside(outline, 6, 5))}
    if pixels is None:  # a diamond
        centres = {(row, column) for row in range(6) for column in range(5)}
        pixels = {(row, column) for row, column in centres if abs(column - 2.13) + abs(row - 2.42) < 2.5}
    assert found == pixels
