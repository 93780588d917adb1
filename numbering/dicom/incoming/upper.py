"""pynetdicom's upper layer for an acceptor that stores: the state machine stays, the way of the objects is short.

Measured with CT slices, pynetdicom spends three quarters of a core on one association that it was not asked for: it
polls socket and queues a thousand times a second, reads 4 KiB at a time, and copies each object through four layers.
Here the thread of an association waits until there is something, reads whole PDUs into one buffer, and hands the values
of a C-STORE-RQ to `Storing` at once. Association, release, abort and all other services go through pynetdicom as ever.

What a sender may do is bounded here as well: the length of a PDU, the time that one takes, the size of a command.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import ssl
import threading
import time
from typing import Any, cast

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT, P_DATA

from numbering.dicom.incoming.command import StoreRequest, store_request, store_response
from numbering.dicom.incoming.inlet import Inlet
from numbering.dicom.incoming.limits import Pace
from numbering.dicom.incoming.storing import Storing
from numbering.dicom.incoming.waiting import LONGEST_WAIT_SECONDS, MonotonicTimer, Telling
from numbering.logs import bind, logger

log = logger(__name__)

P_DATA_TF = 0x04
LARGEST_REQUEST = 2**18
"""Bytes of an A-ASSOCIATE-RQ: 128 presentation contexts with thirty transfer syntaxes each are half of that."""
LARGEST_COMMAND = 2**16
LARGEST_OTHER = 33 * 2**20
"""Bytes of any message but C-STORE, which is held in memory; and of those together that wait to be served."""
MOST_WAITING = 8
"""Messages that may wait to be served. Without another agreement there is one (PS3.7 D.3.3.3)."""
CLOSING_SECONDS = 1.0
"""After the last PDU the peer has this long to close the connection, so that it reads what we said."""
LARGEST_WAKE = 2**17
"""Bytes to wait for at most before the thread is woken; the kernel keeps twice as much ready."""

INVALID_PDU, CONNECTION_CLOSED, ARTIM_EXPIRED = "Evt19", "Evt17", "Evt18"
ESTABLISHED, CLOSING = "Sta6", "Sta13"


class _TooSlow(Exception):
    """The peer does not finish what it began."""


class _Leave(Exception):
    """The association is to be aborted or the process ends."""


class StoringProvider(DULServiceProvider):
    """The upper layer of one association."""

    def __init__(
        self, assoc: Association, storing: Storing, pace: Pace, peer: str, number: str, maximum_pdu_bytes: int
    ) -> None:
        """``number`` names the association in every line of the log."""
        super().__init__(assoc)
        self._number = number
        self.news = threading.Event()
        self.to_user_queue = Telling(self.news)
        self._idle_timer, self.artim_timer = MonotonicTimer(60), MonotonicTimer(30)
        self._storing = storing
        self._pace = pace
        self._peer = peer
        self._maximum_pdu_bytes = maximum_pdu_bytes
        self._inlet = Inlet(2 * max(maximum_pdu_bytes, LARGEST_REQUEST))
        self._command = bytearray()
        self._context_id = 0
        self._request: StoreRequest | None = None
        self._other_bytes = 0
        self._read_again_at = 0.0
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._bell_lock = threading.Lock()

    # What others ask of this thread

    def send_pdu(self, primitive: Any) -> None:
        """Have a primitive sent."""
        super().send_pdu(primitive)
        self._ring()

    def kill_dul(self) -> None:
        """Have the thread end."""
        super().kill_dul()
        self._ring()

    def end(self) -> None:
        """Have the thread end, and wait for it; give back what it would have given back, if it could not start."""
        self.kill_dul()
        if self.ident is not None:
            self.join()
            return
        self._close_bell()
        if self.socket is not None:
            self.socket.close()

    def stop_dul(self) -> bool:
        """Have the thread end if nothing is open any more; whether it has."""
        if self.state_machine.current_state == "Sta1":
            self._kill_thread = True
            self._ring()
        return super().stop_dul()

    def _ring(self) -> None:
        with self._bell_lock:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def _close_bell(self) -> None:
        with self._bell_lock:
            os.close(self._bell)
            self._bell = -1

    # The thread

    def run_reactor(self) -> None:
        """Wait, read, act, until the association is over."""
        with bind(association=self._number, peer=self._peer):
            self._run()

    def _run(self) -> None:
        self._idle_timer.start()
        self.assoc._dul_ready.set()
        try:
            while not self._kill_thread:
                self._step()
        except Exception as error:  # noqa: BLE001 - a fault of this thread ends this association alone
            log.error("an association broke", error=error)
            self.assoc.is_aborted, self.assoc.is_established, self.assoc._kill = True, False, True
            self._kill_thread = True
            if self.socket is not None:
                self.socket._shutdown_socket()
        finally:
            self._close_bell()
            if self.assoc.requestor.primitive is None:
                cast(Any, self.to_user_queue).put(None)  # or a request that cannot come any more would be waited for
            self.news.set()

    def _step(self) -> None:
        if self.artim_timer.expired:
            self.event_queue.put(ARTIM_EXPIRED)
        elif not self._process_recv_primitive() and self.event_queue.empty() and self._readable():
            self._read_pdu_data()
            self._idle_timer.restart()
        try:
            event = self.event_queue.get(block=False)
        except queue.Empty:
            return
        self.state_machine.do_action(event)
        if self.state_machine.current_state == CLOSING:
            self._recv_pdu.queue.clear()  # not every action takes what it ignores
        self.news.set()

    def _readable(self) -> bool:
        """Wait a while for the peer or for a primitive to send; whether the peer has sent something."""
        open_socket = self._socket()
        if open_socket is None:
            self.event_queue.put(CONNECTION_CLOSED)
            return False
        if self.state_machine.current_state == CLOSING:
            if not self._wait(open_socket, CLOSING_SECONDS) and self.to_provider_queue.empty():
                assert self.socket is not None
                self.socket.close()
                return False
            return self._wait(open_socket, 0)
        paused = self._read_again_at - time.monotonic()
        if paused <= 0 and self._inlet.length:
            return True
        if paused > 0:  # the sender is faster than it may be: let TCP hold it back
            self._wait(None, min(paused, LONGEST_WAIT_SECONDS))
            self._idle_timer.restart()
            return False
        return self._wait(open_socket, min(LONGEST_WAIT_SECONDS, max(self.artim_timer.remaining, 0.0)))

    def _socket(self) -> socket.socket | None:
        found = self.socket.socket if self.socket is not None else None
        return found if found is not None and found.fileno() >= 0 else None

    def _wait(self, open_socket: socket.socket | None, seconds: float) -> bool:
        """Until the peer has sent something (true), the bell rings, or the time is over."""
        if isinstance(open_socket, ssl.SSLSocket) and open_socket.pending():
            return True
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if open_socket is not None:
            poll.register(open_socket, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(seconds * 1000)]
        if self._bell in ready:
            os.eventfd_read(self._bell)
            ready.remove(self._bell)
        return bool(ready)

    # PDUs

    def _read_pdu_data(self) -> None:
        """Read one PDU and act on it, or put the event that says what was wrong."""
        open_socket = self._socket()
        assert open_socket is not None
        waiting = self.artim_timer if self.state_machine.current_state == "Sta2" else self._idle_timer
        deadline = time.monotonic() + (waiting.timeout or LONGEST_WAIT_SECONDS)
        try:
            header = bytes(self._next(open_socket, 6, deadline))
            kind, length = header[0], int.from_bytes(header[2:6], "big")
            if kind == P_DATA_TF and self.state_machine.current_state == ESTABLISHED:
                self._read_data(open_socket, length, deadline)
            else:
                self._read_other(open_socket, header, length, deadline)
        except _TooSlow:
            self._complain("a PDU took too long")
        except _Leave:
            return
        except (OSError, EOFError):
            self.event_queue.put(CONNECTION_CLOSED)

    def _next(self, open_socket: socket.socket, size: int, deadline: float) -> memoryview:
        """The next so many bytes, once they are there; good until the next call."""
        while self._inlet.length < size:
            missing = size - self._inlet.length
            if isinstance(open_socket, ssl.SSLSocket):
                if self._wait(open_socket, max(0.0, deadline - time.monotonic())):
                    self._inlet.fill(open_socket, size)
                    continue
            else:
                try:
                    self._inlet.fill(open_socket, size, socket.MSG_DONTWAIT)
                    continue
                except BlockingIOError:
                    pass
                # Not to be woken for each segment of a large PDU.
                open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(missing, LARGEST_WAKE))
                ready = self._wait(open_socket, max(0.0, deadline - time.monotonic()))
                open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                if ready:
                    continue
            self._look_up(deadline)
        return self._inlet.take(size)

    def _look_up(self, deadline: float) -> None:
        """In the middle of a PDU: is this still wanted?"""
        if time.monotonic() >= deadline:
            raise _TooSlow
        waiting = list(self.to_provider_queue.queue)
        if self._kill_thread or any(isinstance(primitive, A_ABORT | A_P_ABORT) for primitive in waiting):
            raise _Leave

    def _read_other(self, open_socket: socket.socket, header: bytes, length: int, deadline: float) -> None:
        if not 1 <= header[0] <= 7:
            self._complain("a PDU of unknown type")
            return
        if length > (self._maximum_pdu_bytes if header[0] == P_DATA_TF else LARGEST_REQUEST):
            self._complain("a PDU longer than allowed")
            return
        pdu = bytearray(header + self._next(open_socket, length, deadline))
        try:
            decoded, event = self._decode_pdu(pdu)
        except Exception:  # noqa: BLE001 - pynetdicom raises all sorts on what is no PDU
            self._complain("a PDU that cannot be decoded")
            return
        self._recv_pdu.put(decoded)
        self.event_queue.put(event)

    def _complain(self, what: str) -> None:
        log.warning("an association is aborted", peer=self._peer, reason=what)
        self.event_queue.put(INVALID_PDU)

    # P-DATA (PS3.8 9.3.5, Annex E)

    def _read_data(self, open_socket: socket.socket, length: int, deadline: float) -> None:
        if length > self._maximum_pdu_bytes:
            self._complain("a PDU longer than was negotiated")
            return
        view = self._next(open_socket, length, deadline)
        while view:
            end = 4 + int.from_bytes(view[:4], "big")
            if end < 6 or end > len(view):
                self._complain("a presentation data value of a wrong length")
                return
            wrong = self._take(view[4], view[5], view[6:end])
            if wrong:
                self._complain(wrong)
                return
            view = view[end:]

    def _take(self, context_id: int, control: int, value: memoryview) -> str:
        """One fragment of a message; what is wrong with it, or nothing."""
        last = bool(control & 2)
        if self._request is not None:
            if control & 1 or context_id != self._context_id:
                return "a fragment that does not belong to the object"
            if not self._storing.write(value):
                return "an object beyond all bounds"
            if last:
                self._answer()
            return ""
        if not control & 1:
            self._other_bytes += len(value)
            if self._other_bytes > LARGEST_OTHER:
                return "a message beyond all bounds"
            self._pass_on(context_id, bytes((control,)) + value)
            return ""
        self._command += value
        if len(self._command) > LARGEST_COMMAND:
            return "a command beyond all bounds"
        return self._begin(context_id) if last else ""

    def _begin(self, context_id: int) -> str:
        """A command is whole."""
        command, self._command = bytes(self._command), bytearray()
        if context_id not in self.assoc._accepted_cx:
            return "a presentation context that was not accepted"
        request = store_request(command)
        if request is None:
            waiting = self.assoc.dimse.msg_queue.qsize()
            if waiting >= MOST_WAITING:
                return "more requests than may be open at once"
            if not waiting:
                self._other_bytes = 0
            self._pass_on(context_id, b"\x03" + command)
            return ""
        self._request, self._context_id = request, context_id
        syntax = self.assoc._accepted_cx[context_id].transfer_syntax[0]
        self._storing.begin(request, str(syntax), str(self.assoc.requestor.ae_title))
        if not request.has_data_set:
            self._answer()
        return ""

    def _pass_on(self, context_id: int, value: bytes) -> None:
        """Every other service is pynetdicom's."""
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, value))
        self.assoc.dimse.receive_primitive(primitive)
        self.news.set()

    def _answer(self) -> None:
        assert self._request is not None
        assert self.socket is not None
        status, comment = self._storing.finish()
        command = store_response(self._request, status, comment)
        value = (len(command) + 2).to_bytes(4, "big") + bytes((self._context_id, 0x03)) + command
        self.socket.send(b"\x04\x00" + len(value).to_bytes(4, "big") + value)
        self._request = None
        self._read_again_at = time.monotonic() + self._pace.wait_seconds(self._peer)
