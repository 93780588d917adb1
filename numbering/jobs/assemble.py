"""Assemble: notes what arrived and what was announced, and opens the series that it belongs to. One process does this.

When a series is complete is decided in `numbering.jobs.completion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from numbering.dicom.corrected import REPORTS, CorrectedReport, corrected_report
from numbering.dicom.incoming.announced import Announcement, Announcements
from numbering.dicom.incoming.spool import Arrival, Kind
from numbering.dicom.read import read_header
from numbering.dicom.same import content_digest
from numbering.errors import NumberingError, Reason, ReasonCode
from numbering.jobs.models import AnnouncedInstance, InstanceRow, Job, ObjectRow, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.parts import INCOMPLETE_PART, OBJECT_PARTS, object_part
from numbering.jobs.priors import note_arrivals
from numbering.jobs.record.identities import file_study
from numbering.jobs.record.reports import take_report
from numbering.jobs.states import Removal, State
from numbering.jobs.store import writing
from numbering.jobs.tally import count
from numbering.logs import logger, place_of
from numbering.result import Status
from numbering.study import Image

BATCH = 64
"""Arrivals noted in one transaction."""

log = logger(__name__)


def take_arrivals(node: Node) -> int:
    """Note every arrival in the database, then let the spool forget it; returns how many there were."""
    arrivals = node.spool.arrivals()
    for first in range(0, len(arrivals), BATCH):
        batch = arrivals[first : first + BATCH]
        _take(node, batch)
        for arrival in batch:
            node.spool.done(arrival)
    return len(arrivals)


def take_announcements(node: Node) -> int:
    """Note what modalities and archives announced; returns how many announcements there were."""
    announcements = Announcements(node.spool.root)
    waiting = announcements.waiting()
    for marker, announcement in waiting:
        with writing(node.engine) as session:
            for series_uid, sop_uids in announcement.instances.items():
                _announce(session, announcement, series_uid, sop_uids)
        announcements.done(marker)
    return len(waiting)


@dataclass(frozen=True)
class _Header:
    """What an arrival's header said, or why it could not be read."""

    kind: str
    image: Image | None = None
    reason: Reason | None = None
    report: CorrectedReport | None = None


def _take(node: Node, arrivals: Iterable[Arrival]) -> None:
    read = [(arrival, path, _read(path, arrival)) for arrival in arrivals for path in [node.spool.path(arrival)]]
    for arrival, path, header in read:
        if header.kind == "update":  # perhaps of the patient's identity
            file_study(node, arrival.study_instance_uid, path)
    with writing(node.engine) as session:
        opened = [_note(node, session, *each) for each in read]
        note_arrivals(node, session, [arrival for arrival, _, _ in read])
        for series in {id(series): series for series in opened if series}.values():
            count(session, series)
    for arrival, _, header in read:
        say = log.warning if header.kind in OBJECT_PARTS else log.info
        say(
            "arrived",
            kind=header.kind,
            sop_instance_uid=arrival.sop_instance_uid,
            series_instance_uid=arrival.series_instance_uid,
            study_instance_uid=arrival.study_instance_uid,
            reason=header.reason.text if header.reason else None,
        )


def _read(path: Path, arrival: Arrival) -> _Header:
    if arrival.kind is Kind.UPDATE:
        return _Header(kind="update")
    if arrival.kind is Kind.CONFLICT:
        return _Header(kind="conflict", reason=_conflict(arrival))
    try:
        _, _, image = read_header(path)
    except NumberingError as error:
        return _Header(kind="unreadable", reason=error.reason)
    except Exception as error:  # noqa: BLE001 - no object may stop the others; its row says where it failed
        text = f"object {arrival.sop_instance_uid}: its header cannot be read ({place_of(error)}); send it again"
        return _Header(kind="unreadable", reason=Reason(ReasonCode.UNREADABLE_HEADER, text))
    report = corrected_report(path) if image.sop_class_uid in REPORTS else None
    return _Header(kind="own" if image.made_by_us else "image", image=image, report=report)


def _conflict(arrival: Arrival) -> Reason:
    return Reason(
        ReasonCode.CONFLICTING_OBJECT,
        f"object {arrival.sop_instance_uid}: came again with another picture or other header values than the one that "
        "is kept; expected the same object under the same UID. The first stays as it is, and what is said of it still "
        "holds; this one is quarantined and not numbered. If it is a correction (a view that was filled in, say), send "
        "it under a SOP Instance UID of its own.",
    )


def _note(node: Node, session: Session, arrival: Arrival, path: Path, header: _Header) -> SeriesRow | None:
    """Make the arrival's row; the series of which it changes the count."""
    if header.kind == "image" and session.get(ObjectRow, arrival.sop_instance_uid) is not None:
        header = replace(header, kind="own")  # on its way somebody wrote another manufacturer into it
    known = session.get(InstanceRow, (arrival.sop_instance_uid, arrival.digest)) or _known_again(session, arrival, path)
    if known is not None and known.removal and _dropped(node, known.kind):
        known.removal = Removal.MARKED.value
        return None
    if known is not None:
        return _back(node, session, known, path) if known.removal else None  # else the same bytes again: nothing is new
    if header.report is not None and session.get(ObjectRow, arrival.sop_instance_uid) is None:
        header = _as_correction(node, session, arrival, header, header.report)
    session.add(_row(node, arrival, path, header))
    if header.kind in OBJECT_PARTS:
        session.add(_quarantined(arrival, header))
    if header.kind == "image":
        return _open(session, arrival)
    return session.get(SeriesRow, (arrival.study_instance_uid, arrival.series_instance_uid))


def _as_correction(node: Node, session: Session, arrival: Arrival, header: _Header, report: CorrectedReport) -> _Header:
    """A report of ours that a reader edited: what it says is filed, or it is refused for a reason."""
    trust = node.settings.trust_verified_reports
    study, sop = arrival.study_instance_uid, arrival.sop_instance_uid
    try:
        with session.begin_nested():
            taken = take_report(session, report, sop_uid=sop, study_uid=study, trust_verified=trust)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - no report may stop other arrivals; its row says where it failed
        text = f"report {sop}: it cannot be taken over ({place_of(error)}): a fault of this software, please report it"
        return replace(header, kind="refused", reason=Reason(ReasonCode.INTERNAL_ERROR, text))
    if taken is None:
        return header
    log.info("a corrected report", sop_instance_uid=sop, study_instance_uid=study, corrections=len(taken.corrections))
    return replace(header, kind="refused" if taken.refused else "correction", reason=taken.refused)


def _row(node: Node, arrival: Arrival, path: Path, header: _Header) -> InstanceRow:
    image = header.image
    return InstanceRow(
        sop_uid=arrival.sop_instance_uid,
        digest=arrival.digest,
        series_uid=arrival.series_instance_uid,
        study_uid=arrival.study_instance_uid,
        sop_class=image.sop_class_uid[:64] if image else "",
        path=node.stored(path),
        kind=header.kind,
        series_related_instances=image.series_related_instances if image else None,
        acquisition_number=image.acquisition_number if image else None,
        images_in_acquisition=image.images_in_acquisition if image and image.frames == 1 else None,
        removal=Removal.MARKED.value if _dropped(node, header.kind) else None,
        content_digest=content_digest(path) if _dropped(node, header.kind) else None,
    )


def _dropped(node: Node, kind: str) -> bool:
    """Whether the file of such an object is removed as soon as note was taken of it."""
    return kind == "own" and node.settings.own_results == "drop"


def _known_again(session: Session, arrival: Arrival, path: Path) -> InstanceRow | None:
    """The row of the same object, sent by somebody else after retention had removed it."""
    removed = InstanceRow.sop_uid == arrival.sop_instance_uid, InstanceRow.content_digest.is_not(None)
    rows = session.scalars(select(InstanceRow).where(*removed, InstanceRow.removal.is_not(None))).all()
    if arrival.kind is not Kind.STORED or not rows or not path.is_file():
        return None
    content = content_digest(path)
    for row in rows:
        if row.content_digest == content:
            row.digest = arrival.digest
            return row
    log.warning("came again with other content than what retention removed", sop_instance_uid=arrival.sop_instance_uid)
    return None


def _back(node: Node, session: Session, row: InstanceRow, path: Path) -> SeriesRow | None:
    """An object that retention had removed is here again: it is kept anew, and is no new work by itself."""
    if not path.is_file():
        return None  # removed after the receiver had found it there
    row.removal, row.arrived_at = None, now()
    row.path = node.stored(path)  # what conflicted may be the first under its UID this time
    series = session.get(SeriesRow, (row.study_uid, row.series_uid), with_for_update=True)
    if series is not None and (series.state == State.HELD or _given_up(session, series)):
        _reopen(series, "what was removed comes again")
    return series


def _given_up(session: Session, series: SeriesRow) -> bool:
    """Whether the series was listed as incomplete."""
    given_up = select(Job.id).where(
        Job.study_uid == series.study_uid,
        Job.series_uid == series.series_uid,
        Job.part == INCOMPLETE_PART,
        Job.state != State.SUPERSEDED,
    )
    return session.scalar(given_up.limit(1)) is not None


def _open(session: Session, arrival: Arrival) -> SeriesRow:
    study_uid, series_uid = arrival.study_instance_uid, arrival.series_instance_uid
    series = session.get(SeriesRow, (study_uid, series_uid), with_for_update=True)
    if series is None:
        series = SeriesRow(study_uid=study_uid, series_uid=series_uid)
        session.add(series)
        session.flush()
    else:
        _reopen(series, "a late instance re-opens its series")
    return series


def _reopen(series: SeriesRow, why: str) -> None:
    series.last_arrival = now()
    if series.state == State.COMPLETE:
        log.info(why, series_instance_uid=series.series_uid)
    if series.state != State.RECEIVED:
        series.move(State.RECEIVED)


def _quarantined(arrival: Arrival, header: _Header) -> Job:
    """The visible row of an object whose header cannot be read, which conflicts with one that is kept, or of a
    correction that is refused.
    """
    assert header.reason is not None
    return Job(
        study_uid=arrival.study_instance_uid,
        series_uid=arrival.series_instance_uid,
        part=object_part(header.kind, arrival.sop_instance_uid, arrival.digest),
        modality="",
        state=State.QUARANTINED.value,
        status=Status.UNSUITABLE.value,
        reason_code=header.reason.code.value,
        reason_text=header.reason.text,
        input_digest=arrival.digest,
    )


def _announce(session: Session, announcement: Announcement, series_uid: str, sop_uids: Sequence[str]) -> None:
    """Put this announcement in the place of its announcer's last; news re-opens a series of which something came."""
    this_series = AnnouncedInstance.study_uid == announcement.study, AnnouncedInstance.series_uid == series_uid
    before = set(session.scalars(select(AnnouncedInstance.sop_uid).where(*this_series)))
    session.execute(delete(AnnouncedInstance).where(*this_series, AnnouncedInstance.by_uid == announcement.by))
    left = set(session.scalars(select(AnnouncedInstance.sop_uid).where(*this_series)))
    session.add_all(
        AnnouncedInstance(
            study_uid=announcement.study,
            series_uid=series_uid,
            sop_uid=sop_uid,
            source=announcement.source,
            by_uid=announcement.by,
        )
        for sop_uid in dict.fromkeys(sop_uids)
        if sop_uid not in left
    )
    session.flush()
    series = session.get(SeriesRow, (announcement.study, series_uid), with_for_update=True)
    if series is not None and before != left.union(sop_uids) and count(session, series).found:
        _reopen(series, "an announcement re-opens a series")
