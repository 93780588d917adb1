import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from numbering.errors import Reason, ReasonCode
from numbering.report import RunReport, SeriesEntry, WrittenObject, series_entry, unanswered_entry
from numbering.result import Alternative, Findings, StatedReason, Status
from numbering.study import Series, View
from tests.test_result import numbered, result

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "schemas" / "run-1.json").read_text())
SR = WrittenObject(sop_class="1.2.840.10008.5.1.4.1.1.88.34", sop_instance_uid="2.25.7", path="1.1/2.25.7.dcm")
SERIES = Series(study_instance_uid="1.1", series_instance_uid="1.5", modality="CT", images=())
NO_PIPELINE = Reason(ReasonCode.NO_PIPELINE_INSTALLED, "Series 1.5 is CT, expected a frontal radiograph.")


def printed(*entries: SeriesEntry) -> dict:
    return json.loads(RunReport.of(("1.1", entry) for entry in entries).to_json())


def abstained():
    reason = StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text="Film 1.2.3 shows no lumbar-type vertebra.")
    return result(findings=Findings(status=Status.ABSTAINED, reason=reason))


def test_a_numbered_film_is_printed_as_the_interface_says():
    [study] = printed(series_entry(result(), [SR]))["studies"]
    [series] = study["series"]
    assert study["study_instance_uid"] == "1.1"
    assert {key: series[key] for key in ("modality", "view", "pipeline", "status", "reason")} == {
        "modality": "DX",
        "view": "AP",
        "pipeline": "ap-xray",
        "status": "numbered",
        "reason": None,
    }
    assert series["vertebrae"] == [
        {
            "level": "L5",
            "probability": 0.97,
            "sop_instance_uid": "1.2.3",
            "frame": None,
            "box": [301.25, 702.5, 398.125, 771.0625],
            "corners": None,
            "endplate": None,
            "centre_mm": None,
        }
    ]
    assert series["model"] == {"name": "ap-xray", "version": "1", "weights_sha256": "ab", "trained_on": "films"}
    assert series["objects"] == [{"sop_class": SR.sop_class, "sop_instance_uid": "2.25.7", "path": "1.1/2.25.7.dcm"}]


def test_absent_parts_are_null_or_empty_and_never_missing():
    [series] = printed(unanswered_entry(SERIES, Status.UNSUITABLE, NO_PIPELINE))["studies"][0]["series"]
    nulls = {key for key, value in series.items() if value is None}
    empty = {key for key, value in series.items() if value == []}
    assert nulls == {"view", "pipeline", "model", "basis", "alternative"}
    assert empty == {"vertebrae", "discs", "measurements", "anomalies", "quality", "key_images", "objects"}
    assert series["status"] == "unsuitable"
    assert series["reason"] == {"code": "no-pipeline-installed", "text": NO_PIPELINE.text}


@pytest.mark.parametrize("status", [Status.HELD, Status.UNSUITABLE, Status.FAILED])
def test_every_way_of_no_answer_keeps_what_is_known_of_the_series(status):
    entry = unanswered_entry(SERIES, status, NO_PIPELINE, view=View.LATERAL, pipeline="ap-xray")
    assert (entry.status, entry.view, entry.pipeline, entry.series_instance_uid) == (
        status,
        View.LATERAL,
        "ap-xray",
        "1.5",
    )


def test_an_abstention_is_printed_with_its_reason_and_its_objects():
    entry = series_entry(abstained(), [SR])
    assert entry.status is Status.ABSTAINED
    assert entry.reason
    assert entry.reason.code is ReasonCode.TARGET_NOT_IN_VIEW
    assert entry.objects == (SR,)


def test_series_are_gathered_under_their_studies_in_the_order_of_arrival():
    entry = unanswered_entry(SERIES, Status.HELD, NO_PIPELINE)
    studies = RunReport.of([("1.9", entry), ("1.1", entry), ("1.9", entry)]).studies
    assert [(study.study_instance_uid, len(study.series)) for study in studies] == [("1.9", 2), ("1.1", 1)]


def test_a_series_without_numbering_says_why():
    with pytest.raises(ValidationError, match="a reason stands where no numbering does"):
        SeriesEntry(series_instance_uid="1.5", modality="CT", status=Status.HELD)


def test_an_alternative_that_is_not_parallel_to_the_vertebrae_is_refused():
    findings = numbered().model_copy(update={"alternative": Alternative(probability=0.1, levels=("L4", "L5"))})
    with pytest.raises(ValidationError, match="runs parallel"):
        series_entry(result(findings=findings))


def test_paths_are_relative_to_the_output_folder():
    with pytest.raises(ValidationError, match="absolute"):
        WrittenObject(sop_class="1.2", sop_instance_uid="1.3", path="/tmp/x.dcm")


def test_what_is_printed_is_valid_by_the_schema_and_reads_back():
    whole = RunReport.of(
        [
            ("1.1", series_entry(result(), [SR])),
            ("1.1", series_entry(abstained())),
            ("1.4", unanswered_entry(SERIES, Status.FAILED, NO_PIPELINE)),
        ]
    )
    jsonschema.validate(json.loads(whole.to_json()), SCHEMA)
    assert RunReport.model_validate_json(whole.to_json()) == whole


@pytest.mark.parametrize("key", ["reason", "basis", "objects", "view", "alternative"])
def test_the_schema_refuses_a_report_that_leaves_a_part_out(key):
    run = printed(series_entry(result(), [SR]))
    del run["studies"][0]["series"][0][key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate(run, SCHEMA)
