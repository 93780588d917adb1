"""What stands beside the names of a result — voxels, heat maps, key images — when the record gives other names."""

from __future__ import annotations

from collections.abc import Mapping

from numbering.packed import HeatMap, LabelVolume
from numbering.result import Findings, KeyImage

Names = Mapping[int, str]
"""New names by the index of the structure among the pipeline's own; those without one have none any more."""


def renamed_segmentation(own: Findings, vertebrae: Names) -> LabelVolume | None:
    """The voxels of vertebrae that still have a name, each under its new one."""
    if own.segmentation is None:
        return None
    return own.segmentation.renamed({own.vertebrae[index].level: name for index, name in vertebrae.items()})


def renamed_heat_maps(own: Findings, discs: Names) -> tuple[HeatMap, ...]:
    """A map says where the evidence lay that its slice shows a disc: it goes with the disc of that slice."""
    new = {(found.sop_instance_uid, found.frame, found.level): index for index, found in enumerate(own.discs)}
    places = ((one, new.get((one.sop_instance_uid, one.frame, one.level))) for one in own.heat_maps)
    return tuple(
        one.model_copy(update={"level": discs[index]}) for one, index in places if index is not None and index in discs
    )


def renamed_key_images(own: Findings, vertebrae: Names, discs: Names) -> tuple[KeyImage, ...]:
    """Key images of what still has a name."""
    new = {own.vertebrae[index].level: name for index, name in vertebrae.items()}
    new |= {own.discs[index].level: name for index, name in discs.items()}
    return tuple(one.model_copy(update={"level": new[one.level]}) for one in own.key_images if one.level in new)
