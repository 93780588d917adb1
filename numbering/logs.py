"""The log: structlog to stderr, as JSON or for a person to read, and nothing of a patient in it.

Our own lines carry identifiers and numbers only: `without_patients` drops keys that could hold a person's data and
values that are not plain. What libraries log may quote a header, so of theirs only the place is kept, except for those
that never see one.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SUSPECT = re.compile(
    r"patient|birth|person|physician|operator|accession|address|phone|dataset|^ds$|^name$|_name$|description|comment"
    r"|exc_info|exception|stack|traceback",
    re.IGNORECASE,
)
"""Keys that could hold a person's data. Tracebacks end with an error's text, which may quote a header."""

TRUSTED = ("numbering", "celery", "kombu", "alembic", "amqp", "redis")
"""Loggers of software that never sees a DICOM header."""

_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, other ends of lines, and what turns the direction of writing."""
LONGEST = 2000
"""Characters of one value."""

PACKAGE = Path(__file__).parent


def place_of(error: BaseException) -> str:
    """Type and place of an error (``KeyError at numbering/jobs/steps.py:12``), never its arguments."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    if not frames:
        return type(error).__name__
    frame = (ours or list(frames))[-1]
    path = Path(frame.filename)
    shown = path.relative_to(PACKAGE.parent) if path.is_relative_to(PACKAGE) else Path(path.name)
    return f"{type(error).__name__} at {shown}:{frame.lineno}"


def without_patients(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop suspect keys and every value that is not plain; an error is replaced by its type and place."""
    return {key: _plain(value) for key, value in event.items() if key.startswith("_") or not SUSPECT.search(key)}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseException):
        return place_of(value)
    if isinstance(value, str):
        return _told(value)
    if value is None or isinstance(value, int | float | bool | logging.LogRecord):
        return value
    if isinstance(value, Path):
        return _told(str(value))
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_told(str(key)): _plain(item) for key, item in value.items() if not SUSPECT.search(str(key))}
    return f"<{type(value).__name__}>"


def _told(text: str) -> str:
    """The text as one line that a terminal takes no orders from: what a peer calls itself may hold anything."""
    shown = _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of a library's message keep where it was said; of Celery's, the message without its traceback."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord) and not record.name.startswith(TRUSTED):
        event["event"] = "a library's message, withheld"
        event["at"] = f"{Path(record.pathname).name}:{record.lineno}"
    raised = event.get("exc_info")
    if isinstance(raised, tuple) and isinstance(raised[1], BaseException) and "error" not in event:
        event["event"] = str(event["event"]).splitlines()[0].split(":")[0]  # behind a colon comes the error's text
        event["error"] = place_of(raised[1])
    return event


def _warn(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    del message, file, line  # pydicom's warnings quote the value that they dislike
    name = f"{category.__name__} at {Path(filename).name}:{lineno}"
    structlog.get_logger("numbering").debug("a warning, withheld", at=name)


def _broke_off(args: threading.ExceptHookArgs) -> None:
    structlog.get_logger("numbering").error("a thread broke off", error=args.exc_value)


def configure(level: str = "INFO", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send this process's log to stderr: JSON, or readable lines when stderr is a terminal."""
    stream = stream or sys.stderr
    readable = stream.isatty() if json is None else not json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer(default=str)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                _withhold,
                without_patients,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("numbering").setLevel(level)
    for name in ("pydicom", "pynetdicom", "highdicom", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they find wrong reaches us as status or exception
    warnings.showwarning = _warn
    threading.excepthook = _broke_off  # what it would print ends with the error's text, which may quote a header
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logger(name: str, **context: Any) -> structlog.stdlib.BoundLogger:
    """A logger of this module that says ``context`` in each line."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return bound.bind(**context) if context else bound


def bind(**context: Any) -> Any:
    """Say ``context`` in every line logged within this block: ``with bind(job=job_id):``."""
    return structlog.contextvars.bound_contextvars(**context)
