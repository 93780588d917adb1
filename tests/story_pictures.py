"""The pictures of one patient's story: what a check draws before and after a whole-spine film and a person's word.

    python -m tests.story_pictures --out FOLDER

Plays `tests.story` with a node and an archive of its own and writes ``story.png``: the marked image of each check
side by side, the words of the verdict above it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread

from numbering.jobs.checks.store import checks_of
from tests.story import Told, told

HEIGHT = 600
GAP = 12


def played(story: Told) -> None:
    """The story to its end."""
    films = story.films
    story.arrives(films.ap, films.lateral)
    story.checked("L5/S1")
    story.arrives(films.whole)
    story.checked("L5/S1")
    story.checked("L5/S1", on=films.whole)
    story.verified("L6", films.lateral)
    story.checked("L6/S1")


def pictures(story: Told) -> list[Path]:
    """The marked image of each check, oldest first."""
    study = str(dcmread(story.films.lateral.file, stop_before_pixels=True).StudyInstanceUID)
    node = story.house.node
    return [node.path(one.key_images[0]) for one in checks_of(node.engine, study)]


def side_by_side(paths: list[Path]) -> Image.Image:
    """Pictures in a row, all as high as `HEIGHT`."""
    shown = [Image.open(path).convert("RGB") for path in paths]
    shown = [one.resize((round(one.width * HEIGHT / one.height), HEIGHT), Image.Resampling.LANCZOS) for one in shown]
    row = Image.new("RGB", (sum(one.width + GAP for one in shown) - GAP, HEIGHT), "white")
    left = 0
    for one in shown:
        row.paste(one, (left, 0))
        left += one.width + GAP
    return row


def main() -> None:
    """Play and draw."""
    options = argparse.ArgumentParser(description="Pictures of a check before and after a whole-spine film.")
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch, told(Path(name), patch) as story:
        played(story)
        side_by_side(pictures(story)).save(chosen.out / "story.png", optimize=True)


if __name__ == "__main__":
    main()
