"""Storage commitment push model, as SCU (PS3.4 Annex J): asking, and hearing the answer, on whatever association.

The answer (N-EVENT-REPORT) may come on the association that asked or on a new one that the destination opens to our
DICOM port, taking the SCP's role there (PS3.4 J.3.3.2). Both ends keep it in the same `CommitmentInbox`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import structlog
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import build_context, evt
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.outgoing.association import NoAssociation, associate, leave
from numbering.dicom.outgoing.commitment_inbox import Answer, CommitmentInbox
from numbering.dicom.outgoing.destination import Destination, Timeouts
from numbering.uids import checked_uid

REQUEST = 1
"""Action type of a request (PS3.4 table J.3-1)."""
ALL_COMMITTED, FAILURES_EXIST = 1, 2
"""Event types (PS3.4 table J.3-2)."""
LARGEST_ANSWER = 10_000
"""Instances that one answer may name; we never ask for so many."""
LOOK_SECONDS = 0.05

SUCCESS, PROCESSING_FAILURE, NO_SUCH_INSTANCE = 0x0000, 0x0110, 0x0112
NO_SUCH_EVENT_TYPE, INVALID_ARGUMENT = 0x0113, 0x0115

log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    """Whether the destination took the request, and the sentence that explains it."""

    accepted: bool
    text: str
    connected: bool = True


def ask_commitment(
    destination: Destination,
    calling_ae_title: str,
    transaction_uid: str,
    objects: Iterable[tuple[str, str]],
    inbox: CommitmentInbox,
    *,
    timeouts: Timeouts,
    wait_seconds: float = 0.0,
    go_on: Callable[[], bool] = lambda: True,
) -> Asked:
    """Ask for commitment to these objects, each its SOP class and instance UID.

    The transaction must be stored, and expected by the inbox, before. When the request was taken, the association is
    kept for so long as an answer may still come on it: until there is one, ``wait_seconds`` are over or ``go_on`` says
    no.
    """
    association = associate(
        [build_context(StorageCommitmentPushModel)],
        destination,
        calling_ae_title,
        timeouts,
        handlers=commitment_handlers(inbox),
    )
    if isinstance(association, NoAssociation):
        return Asked(False, association.why, connected=association.consented)
    try:
        status, _ = association.send_n_action(
            _request(transaction_uid, objects), REQUEST, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        if "Status" not in status:
            return Asked(False, f"{destination} did not answer the request within {timeouts.message:g} s")
        if status.Status != SUCCESS:
            return Asked(False, f"{destination} refused the request with status 0x{status.Status:04X}")
        until = time.monotonic() + wait_seconds
        while (
            go_on() and time.monotonic() < until and association.is_established and not inbox.answered(transaction_uid)
        ):
            time.sleep(LOOK_SECONDS)
    except (RuntimeError, ValueError) as error:
        return Asked(False, f"{destination} ended the association ({type(error).__name__})")
    finally:
        leave(association)
    return Asked(True, f"{destination} took the request")


def commitment_contexts() -> list[PresentationContext]:
    """What the DICOM port supports so that answers may come on a new association: the caller has the SCP's role."""
    context = build_context(StorageCommitmentPushModel)
    context.scu_role, context.scp_role = False, True
    return [context]


def commitment_handlers(inbox: CommitmentInbox | Path) -> list[EventHandlerType]:
    """Handlers that keep answers in this inbox (or the inbox of this folder), for the DICOM port."""
    return [(evt.EVT_N_EVENT_REPORT, _keep, [inbox if isinstance(inbox, CommitmentInbox) else CommitmentInbox(inbox)])]


def _request(transaction_uid: str, objects: Iterable[tuple[str, str]]) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = Sequence()
    for sop_class_uid, sop_instance_uid in objects:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
        request.ReferencedSOPSequence.append(item)
    return request


def _keep(event: Event, inbox: CommitmentInbox) -> tuple[int, None]:
    """Answer success only once the answer is durable. Statuses: PS3.7 10.1.1.1.8."""
    request = cast(N_EVENT_REPORT, event.request)
    if request.EventTypeID not in (ALL_COMMITTED, FAILURES_EXIST):
        return NO_SUCH_EVENT_TYPE, None
    if request.AffectedSOPInstanceUID != StorageCommitmentPushModelInstance:
        return NO_SUCH_INSTANCE, None
    try:
        answer = _answer(event.event_information)
    except BROKEN_DICOM as error:
        log.warning("an answer to storage commitment makes no sense", error=error)
        return INVALID_ARGUMENT, None
    try:
        known = inbox.expects(answer.transaction_uid)
        if known:
            inbox.keep(answer)
    except OSError as error:
        log.error("an answer to storage commitment cannot be kept", errno=error.errno)
        return PROCESSING_FAILURE, None
    say = log.info if known else log.warning
    say(
        "storage commitment answered" if known else "storage commitment was answered that nobody asked for",
        transaction_uid=answer.transaction_uid,
        committed=len(answer.committed),
        failed=len(answer.failed),
    )
    return (SUCCESS if known else PROCESSING_FAILURE), None


def _answer(told: Dataset) -> Answer:
    committed, failed = told.get("ReferencedSOPSequence") or [], told.get("FailedSOPSequence") or []
    if len(committed) + len(failed) > LARGEST_ANSWER:
        raise ValueError(f"an answer names more than {LARGEST_ANSWER} instances")
    return Answer(
        transaction_uid=checked_uid(told.get("TransactionUID"), "Transaction UID (0008,1195)"),
        committed=tuple(_instance(item) for item in committed),
        failed={_instance(item): int(item.get("FailureReason") or 0) for item in failed},
    )


def _instance(item: Dataset) -> str:
    return checked_uid(item.get("ReferencedSOPInstanceUID"), "Referenced SOP Instance UID (0008,1155)")
