"""Sheets of small pictures, and figures of curves, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

COLUMNS = 6


def sheet(tiles: Sequence[Image.Image], path: Path, columns: int = COLUMNS) -> int:
    """Write pictures of one size beside and below each other; how many there are, and no file for none."""
    if not tiles:
        return 0
    width, height = tiles[0].size
    columns = min(columns, len(tiles))
    whole = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height), "black")
    for index, tile in enumerate(tiles):
        whole.paste(tile, (index % columns * width, index // columns * height))
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.save(path)
    return len(tiles)


def saved(figure: Any, path: Path) -> Path:
    """Write a matplotlib figure; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def reliability_curves(report: dict[str, dict[str, Any]], title: str, path: Path) -> Path:
    """Reliability diagram of several `calibration.reliability`, by name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], "k-", lw=0.6)
    for name, one in report.items():
        if one["n"]:
            bins = one["bins"]
            label = f"{name}: ECE {one['ECE']:.3f}, n {one['n']}"
            axis.plot([row["said"] for row in bins], [row["right"] for row in bins], "o-", ms=4, label=label)
    axis.set(title=title, xlabel="probability said", ylabel="share right", xlim=(0, 1), ylim=(0, 1.02))
    axis.legend(fontsize=8)
    return saved(figure, path)
