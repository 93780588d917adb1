"""A receiver of webhooks for tests: an HTTP server on this machine that keeps what it was told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """What came, and what is answered: a status, or silence (0)."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """(path, headers in lower case, body)"""
    silence: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiver(context: ssl.SSLContext | None = None, **answers: object) -> Iterator[Receiver]:
    """Listen on a free port, with TLS when a context is given."""
    state = Receiver(**answers)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.told.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if not state.status:
                state.silence.wait(30)
                return
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"x" * 100)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.silence.set()
        server.shutdown()
        thread.join()
        server.server_close()
