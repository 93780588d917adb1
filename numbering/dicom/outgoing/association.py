"""Calling a peer: an association as requestor, or the reason why there is none."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType
from pynetdicom.presentation import PresentationContext

from numbering.dicom.outgoing.destination import DEFAULT_TIMEOUTS, Destination, Outcome, Timeouts, TLSFiles
from numbering.dicom.tls import TLSFileError, client_context
from numbering.uids import IMPLEMENTATION_CLASS_UID

REST_SECONDS = 10.0
"""So long an association that is to be released may go on serving a request."""
SERVING = "_numbering_serving"
"""Set on an association while a request is being served on it."""


@dataclass(frozen=True)
class NoAssociation:
    """Why no association came about."""

    outcome: Outcome
    why: str
    consented: bool = False
    """Whether the peer would talk to us, only not about these SOP classes."""


def associate(
    contexts: list[PresentationContext],
    destination: Destination,
    calling_ae_title: str,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    *,
    handlers: Sequence[EventHandlerType] = (),
    negotiation: Sequence[Any] = (),
) -> Association | NoAssociation:
    """An established association with these presentation contexts, or why there is none; nothing of a peer raises.

    ``negotiation`` holds extended negotiation items, such as roles (PS3.7 D.3.3.4).
    """
    tls = None
    if destination.tls is not None:
        try:
            tls = (context_of(destination.tls), destination.host)
        except TLSFileError as error:
            return NoAssociation(Outcome.UNREACHABLE, f"{destination}: {error}")
    connected: list[bool] = []

    def opened(event: evt.Event) -> None:
        connected.append(True)
        _send_at_once(event)

    try:
        association = _entity(calling_ae_title, timeouts).associate(
            destination.host,
            destination.port,
            contexts=contexts,
            ae_title=destination.ae_title,
            ext_neg=list(negotiation) or None,
            evt_handlers=[(evt.EVT_CONN_OPEN, opened), *handlers],
            tls_args=tls,
        )
    except OSError as error:  # a host name that cannot be resolved
        return NoAssociation(Outcome.UNREACHABLE, f"{destination} cannot be reached: {error.strerror or error}")
    if not association.is_established:
        return _why_not(association, destination, connected=bool(connected))
    _keep_responses(association)
    _never_wait_for_the_dead(association)
    return association


def context_of(files: TLSFiles) -> ssl.SSLContext:
    """The TLS client that these files make; `TLSFileError` when one is missing or does not fit."""
    return client_context(
        files.authorities_file, files.certificate_file, files.key_file, check_hostname=files.check_hostname
    )


def leave(association: Association) -> None:
    """Release an association that is still there, once the answer to a request that is being served is on its way.

    pynetdicom calls itself paused while it serves; a release in that moment would overtake the answer, which the state
    machine then cannot send. What does not come to rest in time is aborted.
    """
    if not association.is_established:
        return
    association._reactor_checkpoint.clear()
    until = time.monotonic() + REST_SECONDS
    while association.is_established and (getattr(association, SERVING, False) or not association._is_paused):
        if time.monotonic() > until:
            association.abort()
            return
        time.sleep(0.001)
    association.release()
    association._reactor_checkpoint.set()  # also when it ended before it could be released


def _entity(calling_ae_title: str, timeouts: Timeouts) -> AE:
    ae = AE(ae_title=calling_ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = "NUMBERING"
    ae.connection_timeout = timeouts.connection
    ae.acse_timeout = timeouts.association
    ae.dimse_timeout = timeouts.message
    ae.network_timeout = timeouts.network
    return ae


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
        if not msg.is_valid_request:
            association.dimse.msg_queue.put((context_id, msg))
            return
        setattr(association, SERVING, True)
        try:
            serve(msg, context_id)
        finally:
            setattr(association, SERVING, False)

    association._serve_request = serve_or_put_back  # type: ignore[method-assign]


def _never_wait_for_the_dead(association: Association) -> None:
    """Let nobody wait for a reactor thread that has ended to pause, as pynetdicom 3.0.4 does without a time-out."""

    def outlive() -> None:
        association.join()
        association._is_paused = True

    threading.Thread(target=outlive, daemon=True, name="after-association").start()


def _why_not(association: Association, destination: Destination, *, connected: bool) -> NoAssociation:
    if not connected:
        check = "host, port, TLS files on both sides" if destination.tls is not None else "host, port"
        text = f"{destination} cannot be reached: check {check} and that the peer is running"
        return NoAssociation(Outcome.UNREACHABLE, text)
    if association.rejected_contexts:
        text = f"{destination} accepts none of these SOP classes and transfer syntaxes"
        return NoAssociation(Outcome.REFUSED, text, consented=True)
    if association.is_rejected:
        answer = association.acceptor.primitive
        reason = answer.reason_str if answer is not None else "no reason given"
        return NoAssociation(Outcome.UNREACHABLE, f"{destination} rejected the association: {reason}")
    return NoAssociation(Outcome.UNREACHABLE, f"{destination} ended the association before it was made")
