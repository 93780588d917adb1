"""What this process logs, in memory, as a node would write it."""

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
def logged(*, json: bool = True) -> Iterator[io.StringIO]:
    """While the block runs, the log goes here, as JSON or as a person reads it; afterwards all is as it was."""
    root, show, hook = logging.getLogger(), warnings.showwarning, threading.excepthook
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("DEBUG", json=json, stream=stream)
    try:
        yield stream
    finally:
        root.handlers[:], root.level = handlers, level
        warnings.showwarning, threading.excepthook = show, hook
        structlog.reset_defaults()
        for name in ("numbering", "pydicom", "pynetdicom", "highdicom"):
            logging.getLogger(name).setLevel(logging.NOTSET)
