"""What the command line asks of every model that can be trained."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from numbering.cli import app
from numbering.pipelines import CARDS
from numbering.pipelines.commands import MODULES, Commands, Examination, Installation, Training, commands_of

runner = CliRunner()
ASKED = {"train": Training, "evaluate": Examination, "install": Installation}


@pytest.mark.parametrize("name", MODULES)
def test_every_model_can_be_trained_evaluated_and_installed(name: str) -> None:
    commands = commands_of(name)
    for function, order in ASKED.items():
        assert [*inspect.signature(getattr(commands, function)).parameters] == [
            *inspect.signature(getattr(Commands, function)).parameters
        ][1:]
        assert inspect.signature(getattr(commands, function)).parameters["order"].annotation == order.__name__


def test_every_installed_pipeline_has_commands() -> None:
    assert {card.name for card in CARDS} <= MODULES.keys()


@pytest.mark.parametrize("name", MODULES)
def test_asking_for_a_models_commands_loads_no_network(name: str) -> None:
    code = (
        "import sys\nfrom numbering.pipelines.commands import commands_of\n"
        f"commands_of({name!r})\n"
        "found = {'torch', 'torchvision', 'ultralytics', 'lightning', 'openvino', 'pydicom'} & sys.modules.keys()\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("command", ["train", "evaluate", "models install"])
def test_an_unknown_model_is_misuse_and_names_those_that_there_are(command: str, tmp_path: Path) -> None:
    given = {
        "train": ["--data", str(tmp_path), "--out", str(tmp_path / "a.safetensors")],
        "evaluate": ["--data", str(tmp_path)],
        "models install": [str(tmp_path), "--data", str(tmp_path)],
    }
    result = runner.invoke(app, [*command.split(), "chest", *given[command]])
    assert result.exit_code == 2
    for name in MODULES:
        assert name in result.stderr


@pytest.mark.parametrize("name", MODULES)
def test_leaving_out_a_part_that_there_is_not_is_misuse(name: str, tmp_path: Path) -> None:
    trained = runner.invoke(
        app, ["train", name, "--data", str(tmp_path), "--out", str(tmp_path / "a.safetensors"), "--without", "luck"]
    )
    judged = runner.invoke(app, ["evaluate", name, "--data", str(tmp_path), "--without", "luck"])
    for result in (trained, judged):
        assert result.exit_code == 2
        assert "'luck'" in result.stderr
    assert not (tmp_path / "a.safetensors").exists()


def test_the_figures_of_weights_that_are_not_installed_are_not_kept(tmp_path: Path) -> None:
    weights = tmp_path / "a.safetensors"
    weights.touch()
    arguments = ["--data", str(tmp_path), "--weights", str(weights), "--save", "mine"]
    result = runner.invoke(app, ["evaluate", "ap-xray", *arguments])
    assert result.exit_code == 2
    assert "--save" in result.stderr
