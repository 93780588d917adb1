"""A correction from beginning to end, as the command and the REST call make it: filed, told, concluded, rung for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numbering.audit import Peer, trail
from numbering.jobs.node import Node
from numbering.jobs.record.concluding import Concluded, conclude_record
from numbering.jobs.record.corrections import By, Filed, Said, corrections, file_corrections, withdraw
from numbering.logs import logger

REPORT = "1.2.840.10008.5.1.4.1.1.88.33"
"""Comprehensive SR: what a correction changes."""

log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """What was filed, and the jobs that say it: their reports are written and sent by the node's workers."""

    filed: tuple[Filed, ...]
    made: tuple[Concluded, ...]


def correct(node: Node, said: Sequence[Said], by: By, peer: Peer) -> Corrected:
    """File what a person says and conclude from it. `CannotCorrect` says why nothing was filed."""
    filed = file_corrections(node.engine, said, by)
    for study_uid in {each.study_uid for each in filed}:
        _tell(node, study_uid, peer)
    for each in filed:
        log.info("a level is corrected", correction=each.uid, was=each.was, name=each.name, verified=each.verified)
    return Corrected(filed=tuple(filed), made=_concluded(node, {each.record_id for each in filed}))


def take_back(node: Node, uid: str, by: By, peer: Peer) -> tuple[Concluded, ...]:
    """Take a correction back. ``LookupError`` when none of this UID stands."""
    record_id = withdraw(node.engine, uid, by)
    for row in corrections(node.engine, withdrawn=True):
        if row.uid == uid:
            _tell(node, row.study_uid, peer)
    log.info("a correction is taken back", correction=uid)
    return _concluded(node, {record_id})


def _tell(node: Node, study_uid: str, peer: Peer) -> None:
    trail(node.settings).accessed(study_uid, {REPORT: 1}, action="U", user=peer)


def _concluded(node: Node, records: set[str]) -> tuple[Concluded, ...]:
    made = [each for record_id in sorted(records) for each in conclude_record(node.engine, record_id)]
    for each in made:
        node.bell.encode(each.job_id)
    return tuple(made)
