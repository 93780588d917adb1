"""The selftest's judgement, and what it says when it cannot be done; the whole way is in ``test_first_light.py``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.store import connect, upgrade
from numbering.phantom.compare import Verdict, compare
from numbering.phantom.truth.film import FilmVertebra, TrueImage
from numbering.phantom.truth.justified import Justified, Reading
from numbering.result import Findings, NumberingBasis, StatedReason, Status, Vertebra
from numbering.selftest import Line, Outcomes
from tests.archive import free_port

runner = CliRunner()


def film() -> TrueImage:
    """L5 and L6 in view; a reader of this film alone would call the lower one L6, or else L5."""
    boxes = {"L5": (100.0, 200.0, 180.0, 250.0), "L6": (100.0, 260.0, 180.0, 310.0)}
    return TrueImage(
        sop_instance_uid="1.2",
        file="ap/lumbar.dcm",
        view="AP",
        field_of_view="lumbar",
        rows=500,
        columns=300,
        spacing_mm=(0.2, 0.2),
        magnification=1.1,
        vertebrae=tuple(
            FilmVertebra(
                ordinal=ordinal,
                level=level,
                rib_bearing=False,
                lowest_lumbar=level == "L6",
                corners=((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])),
                box=box,
                in_view=True,
            )
            for ordinal, (level, box) in enumerate(boxes.items(), start=24)
        ),
        justified=Justified(
            basis="presumed-by-last-rib",
            anchors_in_view=("last-rib", "sacrum"),
            reading=Reading(ordinals=(24, 25), levels=("L5", "L6")),
            alternative=Reading(ordinals=(24, 25), levels=("L4", "L5")),
            correct=True,
        ),
    )


def said(level: str, box: tuple[float, float, float, float]) -> Findings:
    """A node's answer: one vertebra."""
    found = Vertebra(level=level, probability=0.9, sop_instance_uid="1.2", box=box)
    basis = NumberingBasis(counted_from="appearance", statement="As it looks.")
    return Findings(status=Status.NUMBERED, vertebrae=(found,), basis=basis)


@pytest.mark.parametrize(
    ("level", "box", "verdict"),
    [
        ("L6", (98, 262, 185, 305), Verdict.RIGHT),
        ("L5", (98, 262, 185, 305), Verdict.JUSTIFIED),
        ("L5", (98, 202, 185, 245), Verdict.RIGHT),
        ("L3", (98, 202, 185, 245), Verdict.WRONG),
        ("L5", (98, 400, 185, 450), Verdict.WRONG),
    ],
)
def test_an_answer_is_judged_by_the_vertebra_under_its_box(
    level: str, box: tuple[float, float, float, float], verdict: Verdict
) -> None:
    assert compare(film(), said(level, box)) is verdict


def test_the_sacrum_is_judged_by_its_endplate() -> None:
    lateral = film().model_copy(update={"view": "lateral", "s1": ((100.0, 340.0), (180.0, 320.0))})
    for level, lower, verdict in (("S1", 0, Verdict.RIGHT), ("L6", 0, Verdict.WRONG), ("S1", 90, Verdict.WRONG)):
        plate = ((102.0, 338.0 + lower), (177.0, 323.0 + lower))
        found = said(level, (102.0, 323.0 + lower, 177.0, 338.0 + lower))
        sacrum = found.vertebrae[0].model_copy(update={"endplate": plate})
        assert compare(lateral, found.model_copy(update={"vertebrae": (sacrum,)})) is verdict


def test_an_abstention_misleads_nobody() -> None:
    reason = StatedReason(code="target-not-in-view", text="No lumbar vertebra.")
    verdict = compare(film(), Findings(status=Status.ABSTAINED, reason=reason))
    assert verdict is Verdict.ABSTAINED
    assert verdict.passes
    assert not Verdict.WRONG.passes


def line(status: str, *, verdict: str, passed: bool) -> Line:
    return Line(
        patient="patient-0000", view="AP", study_instance_uid="1.2", series_instance_uid="1.3", truth="L5",
        status=status, reason="", found="", verdict=verdict, objects=2, delivered=2, in_archive=2, seconds=1.0,
        passed=passed,
    )  # fmt: skip


def test_a_node_that_only_ever_abstains_does_not_pass() -> None:
    assert not Outcomes(lines=(line("abstained", verdict="abstained", passed=True),)).passed
    assert Outcomes(
        lines=(line("abstained", verdict="abstained", passed=True), line("numbered", verdict="right", passed=True))
    ).passed
    assert not Outcomes(lines=(line("numbered", verdict="wrong", passed=False),)).passed
    assert not Outcomes(lines=()).passed


def test_without_a_node_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = runner.invoke(app, ["selftest", "--data", str(tmp_path / "nothing")])
    assert result.exit_code == 1
    assert "numbering serve" in result.stderr


def test_a_node_that_is_down_is_named_before_anything_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("NUMBERING_PORT", str(port))
    upgrade(connect(f"sqlite:///{tmp_path / 'numbering.db'}"))
    result = runner.invoke(app, ["selftest", "--data", str(tmp_path), "--out", str(tmp_path / "patients")])
    assert result.exit_code == 1
    assert f"the node NUMBERING@127.0.0.1:{port} does not answer" in " ".join(result.stderr.split())
    assert not (tmp_path / "patients").exists()


@pytest.mark.parametrize("wrong", [["--to", "nonsense"], ["--views", "oblique"], ["--qido", "http://pacs/dicom-web"]])
def test_misuse_is_told_apart_from_failure(tmp_path: Path, wrong: list[str]) -> None:
    assert runner.invoke(app, ["selftest", "--data", str(tmp_path), *wrong]).exit_code == 2


def test_outcomes_are_plain_json() -> None:
    outcomes = Outcomes(lines=(line("numbered", verdict="right", passed=True),))
    assert json.loads(json.dumps(outcomes.as_json()))["series"][0]["verdict"] == "right"
