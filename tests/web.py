"""A web room for tests: uvicorn on a socket of this machine, by the server that the room itself runs, in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from numbering.jobs.node import Node
from numbering.jobs.store import upgrade
from numbering.settings import Settings
from numbering.web.keys import Keys, Scope
from numbering.web.room import server_of


@dataclass
class RunningWeb:
    """A web room that answers."""

    node: Node
    server: uvicorn.Server
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers."""
        settings = self.node.settings
        return f"http{'s' if settings.web_certificate_file else ''}://127.0.0.1:{settings.web_port}"

    def key(self, *may: Scope, name: str = "tester") -> str:
        """A new key."""
        return Keys(self.node.settings.data).add(name, may)

    def client(self, *may: Scope, **options: Any) -> httpx.Client:
        """A client with a key that may do this (without any: no key)."""
        name = f"key-{len(self.clients)}"
        headers = {"Authorization": f"Bearer {self.key(*may, name=name)}"} if may else {}
        limits = httpx.Limits(max_keepalive_connections=0)  # else each client holds a connection of this address
        client = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20, limits=limits, **options)
        self.clients.append(client)
        return client

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.node.settings.web_port), timeout=10)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running_web(data: Path, **settings: Any) -> Iterator[RunningWeb]:
    """A web room with its data in this folder, stopped whatever happens."""
    limits = {"disk_minimum_mib": 0, "disk_minimum_percent": 0}
    node = Node.of(Settings(**{"data": data, "web_port": free_port(), **limits, **settings}))
    upgrade(node.engine)
    with serving(node) as web:
        yield web
    node.engine.dispose()


@contextmanager
def serving(node: Node) -> Iterator[RunningWeb]:
    """The web room of this node, stopped whatever happens."""
    server = server_of(node)
    thread = threading.Thread(target=server.run)
    thread.start()
    web = RunningWeb(node, server)
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)
        yield web
    finally:
        for client in web.clients:
            client.close()
        server.should_exit = True
        thread.join(20)
