"""A modality: sends each film by C-STORE over and over until it is answered success, as modalities do."""

from __future__ import annotations

import copy
import hashlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

AGAIN_SECONDS = 0.25
ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class Sent:
    """A film that was answered success: its UIDs, its data set's sha256 as encoded, when, after how many tries."""

    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str
    at: float
    tries: int


@dataclass
class Modality:
    """Several associations to one node, each a thread that sends what is given to it."""

    port: int
    associations: int
    title: str = "MODALITY"
    sent: list[Sent] = field(default_factory=list)
    again: Callable[[], bool] = bool
    """Whether a film that was answered success is sent once more, as a sender does that lost the answer."""
    _films: queue.SimpleQueue[Dataset | None] = field(default_factory=queue.SimpleQueue)
    _threads: list[threading.Thread] = field(default_factory=list)
    _given: int = 0

    def start(self) -> None:
        """Open the associations when there is something to send."""
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.associations)]
        for thread in self._threads:
            thread.start()

    def give(self, film: Dataset) -> None:
        """A film to send; returns at once."""
        self._given += 1
        self._films.put(film)

    @property
    def waiting(self) -> int:
        """Films that were not yet answered success."""
        return self._given - len(self.sent)

    def stop(self) -> None:
        """Send what is still to be sent, and close."""
        for _ in self._threads:
            self._films.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        ae = AE(self.title)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ANSWER_SECONDS
        assoc: Association | None = None
        while (film := self._films.get()) is not None:
            tries = 0
            for _ in range(1 + self.again()):
                done = False
                while not done:
                    tries += 1
                    if assoc is None or not assoc.is_established:
                        assoc = self._associate(ae, film)
                    done = assoc.is_established and _stored(assoc, film)
                    if not done:
                        assoc.abort()
                        time.sleep(AGAIN_SECONDS)
            self.sent.append(_sent(film, tries))
        if assoc is not None and assoc.is_established:
            assoc.release()

    def _associate(self, ae: AE, film: Dataset) -> Association:
        ae.requested_contexts = []
        ae.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
        handlers = [(evt.EVT_CONN_OPEN, _at_once)]
        return ae.associate("127.0.0.1", self.port, ae_title="NUMBERING", evt_handlers=handlers)


def _at_once(event: evt.Event) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _stored(assoc: Association, film: Dataset) -> bool:
    with suppress(RuntimeError, ValueError):  # the association ended meanwhile
        answer = assoc.send_c_store(film)
        return "Status" in answer and answer.Status == 0
    return False


def _sent(film: Dataset, tries: int) -> Sent:
    encoded = encode(film, is_implicit_vr=False, is_little_endian=True)
    return Sent(
        study_uid=str(film.StudyInstanceUID),
        series_uid=str(film.SeriesInstanceUID),
        sop_uid=str(film.SOPInstanceUID),
        digest=hashlib.sha256(encoded or b"").hexdigest(),
        at=time.time(),
        tries=tries,
    )


def as_new_study(film: Dataset) -> Dataset:
    """The film again, under new UIDs."""
    again = copy.deepcopy(film)
    again.StudyInstanceUID, again.SeriesInstanceUID, again.SOPInstanceUID = (generate_uid() for _ in range(3))
    again.file_meta.MediaStorageSOPInstanceUID = again.SOPInstanceUID
    return again
