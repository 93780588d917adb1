"""``docs/models.md``: one card for each model of the weights registry."""

from __future__ import annotations

from typing import Any

from numbering.pipelines import CARDS
from numbering.weights import Entry, registry

HEAD = """\
# Model cards

Generated from `numbering/weights/registry.json` by `make docs`; do not edit. The figures are what the command named
beside them printed for these very files; how the data were prepared: {pages}.
"""
PAGES = {"ap-xray": "ap-xray.md", "sagittal-xray": "lateral-xray.md", "ct": "ct.md", "axial-mr": "axial-mr.md"}
NETWORKS = {"ap-xray": "ultralytics' `{}` (YOLOv5u)", "ct": "3-D U-Nets of size `{}`"}
"""What an entry's architecture names, where that is not plain."""
NUMBERS = ("figures", "interval")
"""Of a row; all else says what it is a row of."""


def model_cards() -> str:
    """All cards, in the order of the pipelines."""
    entries = registry()
    pages = ", ".join(f"[{card.name}]({PAGES[card.name]})" for card in CARDS)
    return HEAD.format(pages=pages) + "".join(
        _card(card.title, card.assumption, entries[card.weights]) for card in CARDS
    )


def _card(title: str, assumption: str, entry: Entry) -> str:
    files = entry.files
    parts = [
        f"\n## {entry.name} {entry.version}: {title}\n\n{entry.intended_use}\n",
        f"**Presumes.** {assumption}\n",
        f"**Network.** {NETWORKS.get(entry.name, '`{}`').format(entry.architecture)}, classes "
        f"{', '.join(entry.classes)}.\n",
        f"**Trained on.** {entry.trained_on}\n",
        f"**Command.** `{entry.training_command}`\n",
        "**Limitations.**\n\n" + "".join(f"- {text}\n" for text in entry.limitations),
        "**Operating point**, fixed on validation films: "
        + ", ".join(f"`{name}` {value:g}" for name, value in entry.operating_point.items())
        + ".\n",
        "| file | sha256 | licence |\n|---|---|---|\n"
        + "".join(f"| `{file.file}` | `{file.sha256}` | {file.licence} |\n" for file in files),
        *(table(figures) for figures in entry.figures.get("evaluations", ())),
    ]
    return "\n".join(parts)


def table(figures: dict[str, Any]) -> str:
    """The table of one evaluation, each figure with its 95 % bootstrap interval."""
    rows = figures["rows"]
    labels, names = [name for name in rows[0] if name not in NUMBERS], list(rows[0]["figures"])
    lines = [
        f"### {figures['title']}\n",
        f"`{figures['command']}` on {figures['date']}, {figures['runtime']}. {figures['data']}\n",
        "| " + " | ".join([*labels, *names]) + " |",
        "|" + "---|" * len(labels + names),
    ]
    for row in rows:
        shown = [_shown(value, row["interval"].get(name)) for name, value in row["figures"].items()]
        lines.append("| " + " | ".join([*(str(row[label]) for label in labels), *shown]) + " |")
    return "\n".join(lines + _of_what_is_not_there(figures)) + "\n"


def _shown(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f} ({interval[0]:.3f}–{interval[1]:.3f})" if interval else f"{value:.3f}"


def _of_what_is_not_there(figures: dict[str, Any]) -> list[str]:
    """What was said of images that do not show what the pipeline looks for."""
    found = []
    for what, words in (("without_l5", "Films without L5"), ("without_l1", "Series without L1")):
        empty = figures.get(what)
        if empty and empty["n"]:
            found.append(
                f"\n{words}: {empty['n']}; abstained on {empty['abstained']}; numbered with a probability of 0.9 "
                f"or more {empty['confident_wrong']}."
            )
    return found
