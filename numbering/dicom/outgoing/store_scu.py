"""Storage SCU: send objects by C-STORE and say of each what became of it; C-ECHO.

A peer's fault (gone, refusing, silent) is an outcome and never an exception. Stores are idempotent (same UID, same
bytes), so whoever calls may send again as often as needed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS, code_to_category

from numbering.dicom.outgoing.association import NoAssociation, associate, leave
from numbering.dicom.outgoing.destination import Destination, Echoed, Outcome, Sent, Timeouts
from numbering.dicom.outgoing.file import Outgoing

MAX_CONTEXTS = 128
"""Presentation contexts an association can hold: their identifiers are the odd numbers 1…255 (PS3.8 9.3.2.2)."""

ROUNDS = 2
"""Associations tried for the same objects: a response lost on the way is asked for once more on a new association."""

DUPLICATE = 0x0111
"""Duplicate SOP Instance (PS3.7 C.5.4). One UID of ours is one sequence of bytes, so the peer has what it should."""

PROCESSING_FAILURE, RESOURCE_LIMITATION = 0x0110, 0x0213


def is_temporary(status: int) -> bool:
    """Whether the same object may be taken later: out of resources (PS3.4 B.2.3), or a fault that says no more."""
    return 0xA700 <= status <= 0xA7FF or status in (PROCESSING_FAILURE, RESOURCE_LIMITATION)


def _contexts(file: Outgoing) -> frozenset[tuple[str, str]]:
    """(SOP class, transfer syntax) as stored; what is explicit VR may also go as implicit VR, which all take."""
    syntaxes = {file.transfer_syntax}
    if file.transfer_syntax == ExplicitVRLittleEndian:
        syntaxes.add(ImplicitVRLittleEndian)
    return frozenset((file.sop_class_uid, syntax) for syntax in syntaxes)


def store(
    paths: Iterable[Path], destination: Destination, calling_ae_title: str, timeouts: Timeouts
) -> Generator[Sent]:
    """C-STORE these DICOM files; one `Sent` each as soon as it is known, those that wait for a second round last.

    One association unless the files need more than 128 presentation contexts, or an answer is lost. ``OSError`` and
    pydicom's errors are raised for a file that is missing or no DICOM file, before anything is sent.
    """
    for batch in _batches([Outgoing.read(path) for path in paths]):
        pending = batch
        for again in range(ROUNDS - 1, -1, -1):
            unanswered, answered, consented = [], 0, True
            for file, sent in _store_over_one(pending, destination, calling_ae_title, timeouts):
                consented = sent.connected
                if sent.outcome is Outcome.UNREACHABLE and again:
                    unanswered.append((file, sent))
                else:
                    answered += 1
                    yield sent
            if not again or not unanswered:
                break
            if not answered and not consented:  # nobody is there: asking once more in the same second is no use
                yield from (sent for _, sent in unanswered)
                break
            pending = [file for file, _ in unanswered]


def echo_ae(destination: Destination, calling_ae_title: str, timeouts: Timeouts) -> Echoed:
    """C-ECHO."""
    association = associate([build_context(Verification)], destination, calling_ae_title, timeouts)
    if isinstance(association, NoAssociation):
        return Echoed(association.outcome, association.why)
    try:
        response = association.send_c_echo()
    except RuntimeError:
        return Echoed(Outcome.UNREACHABLE, f"{destination} ended the association")
    finally:
        leave(association)
    if "Status" not in response:
        return Echoed(Outcome.UNREACHABLE, f"{destination} did not answer a C-ECHO within {timeouts.message:g} s")
    if response.Status != 0:
        return Echoed(Outcome.REFUSED, f"{destination} answered a C-ECHO with status 0x{response.Status:04X}")
    return Echoed(Outcome.DELIVERED, f"{destination} answers")


def _batches(files: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """The files in order, cut where an association's contexts are used up."""
    batch: list[Outgoing] = []
    contexts: frozenset[tuple[str, str]] = frozenset()
    for file in files:
        if batch and len(contexts | _contexts(file)) > MAX_CONTEXTS:
            yield batch
            batch, contexts = [], frozenset()
        batch.append(file)
        contexts |= _contexts(file)
    if batch:
        yield batch


def _store_over_one(
    files: Sequence[Outgoing], destination: Destination, calling_ae_title: str, timeouts: Timeouts
) -> Iterator[tuple[Outgoing, Sent]]:
    wanted = sorted(frozenset().union(*(_contexts(file) for file in files)))
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in wanted]
    association = associate(contexts, destination, calling_ae_title, timeouts)
    if isinstance(association, NoAssociation):
        for file in files:
            uid, text = file.sop_instance_uid, f"{file.sop_instance_uid}: {association.why}"
            yield file, Sent(file.path, uid, association.outcome, text, connected=association.consented)
        return
    try:
        for file in files:
            yield file, _store(association, file, destination, timeouts)
    finally:
        leave(association)


def _store(association: Association, file: Outgoing, destination: Destination, timeouts: Timeouts) -> Sent:
    uid = file.sop_instance_uid
    if not association.is_established:
        return _unanswered(file, f"{destination} ended the association")
    try:
        response = association.send_c_store(file.path)
    except ValueError:
        text = f"{uid}: {destination} accepts no {file.sop_class_uid} in transfer syntax {file.transfer_syntax}"
        return Sent(file.path, uid, Outcome.REFUSED, text)
    except RuntimeError:  # the association went between the two lines above
        return _unanswered(file, f"{destination} ended the association")
    # pynetdicom answers with an empty dataset when a response is lost or late
    if "Status" not in response:
        return _unanswered(file, f"{destination} did not answer within {timeouts.message:g} s")
    return _judged(file, destination, response.Status)


def _unanswered(file: Outgoing, why: str) -> Sent:
    uid = file.sop_instance_uid
    return Sent(file.path, uid, Outcome.UNREACHABLE, f"{uid}: {why}", temporary=True)


def _judged(file: Outgoing, destination: Destination, status: int) -> Sent:
    # The peer's Error Comment is left out: it is free text and may name the patient
    category, meaning = STORAGE_SERVICE_CLASS_STATUS.get(status, (code_to_category(status), ""))
    uid, said = file.sop_instance_uid, f"0x{status:04X} {category} {meaning}".strip()
    if category in {"Success", "Warning"} or status == DUPLICATE:
        return Sent(file.path, uid, Outcome.DELIVERED, f"{uid}: stored by {destination} ({said})", status)
    text = f"{uid}: refused by {destination} ({said})"
    return Sent(file.path, uid, Outcome.REFUSED, text, status, temporary=is_temporary(status))
