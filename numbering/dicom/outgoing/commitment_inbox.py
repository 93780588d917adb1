"""Answers to storage commitment, durable files on their way from who hears them to who takes note of them.

::

    ROOT/asked/<transaction>                   an empty file for each request that was made
    ROOT/answers/<time>-…-<transaction>.json   what a destination answered, until it is `done`
    ROOT/answers/….spoilt, .….part             what the disk has spoilt, or a writer that died has left half written

Those who hear answers (the receiver, or the association that asked) have no database. They keep only what was asked
for, so that nobody else can fill the disk.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from uuid import uuid4

from numbering.durable import sync_folder
from numbering.uids import checked_uid

KEPT_SECONDS = 30 * 86400.0
"""A request is remembered for so long, so that late and repeated answers to it are still answered politely. What is
spoilt or half written is kept as long, for a person to see."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a destination says of a transaction: the instances that it keeps, and of the others why not (0008,1197)."""

    transaction_uid: str
    committed: tuple[str, ...] = ()
    failed: dict[str, int] = field(default_factory=dict)
    file: Path | None = None


class CommitmentInbox:
    """The folder of answers."""

    _numbers = count()

    def __init__(self, root: Path) -> None:
        self._asked, self._answers = root / "asked", root / "answers"
        for folder in (self._asked, self._answers):
            folder.mkdir(parents=True, exist_ok=True)

    def expect(self, transaction_uid: str) -> None:
        """From now on answers to this transaction are kept. To be called before it is asked for."""
        (self._asked / checked_uid(transaction_uid, "Transaction UID (0008,1195)")).touch()
        sync_folder(self._asked)

    def expects(self, transaction_uid: str) -> bool:
        """Whether this transaction was ever asked for."""
        return (self._asked / checked_uid(transaction_uid, "Transaction UID (0008,1195)")).exists()

    def keep(self, answer: Answer) -> None:
        """Keep an answer; when this returns it is durable. ``OSError`` when it cannot be kept."""
        text = {"transaction": answer.transaction_uid, "committed": answer.committed, "failed": answer.failed}
        part = self._answers / f".{uuid4().hex}.part"
        try:
            with part.open("x") as file:
                json.dump(text, file)
                file.flush()
                os.fsync(file.fileno())
            stamp = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}"
            part.rename(self._answers / f"{stamp}-{answer.transaction_uid}.json")
        finally:
            part.unlink(missing_ok=True)
        sync_folder(self._answers)

    def answers(self) -> list[Answer]:
        """What was kept and is not `done`, oldest first; a file that the disk has spoilt is put aside."""
        return [answer for file in sorted(self._answers.glob("*.json")) if (answer := _read(file))]

    def answered(self, transaction_uid: str) -> bool:
        """Whether an answer to this transaction waits here."""
        return any(self._answers.glob(f"*-{checked_uid(transaction_uid, 'Transaction UID (0008,1195)')}.json"))

    def done(self, answer: Answer) -> None:
        """Forget this answer, of which note was taken."""
        if answer.file is not None:
            answer.file.unlink(missing_ok=True)

    def forget_old(self) -> None:
        """Forget transactions that were asked for, and leftovers that were written, long ago."""
        oldest = time.time() - KEPT_SECONDS
        for file in (*self._asked.iterdir(), *self._answers.glob("*.spoilt"), *self._answers.glob(".*.part")):
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _read(file: Path) -> Answer | None:
    try:
        text = json.loads(file.read_bytes())
        failed = {str(uid): int(reason) for uid, reason in text["failed"].items()}
        committed = tuple(map(str, text["committed"]))
        return Answer(transaction_uid=str(text["transaction"]), committed=committed, failed=failed, file=file)
    except FileNotFoundError:  # another process has just taken note of it
        return None
    except (ValueError, LookupError, TypeError, AttributeError):
        file.rename(file.with_suffix(".spoilt"))
        return None
