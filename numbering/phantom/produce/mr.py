"""The MR examination of a visit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from numbering.phantom import preview
from numbering.phantom.dicom.header import SeriesHeader, frame_of_reference_uid, instance_uid, series_uid
from numbering.phantom.dicom.mr import encode, encode_enhanced, header
from numbering.phantom.imaging.mr.acquire import MrSeries, acquire
from numbering.phantom.imaging.mr.examination import Ordered, examination
from numbering.phantom.imaging.mr.protocol import Plane
from numbering.phantom.produce.made import Made
from numbering.phantom.produce.stage import Stage
from numbering.phantom.truth.mr import describe

_PLANES: dict[str, tuple[Plane, ...]] = {"sagittal": ("sagittal", "coronal"), "axial": ("axial",)}
"""What comes along: the localizer and a coronal series are acquired with the sagittal ones."""


def mr_series(stage: Stage, view: Literal["axial", "sagittal"]) -> Iterator[Made]:
    """The series of the examination that belong to this view."""
    structures = stage.structures()
    for ordered in examination(stage.rng(0), stage.visit.style, _PLANES[view]):
        seed = int(stage.rng(ordered.number).integers(1 << 31))
        series = acquire(stage.skeleton, structures, ordered.protocol, seed, device=stage.device)
        yield _made(stage, ordered, series)


def _made(stage: Stage, ordered: Ordered, series: MrSeries) -> Made:
    visit = stage.visit
    head = header(ordered.protocol, ordered.number, name=ordered.name, enhanced=ordered.enhanced)
    uids = [instance_uid(visit, head, number + 1) for number in range(1 if ordered.enhanced else len(series.slices))]
    plain = f"{ordered.number}-{ordered.name}".replace(" ", "-")
    truth = describe(
        visit,
        stage.skeleton,
        series,
        series_instance_uid=series_uid(visit, head),
        frame_of_reference_uid=frame_of_reference_uid(visit),
        sop_instance_uids=uids,
        folder=f"{stage.folder}mr/{plain}",
    )
    return Made(
        files=_files(stage, ordered, series, head, truth.folder),
        truth=truth,
        preview=preview.mr([one.pixels for one in series.slices], truth),
        preview_name=f"{stage.folder}mr-{plain}.png",
    )


def _files(
    stage: Stage, ordered: Ordered, series: MrSeries, head: SeriesHeader, folder: str
) -> Iterator[tuple[str, bytes]]:
    if ordered.enhanced:
        yield f"{folder}/series.dcm", encode_enhanced(stage.visit, series, head)
        return
    for number, content in enumerate(encode(stage.visit, series, head), 1):
        yield f"{folder}/{number:04d}.dcm", content
