"""Voxels, heat maps and key images follow the names that the record gives; what has no name any more is left out."""

from __future__ import annotations

import numpy as np

from numbering.packed import HeatMap, LabelVolume
from numbering.record.renamed import renamed_heat_maps, renamed_key_images, renamed_segmentation
from numbering.result import Findings, KeyImage, NumberedDisc, NumberingBasis, Status, Vertebra

BASIS = NumberingBasis(counted_from="sacrum", statement="Counted from the sacrum.")


def volume() -> Findings:
    labels = np.zeros((2, 3, 4), np.uint8)
    labels[0, :2, 1] = 1
    labels[1, 2, 2:] = 2
    levels = ["L1", "L2"]
    vertebrae = tuple(
        Vertebra(level=level, probability=0.9, sop_instance_uid=f"1.{n}", box=(0, 0, 2, 2))
        for n, level in enumerate(levels)
    )
    return Findings(
        status=Status.NUMBERED,
        vertebrae=vertebrae,
        basis=BASIS,
        segmentation=LabelVolume.of(labels, [("1.0", None), ("1.1", None)], levels),
        key_images=(KeyImage(level="L1", sop_instance_uid="1.0", shows="axial slice through the middle of the body"),),
    )


def slices() -> Findings:
    discs = tuple(
        NumberedDisc(level=level, probability=0.9, sop_instance_uid=f"1.{n}")
        for n, level in enumerate(["L4-L5", "L4-L5", "L5-S1"])
    )
    maps = [HeatMap.of(one.level, (one.sop_instance_uid, None), (0, 0, 4, 4), np.eye(2)) for one in discs]
    return Findings(status=Status.NUMBERED, discs=discs, basis=BASIS, heat_maps=tuple(maps))


def test_the_voxels_of_a_vertebra_go_with_its_name() -> None:
    moved = renamed_segmentation(volume(), {0: "L2", 1: "L3"})
    assert moved is not None
    assert moved.levels == ("L2", "L3")
    assert moved.planes == volume().segmentation.planes  # type: ignore[union-attr]


def test_the_voxels_of_a_vertebra_without_a_name_are_none_of_any() -> None:
    left = renamed_segmentation(volume(), {1: "L1"})
    assert left is not None
    assert (left.levels, [plane.sop_instance_uid for plane in left.planes]) == (("L1",), ["1.1"])
    ((_, values),) = left.labels()
    assert np.argwhere(values == 1).tolist() == [[2, 2], [2, 3]]


def test_one_name_never_stands_for_the_voxels_of_two_vertebrae() -> None:
    assert renamed_segmentation(volume(), {0: "L1", 1: "L1"}) is None
    assert renamed_segmentation(volume(), {}) is None


def test_a_key_image_goes_with_its_vertebra() -> None:
    (image,) = renamed_key_images(volume(), {0: "T12", 1: "L1"}, {})
    assert (image.level, image.sop_instance_uid) == ("T12", "1.0")
    assert renamed_key_images(volume(), {1: "L1"}, {}) == ()


def test_a_heat_map_goes_with_the_disc_of_its_slice() -> None:
    maps = renamed_heat_maps(slices(), {0: "L3-L4", 2: "L4-L5"})
    assert [(one.level, one.sop_instance_uid) for one in maps] == [("L3-L4", "1.0"), ("L4-L5", "1.2")]
