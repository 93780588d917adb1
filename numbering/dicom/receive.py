"""Storage SCP: takes objects in, keeps them byte for byte, and answers success only once they are durable.

Nothing here reads a database or decodes pixels, so a sender never waits for more than the disk. PS3.4 Annex B.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from typing import cast

import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event, EventHandlerType

from numbering.dicom.accept import (
    OTHER_PICTURE,
    OUT_OF_RESOURCES,
    STORAGE_CLASSES,
    SUCCESS,
    RefusedError,
    checked,
    identifiers,
)
from numbering.dicom.announce import announcement_contexts, announcement_handlers
from numbering.dicom.commitment import commitment_contexts, commitment_handlers
from numbering.dicom.part10 import IMPLEMENTATION_VERSION_NAME, compose
from numbering.dicom.spool import Kept, Spool
from numbering.settings import Settings
from numbering.uids import IMPLEMENTATION_CLASS_UID

log = structlog.get_logger()

VERIFICATION = "1.2.840.10008.1.1"
MAXIMUM_PDU = 131072
MAXIMUM_ASSOCIATIONS = 64


class Receiver:
    """A running storage SCP. ``port`` is the one it listens on."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        self._ae = _application_entity(settings.ae_title)
        handlers: list[EventHandlerType] = [
            (evt.EVT_CONN_OPEN, _answer_at_once),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, _store, [spool]),
            *announcement_handlers(spool),
            *commitment_handlers(settings.commitments),
        ]
        server = self._ae.start_server((settings.host, settings.port), block=False, evt_handlers=handlers)
        assert server is not None  # because it does not block
        self._server = server
        self.port: int = server.socket.getsockname()[1] if server.socket else settings.port
        log.info("receiver started", ae_title=settings.ae_title, host=settings.host, port=self.port)

    @property
    def associations(self) -> list[Association]:
        """The associations that are open now."""
        return list(self._ae.active_associations)

    def stop(self, grace_seconds: float = 10.0) -> None:
        """Take no new associations, give the running ones this long to end, then abort them.

        A connection that never asked for an association (a port scan, a load balancer's probe) is not waited for.
        """
        running = self.associations
        self._server.shutdown()
        deadline = time.monotonic() + grace_seconds
        for assoc in running:
            if assoc.is_established:
                assoc.join(max(0.0, deadline - time.monotonic()))
        for assoc in running:
            if assoc.is_alive():
                assoc.abort()
        self._ae.shutdown()
        log.info("receiver stopped", port=self.port)


def start_receiver(settings: Settings, spool: Spool) -> Receiver:
    """Listen on the settings' host and port (0: any free one) and keep what arrives in the spool."""
    return Receiver(settings, spool)


def run_receiver(settings: Settings) -> None:
    """Receive until SIGTERM or SIGINT, then stop gracefully. To be called in the main thread."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    receiver = start_receiver(settings, Spool(settings.spool))
    stopping.wait()
    receiver.stop()


def _application_entity(ae_title: str) -> AE:
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)
    ae = AE(ae_title=ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = MAXIMUM_PDU
    ae.maximum_associations = MAXIMUM_ASSOCIATIONS
    for storage in STORAGE_CLASSES:
        ae.add_supported_context(storage, ALL_TRANSFER_SYNTAXES)
    ae.add_supported_context(VERIFICATION)
    for sop_class, transfer_syntaxes in announcement_contexts():
        ae.add_supported_context(sop_class, transfer_syntaxes)
    for context in commitment_contexts():
        ae.add_supported_context(
            context.abstract_syntax or "", context.transfer_syntax, context.scu_role, context.scp_role
        )
    return ae


def _answer_at_once(event: Event) -> None:
    # Nagle's algorithm against the peer's delayed acknowledgement costs 48 ms for every object.
    dul_socket = event.assoc.dul.socket
    if dul_socket is not None and dul_socket.socket is not None:
        dul_socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _store(event: Event, spool: Spool) -> Dataset:
    """Answer success only once the file is durable: after that the sender may delete its own."""
    sop_instance = ""
    request = cast(C_STORE, event.request)
    try:
        sop_instance = checked(request.AffectedSOPInstanceUID, "Affected SOP Instance UID")
        kept = _keep(event, spool, sop_instance)
    except RefusedError as refusal:
        log.warning(
            "object refused", sop_instance_uid=sop_instance, status=f"{refusal.status:04X}", reason=refusal.comment
        )
        return _status(refusal.status, refusal.comment)
    except OSError as error:
        log.error("object not kept", sop_instance_uid=sop_instance, error=type(error).__name__, errno=error.errno)
        return _status(OUT_OF_RESOURCES, "Cannot be kept: the node's disk failed or is full")
    log.info("object received", sop_instance_uid=sop_instance, kept=str(kept))
    if kept is Kept.CONFLICT:
        return _status(OTHER_PICTURE, "Known SOP Instance UID with other content: quarantined")
    return _status(SUCCESS)


def _keep(event: Event, spool: Spool, sop_instance: str) -> Kept:
    request = cast(C_STORE, event.request)
    transfer_syntax = str(event.context.transfer_syntax)
    data_set: bytes = request.DataSet.getvalue() if request.DataSet is not None else b""
    ids = identifiers(data_set, transfer_syntax, sop_class=str(request.AffectedSOPClassUID), sop_instance=sop_instance)
    whole = compose(
        sop_class=str(request.AffectedSOPClassUID),
        sop_instance=sop_instance,
        transfer_syntax=transfer_syntax,
        source_ae_title=_ae_title(event.assoc.requestor.ae_title),
        data_set=data_set,
    )
    return spool.keep(ids.study, ids.series, sop_instance, whole)


def _ae_title(value: str | bytes) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _status(code: int, comment: str = "") -> Dataset:
    answer = Dataset()
    answer.Status = code
    if comment:
        answer.ErrorComment = comment
    return answer
