"""``docs/models.md``: one card for each model of the weights registry."""

from __future__ import annotations

from typing import Any

from numbering.pipelines import CARDS
from numbering.weights import Entry, registry

HEAD = """\
# Model cards

Generated from `numbering/weights/registry.json` by `make docs`; do not edit. The figures are what the command named
beside them printed for these very files; how the data were prepared: [ap-xray](ap-xray.md).
"""


def model_cards() -> str:
    """All cards, in the order of the pipelines."""
    entries = registry()
    return HEAD + "".join(_card(card.title, card.assumption, entries[card.weights]) for card in CARDS)


def _card(title: str, assumption: str, entry: Entry) -> str:
    files = entry.files
    parts = [
        f"\n## {entry.name} {entry.version}: {title}\n\n{entry.intended_use}\n",
        f"**Presumes.** {assumption}\n",
        f"**Network.** ultralytics' `{entry.architecture}` (YOLOv5u), classes {', '.join(entry.classes)}.\n",
        f"**Trained on.** {entry.trained_on}\n",
        f"**Command.** `{entry.training_command}`\n",
        "**Limitations.**\n\n" + "".join(f"- {text}\n" for text in entry.limitations),
        "**Operating point**, fixed on validation films: "
        + ", ".join(f"`{name}` {value:g}" for name, value in entry.operating_point.items())
        + ".\n",
        "| file | sha256 | licence |\n|---|---|---|\n"
        + "".join(f"| `{file.file}` | `{file.sha256}` | {file.licence} |\n" for file in files),
        *(_figures(figures) for figures in entry.figures["evaluations"]),
    ]
    return "\n".join(parts)


def _figures(figures: dict[str, Any]) -> str:
    """The table of one evaluation, each figure with its 95 % bootstrap interval."""
    rows = figures["rows"]
    names = list(rows[0]["figures"])
    lines = [
        f"### {figures['title']}\n",
        f"`{figures['command']}` on {figures['date']}, {figures['runtime']}. {figures['data']}\n",
        "| view | anatomy | n | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    for row in rows:
        shown = [
            f"{value:.3f} ({row['interval'][name][0]:.3f}–{row['interval'][name][1]:.3f})"
            for name, value in row["figures"].items()
        ]
        lines.append(f"| {row['view']} | {row['anatomy']} | {row['n']} | " + " | ".join(shown) + " |")
    empty = figures["without_l5"]
    if empty["n"]:
        lines.append(
            f"\nFilms without L5: {empty['n']}; abstained on {empty['abstained']}; numbered with a probability of 0.9 "
            f"or more {empty['confident_wrong']}."
        )
    return "\n".join(lines) + "\n"
