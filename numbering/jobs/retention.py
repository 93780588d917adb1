"""Retention: removes files of work that is finished and delivered, after so many days or when the disk runs full.

A study's received objects go, with all their names and later versions, only when nothing is left to do about it: every
series complete, no job waiting, running, held, failed or quarantined, and every object of ours where it shall be. No
row goes: a study that is sent again is known, kept anew, and no new work.

The row is marked first, then the file removed, then the row closed; what a crash left in between is made good.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, not_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from numbering.audit import trail
from numbering.dicom.incoming.announced import Announcements
from numbering.dicom.same import content_digest
from numbering.jobs.deliveries import unfinished
from numbering.jobs.disk import Disk, disk_of, marks
from numbering.jobs.models import AnnouncedInstance, Delivery, InstanceRow, Job, ObjectRow, PriorRow, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.states import ARRIVED, UNFINISHED, PriorState, Removal, State
from numbering.jobs.store import reading, writing
from numbering.logs import logger

LOOK_SECONDS = 60.0
"""How often the days are looked at; the disk is looked at each time."""
BATCH = 200
"""Files removed at one go, so that arrivals wait for no more than that."""
ANNOUNCED_SECONDS = 7 * 86400.0
"""So long what was announced, and never came, is remembered."""
ARRIVED_SECONDS = 90 * 86400.0
"""So long what was announced of a series that came and is complete is remembered; a later image waits for no other."""

log = logger(__name__)


class Retention:
    """The clean-up of one node, to be called often: each call removes little."""

    def __init__(self, node: Node, disk: Callable[[Path], Disk] = disk_of) -> None:
        self._node = node
        self._disk = disk
        self._looked: float | None = None
        self._emergency = self._told = False

    def clean(self) -> int:
        """Remove what is due, at most `BATCH` files of each kind; returns how many files that was."""
        removed = self._in_an_emergency()
        if self._looked is None or time.monotonic() - self._looked >= LOOK_SECONDS:
            by_age = self._by_age()
            if not by_age:  # else there may be more at once
                self._looked = time.monotonic()
            removed += by_age
        return removed

    def _by_age(self) -> int:
        settings = self._node.settings
        removed = finish(self._node)
        if settings.keep_received_days:
            before = now() - timedelta(days=settings.keep_received_days)
            removed += remove_oldest_study(self._node, before=before, conflicts_too=True)
        if settings.keep_objects_days:
            removed += _remove_objects(self._node, now() - timedelta(days=settings.keep_objects_days))
        if settings.keep_audit_days:
            trail(settings).forget(settings.keep_audit_days)
        if not removed:
            _forget_announcements(self._node)
        return removed

    def _in_an_emergency(self) -> int:
        disk = self._disk(self._node.spool.root)
        mark = marks(self._node.settings, disk)
        self._emergency = disk.free < (mark.enough if self._emergency else mark.begin)
        if not self._emergency:
            self._told = False
            return 0
        removed = remove_oldest_study(self._node, before=now() + timedelta(days=1), conflicts_too=False)
        if not removed and not self._told:
            log.error(
                "the disk runs full, and nothing is left that may be removed: give it room, or finish what waits",
                free_bytes=disk.free,
                expected_bytes=mark.enough,
            )
        self._told = not removed
        return removed


def finish(node: Node) -> int:
    """Remove files that were marked before a crash; returns how many rows were closed."""
    with reading(node.engine) as session:
        marked = select(InstanceRow).where(InstanceRow.removal == Removal.MARKED).limit(BATCH)
        instances = [(row.sop_uid, row.digest, node.path(row.path)) for row in session.scalars(marked)]
        marked_objects = select(ObjectRow).where(ObjectRow.removal == Removal.MARKED).limit(BATCH)
        objects = [(row.sop_uid, node.path(row.path)) for row in session.scalars(marked_objects)]
    if not instances and not objects:
        return 0
    freed = sum(_remove_received(node, path) for _, _, path in instances)
    for _, path in objects:
        freed += path.stat().st_size if path.exists() else 0
        path.unlink(missing_ok=True)
    with writing(node.engine) as session:
        for sop_uid, digest, _ in instances:
            session.get_one(InstanceRow, (sop_uid, digest)).removal = Removal.DONE.value
        for sop_uid, _ in objects:
            session.get_one(ObjectRow, sop_uid).removal = Removal.DONE.value
    log.info("files removed", received=len(instances), objects=len(objects), freed_bytes=freed)
    return len(instances) + len(objects)


def _remove_received(node: Node, path: Path) -> int:
    with suppress(ValueError):  # not in this spool: not ours to remove
        return node.spool.remove(path)
    return 0


def remove_oldest_study(node: Node, *, before: datetime, conflicts_too: bool) -> int:
    """Remove received files of the finished study that was quiet for longest, since before this; returns how many."""
    with reading(node.engine) as session:
        study_uid = session.scalar(_oldest(before, conflicts_too))
        if study_uid is None:
            return 0
        here = select(InstanceRow).where(InstanceRow.study_uid == study_uid, InstanceRow.removal.is_(None))
        rows = session.scalars(here.order_by(InstanceRow.series_uid, InstanceRow.sop_uid).limit(BATCH)).all()
        contents = {(row.sop_uid, row.digest): _content(node.path(row.path)) for row in rows}
    with writing(node.engine) as session:
        # Whoever adds to a study changes one of its series; only this process does, and not now.
        if session.scalar(_oldest(before, conflicts_too, study_uid)) is None:
            return 0
        for key, content in contents.items():
            row = session.get_one(InstanceRow, key)
            row.removal, row.content_digest = Removal.MARKED.value, content
    log.info("received objects are removed", study_instance_uid=study_uid, objects=len(contents))
    return finish(node)


def _content(path: Path) -> str | None:
    """None for a file that is gone or cannot be read: it may stop no other."""
    try:
        return content_digest(path)
    except OSError:
        return None


def _oldest(before: datetime, conflicts_too: bool, study_uid: str | None = None) -> Select[str]:
    """The study of which something came last, among those with files that are finished since ``before``."""
    row = aliased(InstanceRow)
    finished = (
        select(row.study_uid)
        .where(row.removal.is_(None), *([row.study_uid == study_uid] if study_uid else []))
        .where(not_(_blocked(row.study_uid, before, conflicts_too)))
        .group_by(row.study_uid)
        .having(func.max(row.arrived_at) <= before)
    )
    return finished.order_by(func.max(row.arrived_at)).limit(1)


def _blocked(study_uid: InstrumentedAttribute[str], before: datetime, conflicts_too: bool) -> ColumnElement[bool]:
    """Whether something is still to be done about a study, or was done after ``before``."""
    waits = Job.state.in_([*UNFINISHED, State.HELD, State.FAILED])
    quarantined = Job.state == State.QUARANTINED
    if conflicts_too:  # of those the first is numbered and delivered; nobody works on the second
        themselves = [Job.part.startswith("conflict/"), Job.part.startswith("refused/")]
        quarantined = and_(quarantined, not_(or_(*themselves)))
    return or_(
        exists().where(SeriesRow.study_uid == study_uid, SeriesRow.state != State.COMPLETE),
        exists().where(Job.study_uid == study_uid, or_(waits, quarantined, Job.changed_at > before)),
        exists().where(Job.study_uid == study_uid, Delivery.job_id == Job.id, unfinished()),
        # Whose priors are looked for is read from an image of the study that asks.
        exists().where(PriorRow.asked_by == study_uid, PriorRow.state.in_([PriorState.QUEUED, PriorState.RUNNING])),
    )


def _remove_objects(node: Node, before: datetime) -> int:
    """Remove objects that we wrote and that are where they shall be since before this."""
    ended = [State.DELIVERED, State.COMMITTED, State.SUPERSEDED]
    delivered = exists().where(Delivery.object_uid == ObjectRow.sop_uid, Delivery.state.in_(ARRIVED))
    undelivered = exists().where(
        Delivery.object_uid == ObjectRow.sop_uid, or_(unfinished(), Delivery.changed_at > before)
    )
    due = (
        select(ObjectRow)
        .join(Job, Job.id == ObjectRow.job_id)
        .where(ObjectRow.removal.is_(None), ObjectRow.created_at <= before, Job.state.in_(ended))
        .where(delivered, not_(undelivered))
    )
    with writing(node.engine) as session:
        rows = session.scalars(due.order_by(ObjectRow.created_at).limit(BATCH)).all()
        for row in rows:
            row.removal = Removal.MARKED.value
    return finish(node) if rows else 0


def _forget_announcements(node: Node) -> None:
    """Forget announcements of series of which nothing ever came, or which are long complete, and steps of long ago."""
    Announcements(node.spool.root).forget_old(ANNOUNCED_SECONDS)
    came = exists().where(
        SeriesRow.study_uid == AnnouncedInstance.study_uid, SeriesRow.series_uid == AnnouncedInstance.series_uid
    )
    complete = came.where(SeriesRow.state == State.COMPLETE)
    never = and_(_announced_before(ANNOUNCED_SECONDS), not_(came))
    long_ago = and_(_announced_before(ARRIVED_SECONDS), complete)
    with writing(node.engine) as session:
        due = delete(AnnouncedInstance).where(or_(never, long_ago))
        session.execute(due.execution_options(synchronize_session=False))


def _announced_before(seconds: float) -> ColumnElement[bool]:
    return AnnouncedInstance.announced_at < now() - timedelta(seconds=seconds)
