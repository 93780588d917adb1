"""The figures of installed weights: what ``numbering evaluate --save`` puts into a model's card."""

from __future__ import annotations

from datetime import date
from typing import Any

from numbering.weights import registry, save_entry


def keep_figures(name: str, report: dict[str, Any], title: str, note: str, command: str) -> None:
    """Put an evaluation of the installed weights into their card; one of the same title is replaced."""
    entry = registry()[name]
    kept = [one for one in entry.figures.get("evaluations", []) if one["title"] != title]
    figures = {"title": title, "command": command, "date": date.today().isoformat(), "data": note, **report}  # noqa: DTZ011
    save_entry(entry.model_copy(update={"figures": {"evaluations": [*kept, figures]}}))
