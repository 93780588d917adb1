"""A simulated patient's film through the AP pipeline: what a check says of its L5, before and after a person counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.checks.store import checks_of
from numbering.jobs.record.corrections import By, Said, file_corrections
from numbering.phantom.truth import read
from numbering.pipelines.ap_xray.card import CARD
from numbering.record.model import Place
from tests.house import House, running_house
from tests.phantoms import lumbar_film, lumbar_patient
from tests.tools import complaints

runner = CliRunner()
AP_PIPELINE = CARD.path
READER = By(source="command", account="reader", person="Reader^Anna", organisation="Test hospital")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A node that has numbered the patient's film by the AP pipeline."""
    with pytest.MonkeyPatch.context() as patch, running_house(tmp_path_factory.mktemp("node"), patch) as running:
        patch.setitem(CARD.__dict__, "path", AP_PIPELINE)
        running.receive(lumbar_film())
        running.assemble()
        running.work()
        yield running


@pytest.fixture(scope="module")
def l5() -> Place:
    """Where the patient's L5 really is on the film."""
    uid = str(dcmread(lumbar_film(), stop_before_pixels=True).SOPInstanceUID)
    (image,) = (one for one in read(lumbar_patient()).images if one.sop_instance_uid == uid)
    (lowest,) = (one for one in image.vertebrae if one.lowest_lumbar)
    assert lowest.level == "L5"
    x0, y0, x1, y1 = lowest.box
    return Place(sop_instance_uid=uid, x=(x0 + x1) / 2, y=(y0 + y1) / 2)


def checked(house: House, planned: str, at: Place, *more: str) -> tuple[int, dict[str, object]]:
    """Exit code and answer of the command against the node's record."""
    mark = f"{at.sop_instance_uid}:{at.x:.1f},{at.y:.1f}"
    data = str(house.node.settings.data)
    arguments = ["check", "--data", data, "--planned", planned, "--at", mark, "--json", "-", *more]
    result = runner.invoke(app, arguments)
    assert result.stdout.startswith("{"), result.output
    return result.exit_code, json.loads(result.stdout)


def test_a_presumed_l5_confirms_nothing_until_a_person_has_counted(house: House, l5: Place) -> None:
    code, answer = checked(house, "L5", l5)
    assert (code, answer["verdict"], answer["reason"]) == (4, "CANNOT CONFIRM", "basis-not-confirmed")
    assert "L5 is presumed: by appearance" in str(answer["statement"])

    file_corrections(house.node.engine, [Said(place=l5, name="L5")], READER)
    code, answer = checked(house, "L5 root left", l5, "--side", "L", "--sr")
    assert (code, answer["verdict"]) == (0, "AGREES")
    assert "L5: named by a person, verified, probability 1.00." in str(answer["statement"])

    assert checked(house, "L4", l5)[0] == 3
    code, answer = checked(house, "L5 root left", l5, "--side", "R")
    assert (code, answer["verdict"], answer["reason"]) == (3, "DISAGREES", "other-side")
    code, answer = checked(house, "L4/5", l5)
    assert (code, answer["reason"]) == (4, "borders-the-plan")

    study = str(dcmread(lumbar_film(), stop_before_pixels=True).StudyInstanceUID)
    kept = checks_of(house.node.engine, study)
    assert [str(one.check.verdict) for one in kept] == [
        "CANNOT CONFIRM",
        "AGREES",
        "DISAGREES",
        "DISAGREES",
        "CANNOT CONFIRM",
    ]
    reports = [path for path in (house.node.settings.objects / study).glob("*.dcm") if is_check(path)]
    assert [complaints(path) for path in reports] == [[]]


def is_check(path: Path) -> bool:
    """Whether an object of ours is the report of a level check."""
    return str(dcmread(path).SeriesDescription).startswith("level check: AGREES")


def test_plain_files_are_checked_without_a_node_and_nothing_is_kept_but_what_is_asked_for(
    tmp_path: Path, l5: Place
) -> None:
    mark = f"{l5.sop_instance_uid}:{l5.x:.1f},{l5.y:.1f}"
    arguments = ["check", str(lumbar_film()), "--planned", "L5", "--at", mark, "--json", "-"]
    result = runner.invoke(app, [*arguments, "--data", str(tmp_path / "data")])
    assert (result.exit_code, json.loads(result.stdout)["reason"]) == (4, "basis-not-confirmed")
    assert "not kept" in result.stderr
    assert not (tmp_path / "data").exists()
    kept = tmp_path / "kept"
    assert runner.invoke(app, [*arguments, "--sr", "--out", str(kept)]).exit_code == 4
    assert sorted(path.suffix for path in kept.iterdir()) == [".dcm", ".json", ".png"]
    (report,) = kept.glob("*.dcm")
    assert complaints(report) == []
