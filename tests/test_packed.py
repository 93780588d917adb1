"""Labels of voxels and maps of evidence within a stored result: exact, small, and refused where they cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from numbering.errors import ReasonCode
from numbering.packed import HeatMap, LabelVolume, packed, unpacked
from numbering.result import Findings, NumberedDisc, NumberingBasis, StatedReason, Status, Vertebra

PLACES = [("1.2.1", None), ("1.2.2", None), ("1.2.3", 4)]


def labels() -> np.ndarray:
    """Three planes of 5 by 7, uneven in every direction; the middle one is empty."""
    volume = np.zeros((3, 5, 7), np.uint8)
    volume[0, 1:3, 2:6] = 1
    volume[2, 0, 0] = 2
    volume[2, 4, 5:] = 1
    return volume


def basis() -> NumberingBasis:
    return NumberingBasis(counted_from="sacrum", statement="Counted from the sacrum.")


def test_labels_come_back_as_they_were_with_the_planes_that_they_lie_on() -> None:
    stored = LabelVolume.of(labels(), PLACES, ["L1", "L2"])
    again = LabelVolume.model_validate_json(stored.model_dump_json())
    found = dict(again.labels())
    assert list(found) == [("1.2.1", None), ("1.2.3", 4)]
    np.testing.assert_array_equal(found["1.2.1", None], labels()[0])
    np.testing.assert_array_equal(found["1.2.3", 4], labels()[2])
    assert again.value_of("L2") == 2


def test_a_label_without_a_level_is_refused() -> None:
    with pytest.raises(ValueError, match="label 2 has no level"):
        LabelVolume.of(labels(), PLACES, ["L1"])


def test_a_level_segmented_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="expected each once"):
        LabelVolume.of(labels(), PLACES, ["L1", "L1"])


def test_as_many_planes_as_places() -> None:
    with pytest.raises(ValueError, match="longer"):
        LabelVolume.of(labels()[:2], PLACES, ["L1", "L2"])


def test_packed_pixels_of_another_size_are_refused_and_never_unpacked_whole() -> None:
    bomb = packed(np.zeros((4000, 4000), np.uint8))
    with pytest.raises(ValueError, match="expected 5 x 7"):
        unpacked(bomb, 5, 7)


def test_a_heat_map_is_of_its_own_greatest_value_and_without_what_speaks_against_the_disc() -> None:
    heat = HeatMap.of("L4-L5", ("1.2.1", None), (-0.5, -0.5, 6.5, 4.5), np.array([[-3.0, 0.0, 1.0], [2.0, 4.0, 0.5]]))
    np.testing.assert_allclose(heat.values(), [[0, 0, 0.25], [0.5, 1, 0.125]], atol=1 / 255)


def test_a_map_that_is_zero_everywhere_stays_so() -> None:
    heat = HeatMap.of("L4-L5", ("1.2.1", None), (0, 0, 1, 1), np.zeros((2, 3)))
    assert not heat.values().any()


def test_a_map_of_a_vertebra_is_refused() -> None:
    with pytest.raises(ValueError, match="L4"):
        HeatMap.of("L4", ("1.2.1", None), (0, 0, 1, 1), np.ones((2, 3)))


def test_only_what_is_numbered_is_segmented() -> None:
    with pytest.raises(ValueError, match="segmented but not numbered: L2"):
        Findings(
            status=Status.NUMBERED,
            vertebrae=(Vertebra(level="L1", probability=1, sop_instance_uid="1.2.1", box=(2, 1, 5, 2)),),
            basis=basis(),
            segmentation=LabelVolume.of(labels(), PLACES, ["L1", "L2"]),
        )


def test_an_abstention_segments_nothing() -> None:
    reason = StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text="L1 is not in view.")
    with pytest.raises(ValueError, match="segmented but not numbered"):
        Findings(status=Status.ABSTAINED, reason=reason, segmentation=LabelVolume.of(labels(), PLACES, ["L1", "L2"]))


def test_the_numbering_of_discs_alone_is_a_numbering() -> None:
    disc = NumberedDisc(level="L4-L5", probability=0.9, sop_instance_uid="1.2.1", box=(1, 1, 3, 3))
    assert Findings(status=Status.NUMBERED, discs=(disc,), basis=basis()).discs == (disc,)


@pytest.mark.parametrize(("field", "value"), [("last_rib", "rib"), ("lowest_disc", "L5")])
def test_the_parts_of_a_basis_name_levels_that_exist(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=value):
        NumberingBasis.model_validate({**basis().model_dump(), field: value})
