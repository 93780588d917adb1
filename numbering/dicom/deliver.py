"""Storage SCU: send objects to an archive and say of each what became of it; C-ECHO.

A peer's fault (gone, refusing, silent) is an outcome and never an exception. Stores are idempotent (same UID, same
bytes), so whoever calls may send again as often as needed.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS, code_to_category

from numbering.uids import IMPLEMENTATION_CLASS_UID, checked_uid

MAX_CONTEXTS = 128
"""Presentation contexts an association can hold: their identifiers are the odd numbers 1…255 (PS3.8 9.3.2.2)."""

ROUNDS = 2
"""Associations tried for the same objects: a response lost on the way is asked for once more on a new association."""

_DESTINATION = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:\s]+):(?P<port>\d+)")


@dataclass(frozen=True)
class Destination:
    """Where to send: a called AE title at a host and port."""

    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Destination:
        """``AET@HOST:PORT``, an IPv6 host in brackets; ``ValueError`` says what is wrong."""
        match = _DESTINATION.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is not a destination: expected AET@HOST:PORT, like ORTHANC@pacs.example.org:104"
            )
        title, port = match["title"].strip(), int(match["port"])
        if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
            raise ValueError(f"{text!r}: AE title {title!r} must be 1 to 16 ASCII characters without backslash")
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r}: port {port} must be from 1 to 65535")
        return cls(title, match["host"].strip("[]"), port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds to wait: for the TCP connection, for the association, for an answer to a message, for anything at all."""

    connection: float = 5.0
    association: float = 10.0
    message: float = 15.0
    network: float = 30.0


DEFAULT_TIMEOUTS = Timeouts()


class Outcome(StrEnum):
    """What became of an object."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The peer answered no: sending the same again will hardly help, unless its status is "out of resources"."""
    UNREACHABLE = "unreachable"
    """No answer: send again later."""


@dataclass(frozen=True)
class Sent:
    """One object's outcome, and the sentence that explains it. `status` is the peer's, when it answered."""

    path: Path
    sop_instance_uid: str
    outcome: Outcome
    text: str
    status: int | None = None


@dataclass(frozen=True)
class Echoed:
    """The answer to a C-ECHO."""

    outcome: Outcome
    text: str


@dataclass(frozen=True)
class _File:
    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str

    @property
    def contexts(self) -> frozenset[tuple[str, str]]:
        """(SOP class, transfer syntax) as stored; what is explicit VR may also go as implicit VR, which all take."""
        syntaxes = {self.transfer_syntax}
        if self.transfer_syntax == ExplicitVRLittleEndian:
            syntaxes.add(ImplicitVRLittleEndian)
        return frozenset((self.sop_class_uid, syntax) for syntax in syntaxes)


@dataclass(frozen=True)
class _NoAssociation:
    outcome: Outcome
    why: str


def send(
    paths: Iterable[Path], destination: Destination, calling_ae_title: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> list[Sent]:
    """C-STORE these DICOM files in their order; one `Sent` each, in the same order.

    One association unless the files need more than 128 presentation contexts, or an answer is lost. ``OSError`` and
    pydicom's errors are raised for a file that is missing or no DICOM file, before anything is sent.
    """
    files = [_described(path) for path in paths]
    outcomes: dict[Path, Sent] = {}
    for batch in _batches(files):
        for _ in range(ROUNDS):
            pending = [file for file in batch if not _answered(outcomes.get(file.path))]
            if not pending:
                break
            sent = list(_send_over_one(pending, destination, calling_ae_title, timeouts))
            outcomes.update((item.path, item) for item in sent)
            if not any(_answered(item) for item in sent):
                break
    return [outcomes[file.path] for file in files]


def echo(destination: Destination, calling_ae_title: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Echoed:
    """Ask the peer whether it is there and would talk to us."""
    association = _associate([build_context(Verification)], destination, calling_ae_title, timeouts)
    if isinstance(association, _NoAssociation):
        return Echoed(association.outcome, association.why)
    try:
        response = association.send_c_echo()
    except RuntimeError:
        return Echoed(Outcome.UNREACHABLE, f"{destination} ended the association")
    finally:
        _leave(association)
    if "Status" not in response:
        return Echoed(Outcome.UNREACHABLE, f"{destination} did not answer a C-ECHO within {timeouts.message:g} s")
    if response.Status != 0:
        return Echoed(Outcome.REFUSED, f"{destination} answered a C-ECHO with status 0x{response.Status:04X}")
    return Echoed(Outcome.DELIVERED, f"{destination} answers")


def _described(path: Path) -> _File:
    meta = read_file_meta_info(path)
    return _File(
        path,
        checked_uid(meta.MediaStorageSOPClassUID, f"{path}: SOP class"),
        checked_uid(meta.MediaStorageSOPInstanceUID, f"{path}: SOP instance"),
        checked_uid(meta.TransferSyntaxUID, f"{path}: transfer syntax"),
    )


def _batches(files: Sequence[_File]) -> Iterator[list[_File]]:
    """The files in order, cut where an association's contexts are used up."""
    batch: list[_File] = []
    contexts: frozenset[tuple[str, str]] = frozenset()
    for file in files:
        if batch and len(contexts | file.contexts) > MAX_CONTEXTS:
            yield batch
            batch, contexts = [], frozenset()
        batch.append(file)
        contexts |= file.contexts
    if batch:
        yield batch


def _answered(sent: Sent | None) -> bool:
    return sent is not None and sent.outcome is not Outcome.UNREACHABLE


def _send_over_one(
    files: Sequence[_File], destination: Destination, calling_ae_title: str, timeouts: Timeouts
) -> Iterator[Sent]:
    wanted = sorted(frozenset().union(*(file.contexts for file in files)))
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in wanted]
    association = _associate(contexts, destination, calling_ae_title, timeouts)
    if isinstance(association, _NoAssociation):
        for file in files:
            text = f"{file.sop_instance_uid}: {association.why}"
            yield Sent(file.path, file.sop_instance_uid, association.outcome, text)
        return
    try:
        yield from (_store(association, file, destination, timeouts) for file in files)
    finally:
        _leave(association)


def _store(association: Association, file: _File, destination: Destination, timeouts: Timeouts) -> Sent:
    uid = file.sop_instance_uid
    if not association.is_established:
        return Sent(file.path, uid, Outcome.UNREACHABLE, f"{uid}: {destination} ended the association")
    try:
        response = association.send_c_store(file.path)
    except ValueError:
        text = f"{uid}: {destination} accepts no {file.sop_class_uid} in transfer syntax {file.transfer_syntax}"
        return Sent(file.path, uid, Outcome.REFUSED, text)
    except RuntimeError:  # the association went between the two lines above
        return Sent(file.path, uid, Outcome.UNREACHABLE, f"{uid}: {destination} ended the association")
    # pynetdicom answers with an empty dataset when a response is lost or late
    if "Status" not in response:
        text = f"{uid}: {destination} did not answer within {timeouts.message:g} s"
        return Sent(file.path, uid, Outcome.UNREACHABLE, text)
    return _judged(file, destination, response.Status)


def _judged(file: _File, destination: Destination, status: int) -> Sent:
    # The peer's Error Comment is left out: it is free text and may name the patient
    category, meaning = STORAGE_SERVICE_CLASS_STATUS.get(status, (code_to_category(status), ""))
    uid, said = file.sop_instance_uid, f"0x{status:04X} {category} {meaning}".strip()
    if category in {"Success", "Warning"}:
        return Sent(file.path, uid, Outcome.DELIVERED, f"{uid}: stored by {destination} ({said})", status)
    return Sent(file.path, uid, Outcome.REFUSED, f"{uid}: refused by {destination} ({said})", status)


def _associate(
    contexts: list[PresentationContext], destination: Destination, calling_ae_title: str, timeouts: Timeouts
) -> Association | _NoAssociation:
    ae = AE(ae_title=calling_ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = "NUMBERING"
    ae.connection_timeout = timeouts.connection
    ae.acse_timeout = timeouts.association
    ae.dimse_timeout = timeouts.message
    ae.network_timeout = timeouts.network
    connected: list[bool] = []

    def opened(event: evt.Event) -> None:
        connected.append(True)
        _send_at_once(event)

    try:
        association = ae.associate(
            destination.host,
            destination.port,
            contexts=contexts,
            ae_title=destination.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, opened)],
        )
    except OSError as error:  # a host name that cannot be resolved
        return _NoAssociation(Outcome.UNREACHABLE, f"{destination} cannot be reached: {error.strerror or error}")
    if not association.is_established:
        return _why_not(association, destination, connected=bool(connected))
    _keep_responses(association)
    return association


def _send_at_once(event: evt.Event) -> None:
    """TCP_NODELAY: Nagle's algorithm against delayed acknowledgement costs some 40 ms an object."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _keep_responses(association: Association) -> None:
    """Put a response that pynetdicom's reactor took by mistake back where the sender waits for it.

    The reactor thread may pass its checkpoint just as a message is sent; it then takes the response off the queue,
    finds that it is no request and drops it, and the sender waits for its time-out (pynetdicom 3.0.4,
    ``Association._run_reactor``; about 1 in 2,000 stores, more on a busy machine).
    """
    serve = association._serve_request

    def serve_or_put_back(msg: Any, context_id: int) -> None:
        if msg.is_valid_request:
            serve(msg, context_id)
        else:
            association.dimse.msg_queue.put((context_id, msg))

    association._serve_request = serve_or_put_back  # type: ignore[method-assign]


def _why_not(association: Association, destination: Destination, *, connected: bool) -> _NoAssociation:
    if not connected:
        text = f"{destination} cannot be reached: check host, port and that the peer is running"
        return _NoAssociation(Outcome.UNREACHABLE, text)
    if association.rejected_contexts:
        return _NoAssociation(Outcome.REFUSED, f"{destination} accepts none of these SOP classes and transfer syntaxes")
    if association.is_rejected:
        answer = association.acceptor.primitive
        reason = answer.reason_str if answer is not None else "no reason given"
        return _NoAssociation(Outcome.UNREACHABLE, f"{destination} rejected the association: {reason}")
    return _NoAssociation(Outcome.UNREACHABLE, f"{destination} ended the association before it was made")


def _leave(association: Association) -> None:
    if association.is_established:
        association.release()
