"""Other series of a study: those that show the same as one that is to be numbered, and those that are looked at beside
it. What is known of them is in the tables; only companions are read again from the spool.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, selectinload

from numbering.dicom.read import read_series
from numbering.errors import ReasonCode
from numbering.jobs.models import Job
from numbering.jobs.node import Node
from numbering.jobs.record.rows import GeometryRow
from numbering.jobs.states import State
from numbering.jobs.store import reading
from numbering.pipelines import Card
from numbering.plane import Plane
from numbering.record.filed import FILED_IMAGES
from numbering.route import Assignment, Extent, accompany, one_of_a_study, unless_shown
from numbering.study import Series

GONE = (State.SUPERSEDED, State.FAILED, State.QUARANTINED)


def chosen(node: Node, assignment: Assignment) -> Assignment:
    """The assignment, refused where a better series of its study, which is numbered already, shows the same.

    A series that comes after a worse one is numbered beside it, and one that was numbered stays so.
    """
    card, series = assignment.card, assignment.series
    if card is None or not one_of_a_study(assignment):
        return assignment
    with reading(node.engine) as session:
        jobs = session.scalars(
            select(Job)
            .options(selectinload(Job.images))
            .where(Job.study_uid == series.study_instance_uid, Job.pipeline == card.name, Job.state.not_in(GONE))
            .order_by(Job.series_uid)
        ).all()
        if any(job.series_uid == series.series_instance_uid for job in jobs):
            return assignment
        extents = [extent for job in jobs if (extent := _extent(session, job))]
    return unless_shown(assignment, extents)


def with_companions(node: Node, assignment: Assignment) -> Assignment:
    """With the other series that the card asks for, as far as their files are still here."""
    card, series = assignment.card, assignment.series
    if card is None or not card.companions:
        return assignment
    with reading(node.engine) as session:
        jobs = session.scalars(
            select(Job).options(selectinload(Job.images)).where(*_companions(series, card)).order_by(Job.series_uid)
        ).all()
        paths = [node.path(image.path) for job in jobs for image in job.images]
    return accompany(assignment, read_series([path for path in paths if path.is_file()]))


def _companions(series: Series, card: Card) -> Sequence[ColumnElement[bool]]:
    """Parts of the study in these views that some pipeline takes, or that none is installed for."""
    no_pipeline = Job.reason_code == ReasonCode.NO_PIPELINE_INSTALLED.value
    return (
        Job.study_uid == series.study_instance_uid,
        Job.series_uid != series.series_instance_uid,
        Job.modality == series.modality,
        Job.view.in_([view.value for view in card.companions]),
        Job.state.not_in(GONE),
        or_(Job.pipeline.is_not(None), no_pipeline),
    )


def _extent(session: Session, job: Job) -> Extent | None:
    place = session.get(GeometryRow, (job.study_uid, job.series_uid))
    if place is None:
        return None
    mine = {image.sop_uid for image in job.images}
    images = FILED_IMAGES.validate_json(place.images)
    planes = [one for one in images if isinstance(one, Plane) and one.sop_instance_uid in mine]
    return Extent.of(job.series_uid, place.frame_of_reference_uid, planes) if planes else None
