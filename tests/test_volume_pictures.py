"""Pictures of a CT and of axial MR slices: what was found is drawn where it is, and the page shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from numbering.packed import HeatMap, LabelVolume
from numbering.pictures import draw, page
from numbering.pictures.ct import COLOURS
from numbering.pictures.mr import blended
from numbering.result import Findings, KeyImage, NumberedDisc, Status, Vertebra
from numbering.stack import Stack
from tests.films import make_film
from tests.results import result_of
from tests.simulated_stacks import basis, not_in_view

SHAPE = (20, 30, 24)
SPACING = (4.0, 2.0, 1.5)


def ct_stack(*, prone: bool = False) -> Stack:
    """Two blocks of bone, the upper one further to the front and to the right, in fat; slices are sent feet first."""
    hu = np.full(SHAPE, -100.0)
    hu[labels() > 0] = 400
    affine = np.diag([SPACING[2], SPACING[1], SPACING[0], 1.0])[:, [2, 1, 0, 3]]
    if prone:
        affine[1, 1], affine[0, 2] = -SPACING[1], -SPACING[2]
        hu = hu[:, ::-1, ::-1]
    return Stack.of_array(hu, affine)


def labels() -> NDArray[np.uint8]:
    found = np.zeros(SHAPE, np.uint8)
    found[11:16, 6:12, 4:9] = 1
    found[3:9, 9:17, 7:14] = 2
    return found


def ct_findings(stack: Stack, *, prone: bool = False) -> Findings:
    values = labels()[:, ::-1, ::-1] if prone else labels()
    places = [(f"1.2.3.{number}", None) for number in range(1, SHAPE[0] + 1)]
    vertebrae = []
    for value, level in enumerate(["L1", "L2"], start=1):
        middle = np.argwhere(values == value).mean(0)
        plane = next(one for one in stack.planes if one.sop_instance_uid == places[round(middle[0])][0])
        x, y, z = plane.to_mm(middle[[2, 1]])
        vertebrae.append(
            Vertebra(
                level=level, probability=0.996, sop_instance_uid=plane.sop_instance_uid, box=(1, 1, 3, 3),
                centre_mm=(float(x), float(y), float(z)),
            )
        )  # fmt: skip
    return Findings(
        status=Status.NUMBERED,
        vertebrae=tuple(vertebrae),
        basis=basis(),
        segmentation=LabelVolume.of(values, places, ["L1", "L2"]),
        key_images=(
            KeyImage(level="L1", sop_instance_uid=vertebrae[0].sop_instance_uid, shows="slice through its middle"),
        ),
    )


def mr_stack() -> Stack:
    pixels = np.random.default_rng(3).uniform(100, 200, (4, 20, 30))
    affine = np.diag([1.0, 1.0, -5.0, 1.0])[:, [2, 1, 0, 3]]
    return Stack.of_array(pixels, affine, modality="MR")


def mr_findings() -> Findings:
    discs = tuple(
        NumberedDisc(level=level, probability=0.9, sop_instance_uid=f"1.2.3.{number}")
        for number, level in ((1, "L4-L5"), (3, "L5-S1"))
    )
    heat = np.zeros((4, 6))
    heat[1, 4] = 1
    maps = tuple(HeatMap.of(one.level, (one.sop_instance_uid, None), (-0.5, -0.5, 29.5, 19.5), heat) for one in discs)
    return Findings(status=Status.NUMBERED, discs=discs, basis=basis(), heat_maps=maps)


def picture(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def middle_of(shown: NDArray[np.uint8], value: int) -> tuple[float, float]:
    """Row and column, as shares of the picture, of what is outlined in the colour of this label."""
    found = np.argwhere((shown == COLOURS[value % len(COLOURS)]).all(2))
    row, column = (found.min(0) + found.max(0)) / 2 / shown.shape[:2]
    return float(row), float(column)


@pytest.mark.parametrize("prone", [False, True])
def test_vertebrae_are_outlined_head_up_front_left_and_the_right_side_on_the_left(prone: bool, tmp_path: Path) -> None:
    stack = ct_stack(prone=prone)
    findings = ct_findings(stack, prone=prone)
    sagittal, coronal, _ = (picture(path) for path in draw([stack], findings, tmp_path))
    for shown, first, size in ((sagittal, (6, 9), 30), (coronal, (4, 7), 24)):
        (row1, column1), (row2, column2) = middle_of(shown, 1), middle_of(shown, 2)
        assert (row1, row2) == pytest.approx((1 - 13.5 / 20, 1 - 6 / 20), abs=0.02)
        widths = (6, 8) if size == 30 else (5, 7)
        expected = [(start + width / 2) / size for start, width in zip(first, widths, strict=True)]
        assert (column1, column2) == pytest.approx(expected, abs=0.03)
    assert sagittal.shape[0] / sagittal.shape[1] == pytest.approx(20 * 4 / (30 * 2), abs=0.01)
    assert coronal.shape[0] / coronal.shape[1] == pytest.approx(20 * 4 / (24 * 1.5), abs=0.01)


def test_the_key_slice_of_l1_shows_l1_alone(tmp_path: Path) -> None:
    stack = ct_stack()
    *_, path = draw([stack], ct_findings(stack), tmp_path)
    assert path.name.endswith("-L1.png")
    shown = picture(path)
    assert middle_of(shown, 1) == pytest.approx((9 / 30, 6.5 / 24), abs=0.02)
    assert not (shown == COLOURS[2]).all(2).any()


def test_an_abstention_on_a_volume_is_drawn_without_names(tmp_path: Path) -> None:
    paths = draw([ct_stack()], not_in_view(), tmp_path)
    assert [path.stem.rpartition("-")[2] for path in paths] == ["sagittal", "coronal"]
    for path in paths:
        shown = picture(path)
        assert not any((shown == colour).all(2).any() for colour in COLOURS)


def test_a_long_stack_is_drawn_from_every_second_slice(tmp_path: Path) -> None:
    decoded = []
    whole = Stack.of_array(np.zeros((1001, 4, 5)), np.diag([1.0, 1.0, -1.0, 1.0])[:, [2, 1, 0, 3]])
    counting = Stack.of(whole.planes, lambda plane: decoded.append(plane.name) or whole.decode(plane))
    draw([counting], not_in_view(), tmp_path)
    assert len(decoded) == 501


def test_heat_colours_a_slice_where_it_is_and_leaves_the_rest_grey() -> None:
    (heat, _) = mr_findings().heat_maps
    pixels = np.linspace(0, 100, 20 * 30, dtype=np.float32).reshape(20, 30)
    shown = blended(pixels, heat).astype(int)
    coloured = np.abs(shown[..., 0] - shown[..., 2])
    row, column = np.unravel_index(coloured.argmax(), coloured.shape)
    assert (row, column) == pytest.approx((7, 22), abs=2)
    assert coloured[:, :10].max() == 0
    assert (np.ptp(blended(pixels, None), axis=2) == 0).all()


def test_every_numbered_slice_has_a_picture_and_all_are_on_the_sheet(tmp_path: Path) -> None:
    sheet, *slices = draw([mr_stack()], mr_findings(), tmp_path)
    assert [path.stem for path in slices] == ["1.2.3.1", "1.2.3.3"]
    assert sheet.stem.endswith("-sheet")
    assert picture(sheet).shape[1] > 4 * 240


def test_the_page_shows_the_pictures_and_says_what_was_found_and_nothing_of_the_patient(tmp_path: Path) -> None:
    stack = ct_stack()
    findings = ct_findings(stack).model_copy(update={"anomalies": ("<b>odd</b>",)})
    film = make_film(tmp_path / "film.dcm")
    pictures = draw([stack], findings, tmp_path)
    text = page(result_of([film], findings), pictures, tmp_path).read_text()
    for path in pictures:
        assert f'src="{path.name}"' in text
    assert "&lt;b&gt;odd&lt;/b&gt;" in text
    assert findings.basis is not None
    assert findings.basis.statement in text
    assert "<td>L2</td><td>0.99</td>" in text
    assert "SECRET" not in text
    assert "<script" not in text


def test_the_page_of_an_abstention_says_why(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    text = page(result_of([film], not_in_view()), [], tmp_path).read_text()
    assert "the volume shows the cervical spine" in text
    assert "<table>" not in text
