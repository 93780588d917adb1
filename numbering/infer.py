"""One assignment through one loaded pipeline: decoded pixels in, a complete `NumberingResult` out. Knows no job."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from numbering.dicom.pixels import radiographs
from numbering.dicom.stacks import stack
from numbering.orientation import of_view
from numbering.pipelines import Pipeline
from numbering.pipelines.card import Images
from numbering.pipelines.view.use import Looker, check
from numbering.result import Findings, NumberingResult, Origin, SourceImage, Status
from numbering.route import VOLUMES, Assignment
from numbering.study import Series, View

Decode = Callable[[Assignment], Images]


@cache
def software_version() -> str:
    """The version of this software as installed; it is part of every result's identity."""
    try:
        return version("numbering")
    except PackageNotFoundError:
        return "0+not.installed"


def decoded(assignment: Assignment) -> Images:
    """What a pipeline is given: decoded films; or the stack of the series and those of its companions, of which no
    pixel is read yet. `QuarantinedInput` when pixels cannot be read.
    """
    series, view = assignment.series, assignment.view
    if series.modality not in VOLUMES or view is None:
        return radiographs(series)
    beside = sorted(assignment.card.companions) if assignment.card else []
    companions = [(one, each) for one in assignment.companions for each in beside if _shows(one, each)]
    return [stack(series, view), *(stack(one, each) for one, each in companions)]


def number(
    assignment: Assignment,
    pipeline: Pipeline,
    *,
    origin: Origin,
    created_at: datetime,
    revision: int = 1,
    predecessor_sr_uid: str | None = None,
    quality: tuple[str, ...] = (),
    decode: Decode | None = None,
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
    pictures = (decode or decoded)(assignment)
    looker = None if series.modality in VOLUMES else looker
    refused, doubts = check(assignment.view, pictures, looker) if looker else (None, ())
    findings = Findings(status=Status.ABSTAINED, reason=refused) if refused else pipeline.number(pictures)
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
        settings=pipeline.settings | (looker.settings if looker else {}) | _beside(assignment.companions),
        origin=origin,
        revision=revision,
        predecessor_sr_uid=predecessor_sr_uid,
        created_at=created_at,
    )


def _shows(series: Series, view: View) -> bool:
    return bool(of_view((plane for image in series.images for plane in image.planes), view))


def _beside(companions: Sequence[Series]) -> dict[str, str]:
    """Which other images had a say, as part of the result's identity."""
    images = sorted((image.sop_instance_uid, image.digest) for one in companions for image in one.images)
    told = hashlib.sha256(repr(images).encode()).hexdigest()
    return {"companions": f"{len(images)} images, sha256 {told}"} if images else {}
