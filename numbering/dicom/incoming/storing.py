"""What becomes of the objects of one association: each is written to the spool piece by piece as it comes (PS3.4 B).

Nothing here waits for more than the disk, reads a database or decodes pixels; whatever the size of an object, no more
of it is in memory than one PDU.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from numbering import metrics
from numbering.dicom.incoming.accept import (
    OTHER_PICTURE,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    STORAGE_CLASSES,
    SUCCESS,
    Identified,
    RefusedError,
    checked,
    identified_by,
)
from numbering.dicom.incoming.command import StoreRequest
from numbering.dicom.incoming.limits import Watermark
from numbering.dicom.incoming.spool import Draft, Kept, Spool
from numbering.dicom.part10 import preface
from numbering.logs import logger

log = logger(__name__)

WAY = "c-store"
MOST_STUDIES = 1000
"""An association that sends more studies than this reports them in between."""

Report = Callable[[str, Counter[str], bool], None]
"""Told at the end of an association of each study: its UID, how many of each SOP class, whether they were kept."""


@dataclass
class _Object:
    """An object that is on its way in, or the reason why it is read and thrown away."""

    request: StoreRequest
    transfer_syntax: str
    draft: Draft | None = None
    preface_bytes: int = 0
    received: int = 0
    refusal: RefusedError | None = None

    def give_up(self, refusal: RefusedError) -> None:
        """Keep nothing of it; the rest of it is read, so that the sender can be told."""
        self.refusal = refusal
        self.close()

    def close(self) -> None:
        """Let go of what was written."""
        if self.draft is not None:
            self.draft.close()
        self.draft = None


class Storing:
    """The objects of one association, one after the other: `begin`, `write` as often as needed, `finish`."""

    def __init__(self, spool: Spool, watermark: Watermark, maximum_bytes: int, report: Report) -> None:
        self._spool = spool
        self._watermark = watermark
        self._maximum_bytes = maximum_bytes
        self._report = report
        self._object: _Object | None = None
        self._kept: dict[str, Counter[str]] = defaultdict(Counter)

    @property
    def busy(self) -> bool:
        """Whether an object is on its way in."""
        return self._object is not None

    def begin(self, request: StoreRequest, transfer_syntax: str, calling_ae_title: str) -> None:
        """An object comes; whether it is taken is said by `finish`."""
        one = self._object = _Object(request, transfer_syntax)
        try:
            checked(request.sop_instance, "Affected SOP Instance UID")
            checked(request.sop_class, "Affected SOP Class UID")
            if request.sop_class not in STORAGE_CLASSES:  # the context that it comes in may be of another
                raise RefusedError(SOP_CLASS_NOT_SUPPORTED, "SOP Class is not supported")
            if self._watermark.reached():
                raise RefusedError(OUT_OF_RESOURCES, "The node's disk is nearly full: send again later")
            one.draft = self._spool.draft()
            first = preface(request.sop_class, request.sop_instance, transfer_syntax, calling_ae_title)
            one.draft.write(first)
            one.preface_bytes = len(first)
        except RefusedError as refusal:
            one.give_up(refusal)
        except OSError as error:
            one.give_up(_disk_failed(request, error))

    def write(self, data: memoryview) -> bool:
        """A piece of its data set. False when the sender goes on and on with what is too large: abort it."""
        one = self._object
        assert one is not None
        one.received += len(data)
        if one.received > self._maximum_bytes and one.refusal is None:
            one.give_up(RefusedError(OUT_OF_RESOURCES, "The object is larger than this node takes"))
        if one.draft is not None:
            try:
                one.draft.write(data)
            except OSError as error:
                one.give_up(_disk_failed(one.request, error))
        return one.received <= 2 * self._maximum_bytes

    def finish(self) -> tuple[int, str]:
        """Status and comment for the sender. Success only once the object is durable: the sender may delete its own."""
        one = self._object
        assert one is not None
        try:
            return self._finished(one)
        except RefusedError as refusal:
            return self._refused(one, refusal)
        except OSError as error:
            return self._refused(one, _disk_failed(one.request, error))
        finally:
            self._object = None
            one.close()

    def _finished(self, one: _Object) -> tuple[int, str]:
        if one.refusal is not None or one.draft is None:
            raise one.refusal or RefusedError(OUT_OF_RESOURCES, "Cannot be kept")
        found = _identified(one, one.draft)
        kept = self._spool.keep_draft(found.study, found.series, found.sop_instance, one.draft)
        self._kept[found.study][found.sop_class] += 1
        metrics.OBJECTS_RECEIVED.labels(WAY, kept.value).inc()
        metrics.BYTES_RECEIVED.labels(WAY).inc(one.draft.size)
        say = log.debug if kept is Kept.STORED else log.info  # the assembler tells of each one that is new
        say("object received", sop_instance_uid=found.sop_instance, kept=kept.value)
        if len(self._kept) > MOST_STUDIES:
            self._tell(success=True)
        if kept is Kept.CONFLICT:
            return OTHER_PICTURE, "Known SOP Instance UID with other content: quarantined"
        return SUCCESS, ""

    def _refused(self, one: _Object, refusal: RefusedError) -> tuple[int, str]:
        metrics.OBJECTS_REFUSED.labels(WAY, f"{refusal.status:04X}").inc()
        log.warning(
            "object refused",
            sop_instance_uid=_shown(one.request),
            status=f"{refusal.status:04X}",
            reason=refusal.comment,
        )
        return refusal.status, refusal.comment

    def end(self) -> None:
        """The association is over, however it ended: what was kept is reported, what was on its way is dropped."""
        if self._object is not None:
            self._object.close()
            log.warning("object not finished by its sender", sop_instance_uid=_shown(self._object.request))
        self._object = None
        self._tell(success=True)

    def _tell(self, *, success: bool) -> None:
        for study, classes in self._kept.items():
            log.info("objects received", study_instance_uid=study, objects=classes.total())
            self._report(study, classes, success)
        self._kept.clear()


def _identified(one: _Object, draft: Draft) -> Identified:
    """What the object calls itself; read from the file, of which the head is still in the kernel's memory."""
    return identified_by(
        lambda size: draft.read(size, one.preface_bytes),
        one.received,
        one.transfer_syntax,
        sop_class=one.request.sop_class,
        sop_instance=one.request.sop_instance,
    )


def _disk_failed(request: StoreRequest, error: OSError) -> RefusedError:
    log.error("object not kept", sop_instance_uid=_shown(request), error=type(error).__name__, errno=error.errno)
    return RefusedError(OUT_OF_RESOURCES, "Cannot be kept: the node's disk failed or is full")


def _shown(request: StoreRequest) -> str:
    """The SOP Instance UID for the log; nothing where it is none, because it may be anything."""
    try:
        return checked(request.sop_instance, "Affected SOP Instance UID")
    except RefusedError:
        return ""
