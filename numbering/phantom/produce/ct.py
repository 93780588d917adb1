"""The CT of a visit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from numbering.phantom import preview
from numbering.phantom.dicom.ct import encode, encode_enhanced, encode_scout, header, instance_uids, scout_header
from numbering.phantom.dicom.ct_words import HABITS
from numbering.phantom.dicom.header import SeriesHeader, frame_of_reference_uid, series_uid
from numbering.phantom.imaging.ct.acquire import acquire
from numbering.phantom.imaging.ct.nifti import labels_nifti
from numbering.phantom.imaging.ct.protocol import Region, sample_protocol
from numbering.phantom.imaging.ct.scout import Scout, scouts
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.produce.made import Made
from numbering.phantom.produce.stage import Stage
from numbering.phantom.truth.ct import describe

ENHANCED = 0.1
"""Share of CTs that are one multi-frame object."""


def ct_series(stage: Stage) -> Iterator[Made]:
    """Two localizers and one series, as sampled for the visit."""
    visit, rng = stage.visit, stage.rng(0)
    drawn = sample_protocol(rng, cast(Region | None, stage.ct_region))
    protocol = replace(drawn, padding_hu=HABITS[visit.style].padding_hu)
    enhanced = bool(rng.random() < ENHANCED)
    structures = stage.structures(arms=protocol.arms == "down")
    seed = int(stage.rng(1).integers(1 << 31))
    volume = acquire(stage.skeleton, structures, protocol, seed, origin_mm=visit.origin_mm, device=stage.device)
    pair = scouts(stage.skeleton, structures, volume, seed, origin_mm=visit.origin_mm, device=stage.device)
    head = header(protocol, 2, enhanced=enhanced)
    name = head.name.replace(" ", "-")
    labels = f"{stage.folder}labels.nii.gz"
    truth = describe(
        stage.skeleton,
        volume,
        visit=visit.number,
        series_instance_uid=series_uid(visit, head),
        frame_of_reference_uid=frame_of_reference_uid(visit),
        sop_instance_uids=instance_uids(visit, volume, head),
        folder=f"{stage.folder}ct/{name}",
        labels=labels,
    )
    yield Made(
        files=_files(stage, volume, pair, head, truth.folder, labels),
        truth=truth,
        preview=preview.ct(volume.hu, truth),
        preview_name=f"{stage.folder}ct.png",
    )


def _files(
    stage: Stage, volume: CtVolume, pair: tuple[Scout, Scout], head: SeriesHeader, folder: str, labels: str
) -> Iterator[tuple[str, bytes]]:
    visit, protocol = stage.visit, volume.protocol
    localizer = scout_header(protocol)
    for number, scout in enumerate(pair, 1):
        yield f"{stage.folder}ct/scout/{number}.dcm", encode_scout(visit, scout, protocol, localizer, number)
    if head.name.endswith("enhanced"):
        yield f"{folder}/series.dcm", encode_enhanced(visit, volume, head)
    else:
        for number, content in enumerate(encode(visit, volume, head), 1):
            yield f"{folder}/{number:04d}.dcm", content
    yield labels, labels_nifti(volume)
