"""The axial MR model that is installed, on patients that never trained: a part of its figures, computed again."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from numbering.cli import app
from numbering.pipelines.axial_mr.judging.reserved import main


def test_no_name_on_reserved_patients_is_wrong(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "test"), "--split", "test", "--anatomy", "normal", "--patients", "2"])
    done = CliRunner().invoke(
        app, ["evaluate", "axial-mr", "--data", str(tmp_path / "test"), "--json", str(tmp_path / "figures.json")]
    )
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    (figures,) = (row["figures"] for row in rows if (row["anatomy"], row["series"]) == ("normal", "all"))
    assert figures["abstained"] == 0
    assert figures["top-1"] >= 0.95
    assert figures["as justified"] >= 0.8
    assert figures["wrong ≥ 0.9"] == 0
