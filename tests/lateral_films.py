"""Lateral films drawn with rectangles, labelled as simulated ones are: quick, and sharp enough to check places on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw


def truth(
    seed: int = 1, bodies: int = 8, first_ordinal: int = 17, rows: int = 320, columns: int = 240
) -> dict[str, Any]:
    """Bodies of 40 × 24 pixels from the top of the picture down to L5 and the sacrum, leaning to the right."""
    rng = np.random.default_rng(seed)
    start, step = rng.uniform([90, 8], [130, 16]), rng.uniform(31, 34)
    vertebrae = []
    for index in range(bodies):
        left, top = start + np.array([3.0, step]) * index
        corners = [[left, top], [left + 40, top + 2], [left + 40, top + 26], [left, top + 24]]
        ordinal = first_ordinal + index
        name = f"T{ordinal - 7}" if ordinal < 20 else f"L{ordinal - 19}"
        vertebrae.append(
            {"ordinal": ordinal, "level": name, "rib_bearing": ordinal < 20, "corners": corners, "in_view": True}
        )
    left, top = start + np.array([3.0, step]) * bodies
    s1 = [[left, top], [left + 38, top + 12]]
    return {
        "levels": {one["level"]: one["corners"] for one in vertebrae} | {"S1": s1},
        "spacing_mm": [0.5, 0.5],
        "seed": seed,
        "shapes": "procedural",
        "field_of_view": "lumbar",
        "lowest_ordinal": first_ordinal + bodies - 1,
        "s1": s1,
        "vertebrae": vertebrae,
        "rows": rows,
        "columns": columns,
    }


def write_film(folder: Path, name: str, said: dict[str, Any]) -> None:
    """The picture and its JSON."""
    picture = Image.new("L", (said["columns"], said["rows"]), 60)
    draw = ImageDraw.Draw(picture)
    for one in said["vertebrae"]:
        draw.polygon([tuple(point) for point in one["corners"]], fill=200)
    draw.line([tuple(point) for point in said["s1"]], fill=220, width=3)
    noisy = np.asarray(picture, float) + np.random.default_rng(said["seed"]).normal(
        0, 4, (said["rows"], said["columns"])
    )
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / "images" / f"{name}.png")
    (folder / f"{name}.json").write_text(json.dumps(said))


def write_films(folder: Path, seeds: range) -> Path:
    """A film a seed, in the layout of training."""
    for seed in seeds:
        write_film(folder, f"{seed:06d}", truth(seed))
    return folder
