"""The CT of a visit: localizers, the series, its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from numbering.phantom import preview
from numbering.phantom.dicom.ct import (
    encode,
    encode_enhanced,
    encode_scout,
    header,
    instance_uids,
    scout_header,
)
from numbering.phantom.dicom.ct_words import HABITS
from numbering.phantom.dicom.header import SeriesHeader, frame_of_reference_uid, series_uid
from numbering.phantom.imaging.ct.acquire import acquire
from numbering.phantom.imaging.ct.nifti import labels_nifti
from numbering.phantom.imaging.ct.protocol import Protocol, sample_protocol
from numbering.phantom.imaging.ct.scout import Scout, scouts
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.produce.made import Made
from numbering.phantom.produce.stage import Stage
from numbering.phantom.truth.ct import describe

ENHANCED_SHARE = 0.15
"""How often the scanner sends one enhanced object instead of a slice each."""


def ct_series(stage: Stage, protocol: Protocol | None = None) -> Iterator[Made]:
    """The CT series of the visit, with this protocol or one as its equipment and the draw will have it."""
    visit, rng = stage.visit, stage.rng(0)
    chosen = protocol or replace(sample_protocol(rng), padding_hu=HABITS[visit.style].padding_hu)
    enhanced = protocol is None and bool(rng.random() < ENHANCED_SHARE)
    structures = stage.structures(arms=chosen.arms == "down")
    seed = int(stage.rng(1).integers(1 << 31))
    volume = acquire(stage.skeleton, structures, chosen, seed, origin_mm=visit.origin_mm, device=stage.device)
    planned = scouts(stage.skeleton, structures, volume, seed, origin_mm=visit.origin_mm, device=stage.device)
    head = header(chosen, 2, enhanced=enhanced)
    folder = f"{stage.folder}ct/{head.number}-{chosen.region}"
    truth = describe(
        stage.skeleton,
        volume,
        visit=visit.number,
        series_instance_uid=series_uid(visit, head),
        frame_of_reference_uid=frame_of_reference_uid(visit),
        sop_instance_uids=instance_uids(visit, volume, head),
        folder=folder,
        labels=f"{folder}/labels.nii.gz",
    )
    yield Made(
        files=_files(stage, volume, planned, head, folder),
        truth=truth,
        preview=preview.ct(volume.hu, truth),
        preview_name=f"{stage.folder}ct.png",
    )


def _files(
    stage: Stage, volume: CtVolume, planned: tuple[Scout, Scout], head: SeriesHeader, folder: str
) -> Iterator[tuple[str, bytes]]:
    visit, first = stage.visit, scout_header(volume.protocol)
    for number, scout in enumerate(planned, 1):
        content = encode_scout(visit, scout, volume.protocol, first, number)
        yield f"{stage.folder}ct/{first.number}-scout/{number:04d}.dcm", content
    if head.name.endswith("enhanced"):
        yield f"{folder}/series.dcm", encode_enhanced(visit, volume, head)
    else:
        for number, content in enumerate(encode(visit, volume, head), 1):
            yield f"{folder}/{number:04d}.dcm", content
    yield f"{folder}/labels.nii.gz", labels_nifti(volume)
