"""One assignment through a pipeline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from numbering.dicom.read import read_series
from numbering.infer import number, software_version
from numbering.pipelines.ap_xray.card import CARD
from numbering.result import NumberingResult, Origin, Status
from numbering.route import Assignment, route
from numbering.study import Radiograph
from tests.films import make_film, uneven
from tests.stub_pipeline import Stub

CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    (series,) = read_series([make_film(tmp_path / "film.dcm")])
    (assignment,) = route(series)
    return assignment


def test_the_result_says_who_found_what_in_which_images_and_when(assignment: Assignment) -> None:
    result = number(assignment, Stub(), origin=Origin.NODE, created_at=CREATED, revision=2, predecessor_sr_uid="1.2.3")
    (image,) = assignment.series.images
    (source,) = result.sources
    assert (source.sop_instance_uid, source.digest) == (image.sop_instance_uid, image.digest)
    assert (source.rows, source.columns) == uneven().shape
    assert (result.pipeline, result.view, result.modality) == (CARD.name, "AP", "DX")
    assert (result.model, result.software_version) == (Stub.identity, software_version())
    assert (result.origin, result.revision, result.predecessor_sr_uid) == (Origin.NODE, 2, "1.2.3")
    assert result.created_at == CREATED
    assert result.findings.status is Status.NUMBERED
    assert result.series_instance_uid == assignment.series.series_instance_uid


def test_the_result_survives_json_unchanged(assignment: Assignment) -> None:
    result = number(assignment, Stub(), origin=Origin.RUN, created_at=CREATED)
    assert NumberingResult.model_validate_json(result.model_dump_json()) == result


def test_the_pipeline_sees_the_decoded_pixels(assignment: Assignment) -> None:
    seen: list[Radiograph] = []

    class Looking(Stub):
        def number(self, images):  # type: ignore[no-untyped-def]
            seen.extend(images)
            return super().number(images)

    number(assignment, Looking(), origin=Origin.RUN, created_at=CREATED)
    (radiograph,) = seen
    assert radiograph.pixels.shape == uneven().shape
    assert radiograph.pixels[-1, 0] > radiograph.pixels[0, 0]


def test_the_way_to_decode_may_be_given(assignment: Assignment) -> None:
    asked: list[Assignment] = []

    def decode(assignment: Assignment) -> list[Radiograph]:
        asked.append(assignment)
        uid = assignment.series.images[0].sop_instance_uid
        return [Radiograph(sop_instance_uid=uid, frame=7, pixels=uneven(20, 10).astype("float32"))]

    result = number(assignment, Stub(), origin=Origin.RUN, created_at=CREATED, decode=decode)
    assert asked == [assignment]
    assert result.findings.vertebrae[0].frame == 7


def test_a_refused_series_cannot_be_run(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", view_position=None, patient_orientation=None, series_description=None)
    (series,) = read_series([film])
    (refused,) = route(series)
    with pytest.raises(ValueError, match=series.series_instance_uid):
        number(refused, Stub(), origin=Origin.RUN, created_at=CREATED)
