"""An association that somebody else asked for: let in or refused, counted while it lasts, reported when it is over."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from pynetdicom import AE, evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.acse import ACSE
from pynetdicom.association import Association

from numbering import metrics
from numbering.audit import Alert, AuditTrail, Peer
from numbering.dicom.incoming.access import Door, Refusal
from numbering.dicom.incoming.limits import Pace, Slot, Slots, Watermark
from numbering.dicom.incoming.lobby import Visit
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.incoming.storing import Storing
from numbering.dicom.incoming.upper import StoringProvider
from numbering.dicom.incoming.waiting import Checkpoint
from numbering.logs import bind, logger

log = logger(__name__)

ALARMING = frozenset({Refusal.CALLING_AE_TITLE, Refusal.ADDRESS})
"""Refusals that a security officer should see: somebody called who is not on the list."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What all associations of an acceptor process share."""

    spool: Spool
    door: Door
    slots: Slots
    pace: Pace
    watermark: Watermark
    maximum_object_bytes: int
    maximum_pdu_bytes: int
    trail: AuditTrail


class AcceptedAssociation(Association):
    """An association of a sender with this node."""

    def __init__(self, ae: AE, rules: Rules, peer: str, visit: Visit) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._number = secrets.token_hex(8)
        self._rules = rules
        self._peer = peer
        self._visit = visit
        self._slot = Slot(None)
        storing = Storing(rules.spool, rules.watermark, rules.maximum_object_bytes, self._report)
        self._storing = storing
        self.acse = _Doorkeeper(self)
        provider = StoringProvider(self, storing, rules.pace, peer, self._number, rules.maximum_pdu_bytes)
        self.dul = provider
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout  # now of this provider's timers
        self._reactor_checkpoint = Checkpoint(provider.news)
        self._reactor_checkpoint.set()

    def start(self) -> None:
        """Start the thread of the association; without one nothing of it stays."""
        try:
            super().start()
        except RuntimeError:  # the system gives no more threads
            self._end()
            raise

    def run_reactor(self) -> None:
        """The thread of the association."""
        with bind(association=self._number, peer=self._peer):
            try:
                super().run_reactor()
            finally:
                if self._slot.file is not None:
                    metrics.ASSOCIATIONS.dec()
                self._end()

    def _end(self) -> None:
        self._slot.release()
        cast(StoringProvider, self.dul).end()
        self._visit.leave()
        self._storing.end()

    def _serve_request(self, msg: Any, context_id: int) -> None:
        # pynetdicom gives each N-EVENT-REPORT a thread, however many come; here they wait their turn as all others do.
        if threading.current_thread() is self:
            super()._serve_request(msg, context_id)
        else:
            self.dimse.msg_queue.put((context_id, msg))
            cast(StoringProvider, self.dul).news.set()

    def refusal(self) -> Refusal | None:
        """Why this association is refused; None when it is let in, and then it has a slot."""
        request = self.requestor.primitive
        assert request is not None
        refusal = self._rules.door.refusal(str(request.called_ae_title), str(request.calling_ae_title), self._peer)
        if refusal is not None:
            return refusal
        try:
            slot = self._rules.slots.take(self._peer)
        except OSError as error:
            log.error("no slot for an association", error=error)
            return Refusal.NO_SLOT
        if isinstance(slot, Refusal):
            return slot
        self._slot = slot
        self._visit.leave()  # from here on it is counted by its slot
        metrics.ASSOCIATIONS.inc()
        return None

    def tell_refusal(self, refusal: Refusal) -> None:
        """Into log, metrics and audit trail."""
        calling = str(self.requestor.primitive.calling_ae_title) if self.requestor.primitive else ""
        metrics.ASSOCIATIONS_REFUSED.labels(refusal.word).inc()
        log.warning("association refused", peer=self._peer, calling_ae_title=calling, reason=refusal.word)
        if refusal in ALARMING:
            self._rules.trail.security_alert(
                Alert.NODE_AUTHENTICATION, Peer(calling, self._peer), f"association refused: {refusal.word}"
            )

    def _report(self, study: str, sop_classes: Counter[str], success: bool) -> None:
        peer = Peer(str(self.requestor.ae_title).strip(), self._peer)
        self._rules.trail.transferred("in", study, sop_classes, peer, success=success)


class _Doorkeeper(ACSE):
    """Asks whether an association is let in before pynetdicom negotiates it."""

    def _negotiate_as_acceptor(self) -> None:
        assoc = cast(AcceptedAssociation, self.assoc)
        refusal = assoc.refusal()
        if refusal is None:
            super()._negotiate_as_acceptor()
            return
        assoc.tell_refusal(refusal)
        self.send_reject(*refusal.as_sent)
        evt.trigger(assoc, evt.EVT_REJECTED, {})
        assoc.kill()
