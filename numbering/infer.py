"""One assignment through one loaded pipeline: decoded pixels in, a complete `NumberingResult` out. Knows no job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from numbering.dicom.pixels import radiographs as decoded_radiographs
from numbering.pipelines import Pipeline
from numbering.pipelines.view.use import Looker, check
from numbering.result import Findings, NumberingResult, Origin, SourceImage, Status
from numbering.route import Assignment
from numbering.study import Radiograph, Series

Decode = Callable[[Series], Sequence[Radiograph]]


@cache
def software_version() -> str:
    """The version of this software as installed; it is part of every result's identity."""
    try:
        return version("numbering")
    except PackageNotFoundError:
        return "0+not.installed"


def number(
    assignment: Assignment,
    pipeline: Pipeline,
    *,
    origin: Origin,
    created_at: datetime,
    revision: int = 1,
    predecessor_sr_uid: str | None = None,
    quality: tuple[str, ...] = (),
    radiographs: Decode = decoded_radiographs,
    looker: Looker | None = None,
) -> NumberingResult:
    """Decode the images of the assignment, number them, and say who did it from what.

    ``quality`` is what is known of the input already; it stands before what the pipeline finds. ``looker`` checks the
    stated view: films that surely show the other one are abstained on.

    ``ValueError`` when the assignment was not given to a pipeline; `QuarantinedInput` when pixels cannot be read.
    """
    series, card = assignment.series, assignment.card
    if card is None:
        raise ValueError(f"series {series.series_instance_uid} was given to no pipeline: there is nothing to run")
    films = radiographs(series)
    refused, doubts = check(assignment.view, films, looker) if looker else (None, ())
    findings = Findings(status=Status.ABSTAINED, reason=refused) if refused else pipeline.number(films)
    findings = findings.model_copy(update={"quality": quality + doubts + findings.quality})
    return NumberingResult(
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        modality=series.modality,
        view=assignment.view,
        pipeline=card.name,
        software_version=software_version(),
        model=pipeline.identity,
        sources=tuple(
            SourceImage(
                sop_instance_uid=image.sop_instance_uid,
                sop_class_uid=image.sop_class_uid,
                digest=image.digest,
                rows=image.rows,
                columns=image.columns,
                frames=image.frames,
            )
            for image in series.images
        ),
        findings=findings,
        settings=pipeline.settings | (looker.settings if looker else {}),
        origin=origin,
        revision=revision,
        predecessor_sr_uid=predecessor_sr_uid,
        created_at=created_at,
    )
