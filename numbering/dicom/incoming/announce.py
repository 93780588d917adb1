"""SCP of announcements: Modality Performed Procedure Step (PS3.4 Annex F) and Instance Availability (PS3.4 Annex R).

Both say which instances of a series exist, so that a series is known to be complete, or to lack something. What they
say is left in the spool; nothing here reads a database. Of an MPPS no more is kept than UIDs and its status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import cast

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import evt
from pynetdicom.dimse_primitives import N_CREATE, N_SET
from pynetdicom.events import Event, EventHandlerType

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.incoming.announced import Announcement, Announcements, Instances, Step
from numbering.dicom.incoming.limits import Watermark
from numbering.dicom.incoming.spool import Spool
from numbering.uids import InvalidUID, checked_uid

log = structlog.get_logger()

MPPS = "1.2.840.10008.3.1.2.3.3"
INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"
IN_PROGRESS = "IN PROGRESS"
ENDED = ("COMPLETED", "DISCONTINUED")
"""A discontinued step lists what it made before that; nothing more will come of it either."""

# PS3.7 Annex C; the error ID is PS3.4 table F.7.2-3's
SUCCESS = 0x0000
INVALID_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
MISSING_ATTRIBUTE = 0x0120
RESOURCE_LIMITATION = 0x0213
MAY_NO_LONGER_BE_UPDATED = 0xA710

LARGEST_BYTES = 32 * 2**20
"""Of one announcement: hundreds of thousands of instances."""

Answer = tuple[Dataset, Dataset | None]


class _RefusedError(Exception):
    def __init__(self, status: int, comment: str, error_id: int | None = None) -> None:
        super().__init__(comment)
        self.status, self.comment, self.error_id = status, comment[:64], error_id


def announcement_contexts() -> list[tuple[str, list[str]]]:
    """The SOP classes to accept, each with its transfer syntaxes; no deflated one, which may grow without bound."""
    return [
        (sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]) for sop_class in (MPPS, INSTANCE_AVAILABILITY)
    ]


def announcement_handlers(spool: Spool, watermark: Watermark) -> list[EventHandlerType]:
    """What answers N-CREATE and N-SET; announcements are left beside what the spool keeps, while there is room."""
    given = [Announcements(spool.root), watermark]
    return [(evt.EVT_N_CREATE, _create, given), (evt.EVT_N_SET, _set, given)]


def _create(event: Event, announcements: Announcements, watermark: Watermark) -> Answer:
    request = cast(N_CREATE, event.request)
    given = request.AffectedSOPInstanceUID
    uid = str(given) if given else str(generate_uid(prefix=None))

    def create() -> None:
        checked = _checked(uid, "Affected SOP Instance UID")
        _demand_room(watermark)
        ds = _dataset(event, request.AttributeList)
        if request.AffectedSOPClassUID == INSTANCE_AVAILABILITY:
            _tell(announcements, (_uid(ds, "StudyInstanceUID"),), _available(ds), "ian", checked)
        else:
            _begin(announcements, checked, ds)

    status = _answered(create, uid)
    if given or status.Status != SUCCESS:
        return status, None
    named = Dataset()
    named.AffectedSOPInstanceUID = UID(uid)
    return status, named


def _set(event: Event, announcements: Announcements, watermark: Watermark) -> Answer:
    request = cast(N_SET, event.request)
    uid = str(request.RequestedSOPInstanceUID)

    def change() -> None:
        checked = _checked(uid, "Requested SOP Instance UID")
        _demand_room(watermark)
        _change(announcements, checked, _dataset(event, request.ModificationList))

    return _answered(change, uid), None


def _answered(work: Callable[[], None], uid: str) -> Dataset:
    status = Dataset()
    status.Status = SUCCESS
    try:
        work()
    except _RefusedError as refusal:
        status.Status, status.ErrorComment = refusal.status, refusal.comment
        if refusal.error_id is not None:
            status.ErrorID = refusal.error_id
        shown = uid if not isinstance(refusal.__cause__, InvalidUID) else ""
        log.warning("announcement refused", by=shown, status=f"{refusal.status:04X}", reason=refusal.comment)
    except OSError as error:
        status.Status, status.ErrorComment = RESOURCE_LIMITATION, "Cannot be kept: the node's disk failed or is full"
        log.error("announcement not kept", by=uid, error=type(error).__name__, errno=error.errno)
    return status


def _demand_room(watermark: Watermark) -> None:
    if watermark.reached():
        raise _RefusedError(RESOURCE_LIMITATION, "The node's disk is nearly full: send again later")


def _begin(announcements: Announcements, uid: str, ds: Dataset) -> None:
    if _status(ds) != IN_PROGRESS:
        raise _RefusedError(INVALID_VALUE, "Performed Procedure Step Status: expected IN PROGRESS")
    scheduled = _items(ds, "ScheduledStepAttributesSequence")
    studies = list(dict.fromkeys(_uid(item, "StudyInstanceUID") for item in scheduled))
    if not studies:
        raise _RefusedError(MISSING_ATTRIBUTE, "Scheduled Step Attributes Sequence is missing")
    step = Step(studies=studies, status=IN_PROGRESS, instances=_performed(ds))
    if not announcements.begin_step(uid, step):
        raise _RefusedError(DUPLICATE_INSTANCE, "This performed procedure step exists already")


def _change(announcements: Announcements, uid: str, ds: Dataset) -> None:
    step = announcements.step(uid)
    if step is None:
        raise _RefusedError(NO_SUCH_INSTANCE, "This performed procedure step is not known")
    if step.status in ENDED:
        comment = "The performed procedure step has ended"
        raise _RefusedError(PROCESSING_FAILURE, comment, MAY_NO_LONGER_BE_UPDATED)
    status = _status(ds) or step.status
    if status not in (IN_PROGRESS, *ENDED):
        raise _RefusedError(INVALID_VALUE, "Performed Procedure Step Status is none of PS3.3 C.4.14")
    instances = _performed(ds) if "PerformedSeriesSequence" in ds else step.instances
    if status in ENDED:  # first, so that a crash in between lets the sender end the step again
        _tell(announcements, step.studies, instances, "mpps", uid)
    announcements.change_step(uid, Step(studies=step.studies, status=status, instances=instances))


def _tell(announcements: Announcements, studies: Iterable[str], instances: Instances, source: str, by: str) -> None:
    # A step may serve several requests; its series then belong to one of their studies, and the others have none such.
    for study in studies:
        announcements.leave(Announcement(study=study, instances=instances, source=source, by=by))
        log.info("instances announced", study_instance_uid=study, source=source, by=by)


def _performed(ds: Dataset) -> Instances:
    """PS3.3 C.4.15: the images and other objects of each performed series."""
    sequences = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
    return _instances(_items(ds, "PerformedSeriesSequence"), sequences)


def _available(ds: Dataset) -> Instances:
    """PS3.4 table R.3.2-1."""
    series = _items(ds, "ReferencedSeriesSequence")
    if not series:
        raise _RefusedError(MISSING_ATTRIBUTE, "Referenced Series Sequence is missing")
    return _instances(series, ("ReferencedSOPSequence",))


def _instances(series: Iterable[Dataset], sequences: Iterable[str]) -> Instances:
    found: dict[str, dict[str, None]] = {}
    for item in series:
        known = found.setdefault(_uid(item, "SeriesInstanceUID"), {})
        for keyword in sequences:
            known.update(dict.fromkeys(_uid(each, "ReferencedSOPInstanceUID") for each in _items(item, keyword)))
    return {series_uid: list(uids) for series_uid, uids in found.items()}


def _dataset(event: Event, encoded: BytesIO | None) -> Dataset:
    size = len(encoded.getvalue()) if encoded is not None else 0
    if not size:
        raise _RefusedError(MISSING_ATTRIBUTE, "There is no data set")
    if size > LARGEST_BYTES:
        raise _RefusedError(RESOURCE_LIMITATION, "The data set is too large")
    try:
        ds = event.modification_list if isinstance(event.request, N_SET) else event.attribute_list
        for _ in ds.iterall():  # reads every element, so that a broken one shows here
            pass
    except BROKEN_DICOM:
        raise _RefusedError(PROCESSING_FAILURE, "Data set cannot be parsed in its transfer syntax") from None
    return ds


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    value = ds.get(keyword)
    return [item for item in value if isinstance(item, Dataset)] if value else []


def _status(ds: Dataset) -> str:
    return str(ds.get("PerformedProcedureStepStatus") or "").strip()


def _uid(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    if not value:
        raise _RefusedError(MISSING_ATTRIBUTE, f"{keyword} is missing")
    return _checked(value, keyword)


def _checked(value: object, what: str) -> str:
    try:
        return checked_uid(value, what)
    except InvalidUID as error:
        raise _RefusedError(INVALID_VALUE, f"{what} is invalid (PS3.5 9.1)") from error
