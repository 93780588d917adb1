"""The documents that are generated from the code: ``python -m tools.documents`` writes, ``--check`` compares.

A test runs the comparison, so that no document says what the code no longer does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from numbering.levelcheck import Check
from numbering.phantom.truth import Truth
from numbering.report import RunReport
from numbering.settings import Settings
from numbering.web.app import application
from tools.conformance import conformance_statement
from tools.level_check import level_check_page
from tools.model_cards import model_cards
from tools.serving import serving_requirements

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

SETTINGS_HEAD = """\
# Settings

Generated from `numbering/settings.py` by `make docs`; do not edit.

Sources, strongest first: the command line where a command has the option, the environment variable, the TOML file
that `NUMBERING_SETTINGS` names (keys are the variable's name without `NUMBERING_`, in lower case), the default. A wrong
value stops the start with a message that names it. `numbering settings` shows what holds on this machine.

| variable | value | default | meaning |
|---|---|---|---|
"""


def settings_table() -> str:
    """``docs/settings.md``: one row for each setting, in the order of the code."""
    schema = Settings.model_json_schema()
    properties: Mapping[str, Any] = schema["properties"]
    rows = "".join(_settings_row(name, field) for name, field in properties.items())
    return SETTINGS_HEAD + rows + "".join(_tables(name, field, schema) for name, field in properties.items())


def _tables(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What may stand in each table of a setting that is a list of tables; nothing for other settings."""
    kind = field.get("items", {}).get("$ref", "").rpartition("/")[2]
    fields = schema.get("$defs", {}).get(kind, {}).get("properties")
    if not fields or not all("description" in one for one in fields.values()):
        return ""
    rows = [
        f"| `{key}` | {_allowed(one)} | {_code(one['default']) if 'default' in one else 'required'} |"
        f" {one['description']} |\n"
        for key, one in fields.items()
    ]
    head = f"\n## Each of `{name}`\n\n`[[{name}]]` in the TOML file, a JSON list of objects in the variable.\n\n"
    return head + "| key | value | default | meaning |\n|---|---|---|---|\n" + "".join(rows)


def _settings_row(name: str, field: Mapping[str, Any]) -> str:
    default = "`~/.local/share/numbering`" if name == "data" else _code(field["default"])
    return f"| `NUMBERING_{name.upper()}` | {_allowed(field)} | {default} | {field['description']} |\n"


def _code(default: object) -> str:
    return f"`{default}`" if default not in ("", []) else "empty"


def _allowed(field: Mapping[str, Any]) -> str:
    """What values a setting takes, in words."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "`true` or `false`",
        "array": "list",
    }[field["type"]]
    if field.get("format") == "path":
        kind = "folder"
    return " ".join([kind, *_bounds(field)])


def _bounds(field: Mapping[str, Any]) -> list[str]:
    if "maximum" in field:
        return [f"{field['minimum']}–{field['maximum']}"]
    if "maxLength" in field:
        return [f"of {field['minLength']}–{field['maxLength']} characters"]
    signs = {"minimum": "≥", "exclusiveMinimum": ">"}
    return [f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field]


class NothingMissing(GenerateJsonSchema):
    """Every field is required: absent parts are null or empty."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        """True, whatever default the model has."""
        return True


def published_schema(model: type[BaseModel], name: str) -> str:
    """The JSON Schema (draft 2020-12) of what this model is printed as."""
    schema = model.model_json_schema(mode="serialization", schema_generator=NothingMissing)
    whole = {"$schema": NothingMissing.schema_dialect, "$id": f"urn:numbering:{name}", **schema}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def openapi_description() -> str:
    """What the HTTP interface says of itself."""
    return json.dumps(application().openapi(), indent=2, ensure_ascii=False) + "\n"


DOCUMENTS: Mapping[Path, Callable[[], str]] = {
    DOCS / "settings.md": settings_table,
    DOCS / "models.md": model_cards,
    DOCS / "levelcheck.md": level_check_page,
    DOCS / "schemas" / "check-1.json": lambda: published_schema(Check, "check:1"),
    DOCS / "schemas" / "run-1.json": lambda: published_schema(RunReport, "run:1"),
    DOCS / "openapi.json": openapi_description,
    DOCS / "conformance.md": conformance_statement,
    ROOT / "deploy" / "docker" / "requirements.txt": serving_requirements,
    DOCS / "schemas" / "truth-1.json": lambda: published_schema(Truth, "truth:1"),
}


def stale() -> list[Path]:
    """The documents that differ from what the code says, or are missing."""
    return [path for path, text in DOCUMENTS.items() if not path.exists() or path.read_text() != text()]


def main() -> int:
    """Write the documents, or say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a document is stale")
    check = parser.parse_args().check
    changed = stale()
    for path in changed:
        print(f"{path.relative_to(ROOT)}: {'stale, run `make docs`' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(DOCUMENTS[path]())
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
