"""What the log says while a block runs, as a node would write it; the logging of the test session is put back after."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from numbering import logs


@contextmanager
def spoken(level: str = "DEBUG") -> Iterator[io.StringIO]:
    """The log's lines, as JSON."""
    root, show = logging.getLogger(), warnings.showwarning
    handlers, before, hook = root.handlers[:], root.level, threading.excepthook
    stream = io.StringIO()
    logs.configure(level, json=True, stream=stream)
    try:
        yield stream
    finally:
        root.handlers[:], root.level = handlers, before
        warnings.showwarning, threading.excepthook = show, hook
        structlog.reset_defaults()
        for name in ("numbering", "pydicom", "pynetdicom", "highdicom", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.NOTSET)
