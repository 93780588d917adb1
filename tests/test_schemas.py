"""The published JSON Schemas against what the software really prints."""

import json
from pathlib import Path

import jsonschema
import pytest

from numbering.report import RunReport
from numbering.run import Pipelines, run
from tests.films import make_ct, make_film
from tests.phantoms import lumbar_patient
from tests.stub_pipeline import Stub

SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas"


class Stubbed(Pipelines):
    def named(self, name: str):
        return Stub()


def schema(name: str) -> dict:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> dict:
    """What a run over an AP film, an oblique film, a film without a view and a CT slice prints."""
    folder, out = tmp_path_factory.mktemp("films"), tmp_path_factory.mktemp("out")
    make_film(folder / "ap.dcm")
    make_film(folder / "oblique.dcm", view_position="LPO", patient_orientation=None)
    make_film(folder / "unknown.dcm", view_position=None, patient_orientation=None)
    make_ct(folder / "ct.dcm")
    outcome = run([folder], out, Stubbed())
    assert isinstance(outcome.report, RunReport)
    return json.loads(outcome.report.to_json())


def test_what_a_run_prints_is_valid_by_its_schema(printed):
    jsonschema.validate(printed, schema("run-1"))


def test_every_series_handed_in_is_printed_with_a_status(printed):
    statuses = sorted(series["status"] for study in printed["studies"] for series in study["series"])
    assert statuses == ["held", "numbered", "unsuitable", "unsuitable"]


def test_the_truth_of_a_simulated_patient_is_valid_by_its_schema():
    folder = lumbar_patient()
    truth = json.loads((folder / "truth.json").read_text())
    jsonschema.validate(truth, schema("truth-1"))
    assert any(vertebra["lowest_lumbar"] for vertebra in truth["images"][0]["vertebrae"])
    assert (folder / truth["images"][0]["file"]).is_file()
