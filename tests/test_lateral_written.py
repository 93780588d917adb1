"""All that the lateral pipeline can find is written, with the simulator's truth for its networks: no name lacks a code,
no text a character, and each validator takes the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from numbering.dicom.objects.encode import encode, write_objects
from numbering.marks import marks_on
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.pipeline import conclude
from numbering.pipelines.sagittal_xray.reading.answer import Reader
from numbering.result import Status
from numbering.study import View
from tests.films import make_film
from tests.lateral import TrueEyes, TrueFilm, true_film
from tests.results import result_of
from tests.tools import complaints, dumped

FILMS: dict[str, dict[str, Any]] = {
    "calibrated": {"spacing_mm": (0.6, 0.6), "calibrated": True},
    "whole spine with six lumbar vertebrae": {"anomaly": "L6", "field_of_view": "whole-spine"},
    "slipped": {"anomaly": "spondylolisthesis"},
    "lying on a side": {"turns": 1},
}


def written(film: TrueFilm, folder: Path, **faults: Any) -> tuple[Any, Path, Path | None]:
    """Findings, report and presentation state of a film as the pipeline reads it."""
    point = OperatingPoint()
    findings = conclude([Reader(TrueEyes(film, **faults), point).answer(film.film)], point)
    pixels = film.film.pixels.astype(np.uint16)
    source = make_film(
        folder / "film.dcm", pixels=pixels, sop_uid=film.film.sop_instance_uid, view_position="LL",
        patient_orientation=None,
    )  # fmt: skip
    result = result_of([source], findings, view=View.LATERAL, pipeline="sagittal-xray")
    objects = write_objects(encode(result, {film.film.sop_instance_uid: source}), folder / "objects")
    return findings, objects[0].path, objects[1].path if len(objects) > 1 else None


@pytest.mark.parametrize("kind", FILMS.values(), ids=FILMS)
def test_what_the_pipeline_finds_is_written_and_taken_by_every_validator(kind: dict[str, Any], tmp_path: Path) -> None:
    findings, report, state = written(true_film(3, **kind), tmp_path)
    assert findings.status is Status.NUMBERED
    assert state is not None
    assert complaints(report) == []
    assert complaints(state) == []
    text = dumped(report)
    given = [one for one in findings.measurements if one.value is not None]
    assert len(given) > 10
    for one in given:
        assert f'="{one.value:.6g}"' in text, one.name
    for reason in {one.reason for one in findings.measurements if one.reason}:
        assert reason in text
    drawn = dcmread(state).GraphicAnnotationSequence[0].GraphicObjectSequence
    assert len(drawn) == len(findings.vertebrae) == len(marks_on(findings, "1.2.3"))


def test_a_film_without_a_spine_is_reported_with_its_reason(tmp_path: Path) -> None:
    findings, report, _ = written(true_film(3), tmp_path, blind=range(24))
    assert findings.status is Status.ABSTAINED
    assert complaints(report) == []
    assert findings.reason.text in dumped(report)
