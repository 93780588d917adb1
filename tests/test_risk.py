"""The risk file: every hazard has a cause, a control and a test, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "risk.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| H")]
NAMED = re.compile(r"`(tests/test_\w+\.py)?(?:::(test_\w+))?`")


def proofs_of(row: list[str]) -> list[tuple[str, str]]:
    """File and test of each test that a row names; the file named last stands for those without one."""
    found, file = [], ""
    for path, name in NAMED.findall(row[-1]):
        file = path or file
        found.append((file, name))
    return found


def in_file(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_risk_file_names_exists() -> None:
    named = [(row[0], *test) for row in ROWS for test in proofs_of(row)]
    assert len(named) > 50
    for hazard, path, name in named:
        assert (ROOT / path).is_file(), f"{hazard}: there is no {path}"
        assert not name or name in in_file(path), f"{hazard}: {path} has no {name}"


def test_every_hazard_has_a_number_a_severity_a_cause_a_control_and_a_test() -> None:
    assert [row[0] for row in ROWS] == [f"H{number}" for number in range(1, len(ROWS) + 1)]
    assert len(ROWS) >= 20
    for row in ROWS:
        _, hazard, cause, control, _ = row
        assert re.search(r"\(S[1-4]\)$", hazard), row[0]
        assert all((cause, control)), row[0]
        assert proofs_of(row), f"{row[0]} has no test"


def test_nothing_else_is_named_where_tests_belong() -> None:
    for row in ROWS:
        assert NAMED.sub("", row[-1]).strip(" ,|") == "", row[0]
