"""Storage SCP: takes objects in, keeps them byte for byte, and answers success only once they are durable.

Nothing here reads a database or decodes pixels, so a sender never waits for more than the disk. PS3.4 Annex B.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from io import BytesIO
from typing import cast

import structlog
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event, EventHandlerType

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.part10 import DEFLATED, IMPLEMENTATION_VERSION_NAME, compose, inflate
from numbering.dicom.spool import Kept, Spool
from numbering.settings import Settings
from numbering.uids import IMPLEMENTATION_CLASS_UID, InvalidUID, checked_uid

log = structlog.get_logger()

VERIFICATION = "1.2.840.10008.1.1"
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
STORAGE_CLASSES = (
    uid.CTImageStorage,
    uid.EnhancedCTImageStorage,
    uid.MRImageStorage,
    uid.EnhancedMRImageStorage,
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.BasicTextSRStorage,
    uid.EnhancedSRStorage,
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
    uid.SegmentationStorage,
    LABEL_MAP_SEGMENTATION,
    uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.KeyObjectSelectionDocumentStorage,
    uid.ParametricMapStorage,
)

# PS3.4 B.2.3 and table B.2-1; C0xx and B0xx below are ours, within the ranges that it leaves to the implementation.
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
INVALID_IDENTIFIER = 0xC001
OTHER_PICTURE = 0xB0C0

MAXIMUM_PDU = 131072
MAXIMUM_ASSOCIATIONS = 64
HEAD_LIMIT = 2**28
"""Bytes to which a deflated data set may be inflated to find its identifiers."""

_SERIES = Tag("SeriesInstanceUID")
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_WANTED: list[BaseTag | int] = [Tag(keyword) for keyword in _IDENTIFIERS]


class RefusedError(Exception):
    """The object is not taken; holds the status and a comment of at most 64 characters without any value."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment[:64]


class Receiver:
    """A running storage SCP. ``port`` is the one it listens on."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        self._ae = _application_entity(settings.ae_title)
        handlers: list[EventHandlerType] = [
            (evt.EVT_CONN_OPEN, _answer_at_once),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, _store, [spool]),
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
        sop_instance = _checked(request.AffectedSOPInstanceUID, "Affected SOP Instance UID")
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
    ids = _identifiers(data_set, transfer_syntax)
    if (ids["SOPClassUID"], ids["SOPInstanceUID"]) != (str(request.AffectedSOPClassUID), sop_instance):
        raise RefusedError(DOES_NOT_MATCH, "SOP Class or Instance UID differs between command and data")
    study = _checked(ids["StudyInstanceUID"], "Study Instance UID")
    series = _checked(ids["SeriesInstanceUID"], "Series Instance UID")
    whole = compose(
        sop_class=str(request.AffectedSOPClassUID),
        sop_instance=sop_instance,
        transfer_syntax=transfer_syntax,
        source_ae_title=_ae_title(event.assoc.requestor.ae_title),
        data_set=data_set,
    )
    return spool.keep(study, series, sop_instance, whole)


def _identifiers(data_set: bytes, transfer_syntax: str) -> dict[str, str]:
    """The four UIDs by keyword (empty when absent), from the head of a data set in any transfer syntax."""
    try:
        if transfer_syntax in DEFLATED:
            data_set = inflate(data_set, HEAD_LIMIT)
        ds = read_dataset(
            BytesIO(data_set),
            transfer_syntax == uid.ImplicitVRLittleEndian,
            transfer_syntax != uid.ExplicitVRBigEndian,
            stop_when=_after_the_identifiers,
            specific_tags=_WANTED,
        )
        return {keyword: str(ds.get(keyword) or "") for keyword in _IDENTIFIERS}
    except BROKEN_DICOM:
        raise RefusedError(CANNOT_UNDERSTAND, "Data set cannot be parsed in its transfer syntax") from None


def _after_the_identifiers(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag > _SERIES


def _checked(value: object, what: str) -> str:
    if not value:
        raise RefusedError(INVALID_IDENTIFIER, f"{what} is missing")
    try:
        return checked_uid(value, what)
    except InvalidUID:
        raise RefusedError(INVALID_IDENTIFIER, f"{what} is invalid (PS3.5 9.1)") from None


def _ae_title(value: str | bytes) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _status(code: int, comment: str = "") -> Dataset:
    answer = Dataset()
    answer.Status = code
    if comment:
        answer.ErrorComment = comment
    return answer
