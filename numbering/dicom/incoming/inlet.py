"""What comes from a socket, in one piece of memory that is used again and again."""

from __future__ import annotations

import socket


class Inlet:
    """What has come from the peer and was not yet looked at, in one piece of memory."""

    def __init__(self, size: int) -> None:
        self._bytes = memoryview(bytearray(size))
        self._start = self._end = 0

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return self._end - self._start

    def fill(self, open_socket: socket.socket, size: int, flags: int = 0) -> None:
        """Read what there is, with room for ``size`` bytes in all; ``EOFError`` when the peer has closed."""
        if self._start + size > len(self._bytes) or self._start == self._end:
            length = self.length
            self._bytes[:length] = self._bytes[self._start : self._end]
            self._start, self._end = 0, length
        received = open_socket.recv_into(self._bytes[self._end :], 0, flags)
        if not received:
            raise EOFError
        self._end += received

    def take(self, size: int) -> memoryview:
        """The first bytes; good until the next `fill`."""
        view = self._bytes[self._start : self._start + size]
        self._start += size
        return view
