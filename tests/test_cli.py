from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from numbering.cli import app
from numbering.pipelines import CARDS
from numbering.settings import Settings
from tests.labelled import make_aasce

runner = CliRunner()
COMMANDS = ["demo", "serve", "run", "send", "check", "correct", "phantom", "selftest"]
COMMANDS += ["train", "evaluate", "models", "settings", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Example: " in result.stdout


def test_a_wrong_setting_ends_the_command_and_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERING_PORT", "many")
    result = runner.invoke(app, ["settings"])
    assert result.exit_code == 2
    assert "NUMBERING_PORT" in result.stderr


def test_settings_say_where_they_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toml = tmp_path / "numbering.toml"
    toml.write_text('ae_title = "SPINE"\n')
    monkeypatch.setenv("NUMBERING_SETTINGS", str(toml))
    monkeypatch.setenv("NUMBERING_PORT", "10400")
    shown = json.loads(runner.invoke(app, ["settings", "--json", "-"]).stdout)
    assert shown["port"] == {"value": "10400", "from": "environment"}
    assert shown["ae_title"] == {"value": "SPINE", "from": str(toml)}
    assert shown["quiet_seconds"]["from"] == "default"
    assert set(shown) == set(Settings.model_fields)


def test_doctor_finds_this_machine_fine_and_a_bad_archive_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBERING_DATA", str(tmp_path))
    monkeypatch.setenv("NUMBERING_PORT", "0")
    fine = runner.invoke(app, ["doctor", "--json", "-"])
    assert [one["what"] for one in json.loads(fine.stdout) if not one["fine"]] == []
    assert fine.exit_code == 0
    monkeypatch.setenv("NUMBERING_ARCHIVE", "NOBODY@127.0.0.1:9")
    bad = runner.invoke(app, ["doctor", "--json", "-"])
    assert [one["what"] for one in json.loads(bad.stdout) if not one["fine"]] == ["archive"]
    assert bad.exit_code == 1


def test_models_say_what_is_installed() -> None:
    models = json.loads(runner.invoke(app, ["models", "--json", "-"]).stdout)
    assert models["ap-xray"]["architecture"] == "yolov5n"
    printed = runner.invoke(app, ["models"]).stdout
    assert all(card.name in printed for card in CARDS)


def test_sending_to_nobody_fails_and_says_so(tmp_path: Path) -> None:
    from tests.films import make_film

    film = make_film(tmp_path / "a.dcm")
    result = runner.invoke(app, ["send", str(film), "--to", "NOBODY@127.0.0.1:9"])
    assert result.exit_code == 1
    assert "0 of 1 delivered" in result.stdout
    assert runner.invoke(app, ["send", str(film), "--to", "nonsense"]).exit_code == 2


def test_what_is_no_dicom_is_left_out_and_said(tmp_path: Path) -> None:
    from numbering.dicom.incoming.receive import start_receiver
    from numbering.dicom.incoming.spool import Spool
    from tests.films import make_film

    films = tmp_path / "films"
    films.mkdir()
    make_film(films / "a.dcm")
    (films / "truth.json").write_text("{}")
    receiver = start_receiver(Settings(port=0, data=tmp_path), Spool(tmp_path / "spool"))
    try:
        address = f"NUMBERING@127.0.0.1:{receiver.port}"
        folder = runner.invoke(app, ["send", str(films), "--to", address])
        named = runner.invoke(app, ["send", str(films / "truth.json"), "--to", address])
    finally:
        receiver.stop()
    assert (folder.exit_code, "1 of 1 delivered" in folder.stdout) == (0, True)
    assert "truth.json" in folder.stderr
    assert named.exit_code == 1


def test_evaluate_prints_the_table_and_writes_the_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn spines are no radiographs: what counts here is that every row and figure is there."""
    names = [f"set-01-Jan-2017-{patient} A AP.jpg" for patient in (1, 2)]
    monkeypatch.setattr("numbering.pipelines.ap_xray.films.reserved_splits", lambda: {"val": [], "test": names})
    data = make_aasce(tmp_path / "aasce", names)
    arguments = ["evaluate", "ap-xray", "--data", str(data), "--gallery", str(tmp_path / "g.png"), "--json", "-"]
    report = json.loads(runner.invoke(app, arguments).stdout)
    assert [(row["view"], row["n"]) for row in report["rows"]] == [("whole film", 2), ("lumbar crop", 4)]
    assert report["without_l5"]["n"] == 2
    for row in report["rows"]:
        for name, value in row["figures"].items():
            low, high = row["interval"][name]
            assert low <= value <= high or value == pytest.approx(low) or value == pytest.approx(high)


def test_evaluating_an_unlabelled_folder_is_misuse(tmp_path: Path) -> None:
    result = runner.invoke(app, ["evaluate", "ap-xray", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "landmarks.csv" in result.stderr


def test_an_unknown_anomaly_is_misuse_and_names_the_known_ones(tmp_path: Path) -> None:
    result = runner.invoke(app, ["phantom", "--out", str(tmp_path), "--anomaly", "wings"])
    assert result.exit_code == 2
    assert "scoliosis" in result.stderr
