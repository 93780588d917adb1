"""Pictures of results: what was found is drawn where it is, in the colour of what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.pictures import draw_film
from numbering.pictures.pen import AMBER, BLUE, GREEN, LONG_SIDE
from numbering.result import Findings
from numbering.study import Radiograph
from tests.results import abstained, lateral

SIZE = (300, 200)


def drawn(folder: Path, findings: Findings, frame: int | None = None) -> NDArray[np.uint8]:
    """``[row, column, colour]`` of the picture."""
    film = Radiograph(sop_instance_uid="1.2.3", frame=frame, pixels=np.zeros(SIZE, np.float32))
    return np.asarray(Image.open(draw_film(film, findings, folder / "pictures" / "film.png")))


def near(picture: NDArray[np.uint8], point: tuple[float, float], colour: tuple[int, int, int]) -> bool:
    """Whether this colour is within two pixels of the image point."""
    column, row = (round((value + 0.5) * LONG_SIDE / SIZE[0]) for value in point)
    return bool((picture[row - 2 : row + 3, column - 2 : column + 3] == colour).all(2).any())


def test_each_body_is_outlined_through_its_corners_and_the_sacrum_by_its_endplate(tmp_path: Path) -> None:
    findings = lateral("1.2.3", measurements=())
    picture = drawn(tmp_path, findings)
    assert max(picture.shape) == LONG_SIDE
    for vertebra in findings.vertebrae:
        for corner in vertebra.corners or vertebra.endplate or ():
            assert near(picture, corner, GREEN), vertebra.level
    assert not (picture == BLUE).all(2).any()


def test_an_angles_lines_go_beyond_the_endplates(tmp_path: Path) -> None:
    findings = lateral("1.2.3")
    picture = drawn(tmp_path, findings)
    (front, back), *_ = findings.measurements[0].lines
    beyond = (front[0] + 0.3 * (front[0] - back[0]), front[1] + 0.3 * (front[1] - back[1]))
    assert near(picture, beyond, BLUE)


def test_candidates_of_an_abstention_are_amber_and_nothing_is_green(tmp_path: Path) -> None:
    picture = drawn(tmp_path, abstained("1.2.3", [(40.0, 50.0, 90.0, 80.0)]))
    assert near(picture, (40.0, 50.0), AMBER)
    assert not (picture == GREEN).all(2).any()


def test_another_frame_keeps_its_marks_to_itself(tmp_path: Path) -> None:
    picture = drawn(tmp_path, lateral("1.2.3", frame=2), frame=1)
    assert not (picture == GREEN).all(2).any()
