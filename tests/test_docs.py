import doctest
import importlib
import json
import re
from pathlib import Path

import jsonschema
import pytest
from jsonschema import Draft202012Validator

from numbering.errors import ReasonCode
from numbering.result import Status
from tools import documents

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SCHEMAS = sorted(ROOT.glob("docs/schemas/*.json"))
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)?(?:#([^)\s]+))?\)")
DOCTESTS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in ROOT.glob("numbering/**/*.py")
    if ">>> " in path.read_text()
)
AGREEMENT = {
    "schema": "numbering/check/1",
    "software": {"name": "numbering", "version": "0.1.0"},
    "verdict": "AGREES",
    "reason": None,
    "planned": {"name": "L4-L5", "kind": "disc", "levels": ["L4", "L5"], "side": None},
    "mark": {
        "place": {"sop_instance_uid": "1.2.3", "frame": None, "x": 310.5, "y": 702.0},
        "source": "given",
        "side": None,
    },
    "found": {
        "name": "L4-L5",
        "probability": 0.99,
        "place": {"sop_instance_uid": "1.2.3", "frame": None, "x": 311.0, "y": 700.0},
        "basis": {"counted_from": "C2", "confirmed": True, "assumptions": []},
        "alternative": {"name": "L5-S1", "probability": 0.01},
    },
    "statement": "The mark is at L4-L5, counted from C2.",
    "known": [],
    "series": [{"series_instance_uid": "1.2", "says": "agrees", "reason": None}],
    "policy": {"probability": 0.95, "confirmed_bases": ["counted from C2"], "widened_by": []},
}


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown page's headings give."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name} links to {target}"
        assert path.is_relative_to(ROOT), f"{page.name} links outside the project: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name} links to {target}#{anchor}"


def test_the_pages_that_the_readme_promises_are_looked_at():
    assert {page.name for page in PAGES} >= {
        "README.md",
        "CHANGELOG.md",
        "architecture.md",
        "conventions.md",
        "glossary.md",
        "settings.md",
        "tutorial.md",
    }


def test_generated_documents_say_what_the_code_says():
    assert documents.stale() == [], "run `make docs`"


def test_a_document_that_differs_from_the_code_is_found_stale(tmp_path, monkeypatch):
    page = tmp_path / "settings.md"
    monkeypatch.setattr(documents, "DOCUMENTS", {page: documents.settings_table})
    assert documents.stale() == [page]
    page.write_text(documents.settings_table())
    assert documents.stale() == []
    page.write_text(documents.settings_table().replace("11112", "104"))
    assert documents.stale() == [page]


def test_every_reason_is_explained_under_its_status_and_no_other():
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\w+) \|", text_of("docs/conventions.md"), re.MULTILINE))
    assert set(rows) == set(map(str, ReasonCode))
    assert set(rows.values()) == set(Status) - {Status.NUMBERED}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
def test_a_schema_is_itself_valid(schema):
    Draft202012Validator.check_schema(json.loads(schema.read_text()))


def test_run_check_and_truth_have_schemas():
    assert [schema.stem for schema in SCHEMAS] == ["check-1", "run-1", "truth-1"]


def check_schema() -> dict:
    return json.loads(text_of("docs/schemas/check-1.json"))


def test_the_check_schema_takes_an_agreement_on_a_confirmed_basis():
    jsonschema.validate(AGREEMENT, check_schema())


def test_a_presumed_basis_never_passes_as_confirmed():
    presumed = json.loads(json.dumps(AGREEMENT))
    presumed["found"]["basis"] = {"counted_from": "appearance", "confirmed": False, "assumptions": ["five lumbar"]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(presumed, check_schema())
    doubted = {**presumed, "verdict": "CANNOT CONFIRM", "reason": "basis-not-confirmed"}
    jsonschema.validate(doubted, check_schema())


def test_without_a_mark_nothing_is_confirmed():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**AGREEMENT, "mark": None, "found": None}, check_schema())
    doubted = {**AGREEMENT, "verdict": "CANNOT CONFIRM", "reason": "no-mark", "mark": None, "found": None}
    jsonschema.validate(doubted, check_schema())


def test_only_what_agrees_has_no_reason():
    for verdict, reason in (("AGREES", "no-mark"), ("DISAGREES", None), ("CANNOT CONFIRM", None)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**AGREEMENT, "verdict": verdict, "reason": reason}, check_schema())


@pytest.mark.parametrize("module", DOCTESTS)
def test_examples_in_docstrings_hold(module):
    tried = doctest.testmod(importlib.import_module(module))
    assert tried.attempted
    assert not tried.failed


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    for page in PAGES:
        for line in re.findall(r"`make ([a-z ]+)`|^make ([a-z ]+)$", page.read_text(), re.MULTILINE):
            assert set(" ".join(line).split()) <= targets, f"{page.name} names make {line}"


def test_every_command_that_a_page_names_exists():
    from typer.main import get_command

    from numbering.cli import app

    commands = set(get_command(app).commands)
    for page in PAGES:
        used = set(re.findall(r"(?:^|`)(?:\.venv/bin/)?numbering ([a-z]+)", page.read_text(), re.MULTILINE))
        assert used <= commands, f"{page.name} names commands that do not exist: {used - commands}"
