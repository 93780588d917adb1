"""What becomes of the objects of one STOW-RS request: each is written to the spool piece by piece, named and kept."""

from __future__ import annotations

from collections import Counter

from numbering.audit.message import Peer
from numbering.dicom.incoming.accept import (
    OTHER_PICTURE,
    OTHER_STUDY,
    OUT_OF_RESOURCES,
    Identified,
    RefusedError,
    announced_in,
    identified_in,
)
from numbering.dicom.incoming.limits import Watermark
from numbering.dicom.incoming.spool import Draft, Kept, Spool
from numbering.logs import logger
from numbering.metrics import BYTES_RECEIVED, OBJECTS_RECEIVED, OBJECTS_REFUSED
from numbering.web.stored import Outcome

WAY = "stow"

log = logger(__name__)


class Taking:
    """A `numbering.web.multipart.Sink`; what became of each part is in ``outcomes``. To be closed whatever happens."""

    def __init__(self, spool: Spool, watermark: Watermark, study: str, sender: Peer) -> None:
        """``study``: the only one that is taken; empty: any."""
        self.outcomes: list[Outcome] = []
        self._spool = spool
        self._watermark = watermark
        self._study = study
        self._sender = sender
        self._draft: Draft | None = None
        self._failed: OSError | None = None

    def begin(self) -> None:
        """A part begins. A disk that fails is told of at its end."""
        self.close()
        self._failed = None
        try:
            self._draft = self._spool.draft()
        except OSError as error:
            self._failed = error

    def write(self, data: memoryview) -> None:
        """A piece of it."""
        if self._draft is None or self._failed is not None:
            return
        try:
            self._draft.write(data)
        except OSError as error:
            self._failed = error

    def end(self) -> None:
        """Keep it, durably, or say why not."""
        self.outcomes.append(self._kept())
        self.close()

    def close(self) -> None:
        """Drop what was not kept."""
        if self._draft is not None:
            self._draft.close()
        self._draft = None

    def studies(self) -> dict[tuple[str, bool], Counter[str]]:
        """How many objects of which SOP classes were kept (True) or not (False), of each study."""
        counted: dict[tuple[str, bool], Counter[str]] = {}
        for outcome in self.outcomes:
            if outcome.study:
                counted.setdefault((outcome.study, not outcome.failure), Counter())[outcome.sop_class] += 1
        return counted

    def _kept(self) -> Outcome:
        ids: Identified | None = None
        sop_class = sop_instance = ""
        try:
            if self._draft is None or self._failed is not None:
                raise self._failed or OSError
            named, begin = announced_in(self._draft.read)
            sop_class, sop_instance = named.sop_class, named.sop_instance
            ids = identified_in(self._draft.read, begin, self._draft.size - begin, named)
            if self._study and ids.study != self._study:
                raise RefusedError(OTHER_STUDY, "Study Instance UID is not that of the URL")
            if self._watermark.reached():
                raise RefusedError(OUT_OF_RESOURCES, "The disk is nearly full")
            kept = self._spool.keep_draft(ids.study, ids.series, ids.sop_instance, self._draft)
        except RefusedError as refusal:
            status, comment = refusal.status, refusal.comment
            log.warning("object refused", sop_instance_uid=sop_instance, status=f"{status:04X}", reason=comment)
            return self._refused(ids, sop_class, sop_instance, status)
        except OSError as error:
            log.error("object not kept", sop_instance_uid=sop_instance, error=error, errno=error.errno)
            return self._refused(ids, sop_class, sop_instance, OUT_OF_RESOURCES)
        self._tell(ids, kept, self._draft.size)
        warning = OTHER_PICTURE if kept is Kept.CONFLICT else 0
        return Outcome(study=ids.study, sop_class=sop_class, sop_instance=sop_instance, warning=warning)

    def _tell(self, ids: Identified, kept: Kept, size: int) -> None:
        OBJECTS_RECEIVED.labels(WAY, kept.value).inc()
        BYTES_RECEIVED.labels(WAY).inc(size)
        say = log.debug if kept is Kept.STORED else log.info  # the assembler tells of each one that is new
        say(
            "object received",
            way=WAY,
            key=self._sender.ae_title,
            study_instance_uid=ids.study,
            series_instance_uid=ids.series,
            sop_instance_uid=ids.sop_instance,
            kept=kept.value,
        )

    def _refused(self, ids: Identified | None, sop_class: str, sop_instance: str, status: int) -> Outcome:
        OBJECTS_REFUSED.labels(WAY, f"{status:04X}").inc()
        return Outcome(study=ids.study if ids else "", sop_class=sop_class, sop_instance=sop_instance, failure=status)
