"""Pictures of results for people who would rather look than read, and a page that shows them: what was found is drawn
where it is. They show patients' images: they are kept like the images themselves, and never go into a message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numbering.pictures.ct import draw_ct
from numbering.pictures.film import draw_film
from numbering.pictures.mr import draw_axial_mr
from numbering.pictures.page import page as page
from numbering.result import Findings
from numbering.stack import Stack
from numbering.study import Radiograph


def draw(images: Sequence[Any], findings: Findings, folder: Path) -> list[Path]:
    """Pictures of what a pipeline was given and what it found: of each film, or of the stack that it numbered."""
    stacks = [image for image in images if isinstance(image, Stack)]
    if stacks:
        return (draw_ct if stacks[0].modality == "CT" else draw_axial_mr)(stacks[0], findings, folder)
    films = (image for image in images if isinstance(image, Radiograph))
    return [draw_film(film, findings, folder / f"{file_name(film.name)}.png") for film in films]


def file_name(name: str) -> str:
    """``UID`` or ``UID#frame`` as part of a file's name."""
    return name.replace("#", "_")
