"""``numbering run``: number files and folders without a network, a database or a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from numbering.dicom.objects.encode import encode, write_objects
from numbering.dicom.pixels import radiographs
from numbering.dicom.read import Unreadable, read_folder
from numbering.dicom.stand_ins import WORDS as STAND_INS
from numbering.errors import NumberingError, Reason, ReasonCode
from numbering.infer import decoded, number
from numbering.pictures import draw, page
from numbering.pipelines.card import Images
from numbering.pipelines.loaded import Pipelines
from numbering.pipelines.view.use import Looker, view_of
from numbering.report import RunReport, SeriesEntry, WrittenObject, series_entry, unanswered_entry
from numbering.result import NumberingResult, Origin, Status
from numbering.route import Assignment, route_studies, settled
from numbering.study import Series


@dataclass
class Run:
    """What came of a run: the report, the files that are not DICOM images, and whether anything failed."""

    report: RunReport
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether a series failed (an abstention or a refusal is an answer, not a failure)."""
        return any(entry.status is Status.FAILED for study in self.report.studies for entry in study.series)


def run(
    paths: Iterable[Path],
    out: Path,
    pipelines: Pipelines,
    *,
    only: str | None = None,
    segmented: bool = False,
    mapped: bool = False,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Run:
    """Number everything found at these paths; objects and pictures go to ``out``.

    The objects are dated by the images they rest on, so that the same input always gives the same bytes. ``progress``
    is told what was done, how many assignments are done, and of how many. ``segmented`` also writes segmentations of
    vertebral bodies on films, ``mapped`` parametric maps of where the evidence lay.
    """
    series, unreadable = read_folder(paths)
    assignments = route_studies(series)
    asked = {"segmented": segmented, "mapped": mapped}
    entries = []
    for done, assignment in enumerate(assignments):
        progress(assignment.series.series_instance_uid, done, len(assignments))
        entries.append((assignment.series.study_instance_uid, _entry(assignment, out, pipelines, only, asked)))
    progress("done", len(assignments), len(assignments))
    return Run(RunReport.of(entries), unreadable)


def _entry(
    assignment: Assignment, out: Path, pipelines: Pipelines, only: str | None, asked: dict[str, bool]
) -> SeriesEntry:
    assignment, seen = _looked_at(assignment, pipelines.looker)
    series, card = assignment.series, assignment.card
    if assignment.reason is not None:
        return unanswered_entry(series, assignment.status, assignment.reason, view=assignment.view)
    if card is None:
        raise ValueError(f"series {series.series_instance_uid} has neither a pipeline nor a reason why not")
    if only and card.name != only:
        text = f"series {series.series_instance_uid}: left out, because only {only} was asked for"
        reason = Reason(ReasonCode.NOT_ASKED_FOR, text)
        return unanswered_entry(series, Status.UNSUITABLE, reason, view=assignment.view, pipeline=card.name)
    try:
        pictures = decoded(assignment)
        result = number(
            assignment,
            pipelines.named(card.name),
            origin=Origin.RUN,
            created_at=acquired(series),
            quality=seen + _stood_in(series),
            decode=lambda _: pictures,
            looker=pipelines.looker,
        )
        return series_entry(result, _write(result, series, pictures, out, asked))
    except NumberingError as error:
        return unanswered_entry(series, Status.FAILED, error.reason, view=assignment.view, pipeline=card.name)


def _looked_at(assignment: Assignment, looker: Looker | None) -> tuple[Assignment, tuple[str, ...]]:
    """Films whose view the header leaves open, as what their pixels show, and the sentence that says so."""
    reason = assignment.reason
    if looker is None or reason is None or reason.code is not ReasonCode.VIEW_UNKNOWN:
        return assignment, ()
    try:
        view, words = view_of(radiographs(assignment.series), looker)
    except NumberingError:
        return assignment, ()
    if view is None:
        return replace(assignment, reason=Reason(reason.code, f"{reason.text} It was looked at: {words}.")), ()
    found = settled(assignment, view)
    return found, (words,) if found is not assignment else ()


def _stood_in(series: Series) -> tuple[str, ...]:
    return (STAND_INS,) if any(image.stood_in for image in series.images) else ()


def acquired(series: Series) -> datetime:
    """When the latest of these images was taken; the epoch when no header says."""
    times = [image.acquired for image in series.images if image.acquired is not None]
    return max(times, default=datetime(1970, 1, 1, tzinfo=UTC))


def _write(
    result: NumberingResult, series: Series, images: Images, out: Path, asked: dict[str, bool]
) -> list[WrittenObject]:
    sources = {image.sop_instance_uid: image.path for image in series.images}
    written = write_objects(encode(result, sources, **asked), out)
    page(result, draw(images, result.findings, out / "pictures"), out / "pictures")
    return [
        WrittenObject(
            sop_class=one.sop_class_uid,
            sop_instance_uid=one.sop_instance_uid,
            path=str(one.path.relative_to(out)),
        )
        for one in written
    ]
