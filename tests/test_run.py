from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from numbering.cli import app
from numbering.pipelines.loaded import Pipelines
from numbering.run import run
from tests.films import SECRETS, make_film
from tests.phantoms import lumbar_patient

runner = CliRunner()


@pytest.fixture(scope="module")
def phantom() -> Path:
    return lumbar_patient()


@pytest.fixture(scope="module")
def pipelines() -> Pipelines:
    return Pipelines("cpu")


def test_a_film_is_numbered_and_its_objects_are_written(phantom: Path, tmp_path: Path, pipelines: Pipelines) -> None:
    outcome = run([phantom], tmp_path, pipelines)
    ((entry,),) = (study.series for study in outcome.report.studies)
    truth = json.loads((phantom / "truth.json").read_text())["images"][0]
    (lowest,) = [vertebra for vertebra in truth["vertebrae"] if vertebra["lowest_lumbar"]]
    (found,) = entry.vertebrae
    assert found.level == lowest["level"] == "L5"
    x, y = (found.box[0] + found.box[2]) / 2, (found.box[1] + found.box[3]) / 2
    assert lowest["box"][0] < x < lowest["box"][2]
    assert lowest["box"][1] < y < lowest["box"][3]
    assert len(entry.objects) == 2
    for written in entry.objects:
        assert (tmp_path / written.path).is_file()
    assert list((tmp_path / "pictures").glob("*.png"))
    assert not outcome.failed


def test_running_twice_writes_the_same_bytes(phantom: Path, tmp_path: Path, pipelines: Pipelines) -> None:
    first, second = (run([phantom], tmp_path / name, pipelines) for name in ("a", "b"))
    assert first.report == second.report
    for written in first.report.studies[0].series[0].objects:
        assert (tmp_path / "a" / written.path).read_bytes() == (tmp_path / "b" / written.path).read_bytes()


def test_a_run_s_objects_are_dated_by_the_film(tmp_path: Path, pipelines: Pipelines) -> None:
    from numbering.dicom.read import read_series
    from numbering.run import acquired

    make_film(tmp_path / "a.dcm", AcquisitionDate="20240203", AcquisitionTime="040506")
    (series,) = read_series([tmp_path / "a.dcm"])
    assert acquired(series) == datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_every_series_handed_in_appears_with_a_status(tmp_path: Path, pipelines: Pipelines) -> None:
    films = tmp_path / "films"
    films.mkdir()
    make_film(films / "ap.dcm", view_position="AP")
    make_film(films / "oblique.dcm", view_position="LPO", patient_orientation=None)
    make_film(films / "unknown.dcm", view_position="", patient_orientation=None)
    (films / "notes.txt").write_text("not DICOM")
    outcome = run([films], tmp_path / "out", pipelines)
    statuses = sorted(series.status for study in outcome.report.studies for series in study.series)
    assert statuses == ["abstained", "held", "unsuitable"]
    assert len(outcome.unreadable) == 1
    assert not outcome.failed


def test_truncated_pixels_fail_with_a_sentence_and_exit_code_1(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.dcm")
    path.write_bytes(path.read_bytes()[:-5000])
    result = runner.invoke(app, ["run", str(path), "--out", str(tmp_path / "out"), "--json", "-"])
    assert result.exit_code == 1
    (series,) = json.loads(result.stdout)["studies"][0]["series"]
    assert (series["status"], series["reason"]["code"]) == ("failed", "pixels-not-decodable")
    for secret in SECRETS:
        assert secret not in result.output


def test_a_missing_path_is_misuse(tmp_path: Path) -> None:
    result = runner.invoke(app, ["run", str(tmp_path / "nothing"), "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "no such file" in result.stderr


def test_only_another_pipeline_is_misuse_and_names_the_installed_ones(tmp_path: Path) -> None:
    result = runner.invoke(app, ["run", str(tmp_path), "--out", str(tmp_path), "--only", "ct"])
    assert result.exit_code == 2
    assert "ap-xray" in result.stderr


def test_json_on_stdout_is_nothing_but_json(phantom: Path, tmp_path: Path) -> None:
    result = runner.invoke(app, ["run", str(phantom), "--out", str(tmp_path), "--json", "-"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["schema"] == "numbering/run/1"
