"""The rule tester: what of a study, a film or an object of ours would go to which destination, without sending it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from numbering.dicom.read import read_series
from numbering.jobs.models import Job, ObjectRow
from numbering.jobs.states import State
from numbering.jobs.store import reading
from numbering.result import Status
from numbering.route import route
from numbering.settings import Settings
from numbering.settings.delivering import HEAT_MAP
from numbering.uids import InvalidUID, checked_uid

WRITTEN_KINDS = {"CT": ("SR", "PR", "SEG", "KO"), "MR": ("SR", "PR", "KO", HEAT_MAP)}
"""What is written of a result (`numbering.dicom.objects.encode`), by modality; of films besides segmentations where
they are wanted."""
OF_FILMS = ("SR", "PR")
WRITTEN_STATUSES = (Status.NUMBERED.value, Status.ABSTAINED.value)


@dataclass(frozen=True, kw_only=True)
class Going:
    """One object, there already or to be expected, and the names of the destinations that want it."""

    what: str
    kind: str
    status: str
    pipeline: str
    destinations: tuple[str, ...]


def going(settings: Settings, engine: Engine, target: str) -> list[Going]:
    """What would go where of a DICOM file, a study, or an object of ours by its UID.

    ``LookupError`` says what was not found; a film that is not numbered gives nothing.
    """
    path = Path(target)
    if path.is_file():
        return _of_file(settings, engine, path)
    try:
        uid = checked_uid(target, "the study")
    except InvalidUID:
        raise LookupError(f"{target}: no such file, and no UID of a study") from None
    found = _written(settings, engine, uid)
    if not found:
        raise LookupError(f"{uid}: no object of ours is known by this study, or under this UID")
    return found


def _of_file(settings: Settings, engine: Engine, path: Path) -> list[Going]:
    """An object of ours by what is known of it; a film by what its results would be."""
    (series,) = read_series([path])
    (image,) = series.images
    if image.made_by_us:
        known = _written(settings, engine, image.sop_instance_uid)
        return known or [
            _going(settings, image.sop_instance_uid, series.modality, status, pipeline)
            for status in WRITTEN_STATUSES
            for pipeline in _pipelines()
        ]
    cards = [assignment.card for assignment in route(series) if assignment.card is not None]
    return [
        _going(settings, f"a result of {path.name}", kind, status, card.name)
        for card in cards
        for status in WRITTEN_STATUSES
        for kind in _kinds(settings, series.modality)
    ]


def _kinds(settings: Settings, modality: str) -> tuple[str, ...]:
    kinds = WRITTEN_KINDS.get(modality)
    return kinds or (*OF_FILMS, *(("SEG",) if settings.segmentations else ()))


def _pipelines() -> Iterable[str]:
    from numbering.pipelines import CARDS

    return [card.name for card in CARDS]


def _written(settings: Settings, engine: Engine, uid: str) -> list[Going]:
    with reading(engine) as session:
        rows = session.execute(
            select(ObjectRow, Job)
            .join(Job, Job.id == ObjectRow.job_id)
            .where((Job.study_uid == uid) | (ObjectRow.sop_uid == uid), Job.state != State.SUPERSEDED)
            .order_by(Job.created_at, ObjectRow.position)
        ).all()
        return [_going(settings, row.sop_uid, row.kind, job.status or "", job.pipeline or "") for row, job in rows]


def _going(settings: Settings, what: str, kind: str, status: str, pipeline: str) -> Going:
    names = tuple(each.name for each in settings.every_destination if each.wants(kind, status, pipeline))
    return Going(what=what, kind=kind, status=status, pipeline=pipeline, destinations=names)
