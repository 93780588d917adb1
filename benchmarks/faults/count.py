"""The reckoning by UID: what was sent is stored, and each film's results are in the archive, once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from benchmarks.faults.modality import Sent
from numbering.dicom.part10 import split
from numbering.jobs.models import Job, ObjectRow
from numbering.jobs.states import State
from numbering.jobs.store import reading
from tests.archive import Archive

EXPECTED = ("SR", "PR")
CLASSES = {"1.2.840.10008.5.1.4.1.1.88.33": "SR", "1.2.840.10008.5.1.4.1.1.11.1": "PR"}


@dataclass
class Reckoning:
    """What differs from what must be, by UID; all empty when nothing was lost and nothing is there twice."""

    films: int = 0
    objects: int = 0
    not_stored: list[str] = field(default_factory=list)
    stored_otherwise: list[str] = field(default_factory=list)
    stored_never_sent: list[str] = field(default_factory=list)
    without_results: list[str] = field(default_factory=list)
    results_more_than_once: list[str] = field(default_factory=list)
    not_in_archive: list[str] = field(default_factory=list)
    only_in_archive: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """How many UIDs are not as they must be."""
        return sum(len(value) for value in vars(self).values() if isinstance(value, list))


def _digest(path: Path) -> str:
    return hashlib.sha256(split(path.read_bytes()).data_set).hexdigest()


def finished(engine: Engine, sent: Sequence[Sent]) -> int:
    """How many of these films have all their objects delivered; none while a killed database still recovers."""
    delivered = select(Job.study_uid).where(Job.state.in_([State.DELIVERED, State.COMMITTED]))
    try:
        with reading(engine) as session:
            done = set(session.scalars(delivered))
    except OperationalError:
        return 0
    return sum(film.study_uid in done for film in sent)


def reckon(spool: Path, engine: Engine, archive: Archive, sent: Sequence[Sent]) -> Reckoning:
    """Compare sender, spool, database and archive."""
    found = Reckoning(films=len({film.sop_uid for film in sent}))
    uids = {film.sop_uid for film in sent}
    stored = {path.stem: path for path in spool.glob("[0-9]*/*/*.dcm")}
    found.not_stored = sorted(uids - stored.keys())
    found.stored_never_sent = sorted(stored.keys() - uids)
    kept = [film for film in sent if film.sop_uid in stored]
    found.stored_otherwise = [film.sop_uid for film in kept if _digest(stored[film.sop_uid]) != film.digest]
    with reading(engine) as session:
        rows = session.execute(select(Job.study_uid, ObjectRow.sop_uid, ObjectRow.kind).join(ObjectRow)).all()
        bad = select(Job.study_uid).where(Job.state.in_([State.FAILED, State.QUARANTINED]))
        found.given_up = sorted(session.scalars(bad))
    found.objects = len(rows)
    kinds = Counter((study, kind) for study, _, kind in rows)
    for film in {film.study_uid: film for film in sent}.values():
        numbers = [kinds[film.study_uid, kind] for kind in EXPECTED]
        if min(numbers) < 1:
            found.without_results.append(film.study_uid)
        if max(numbers) > 1:
            found.results_more_than_once.append(film.study_uid)
        ours = {uid: kind for study, uid, kind in rows if study == film.study_uid}
        theirs = {uid: CLASSES.get(kind, kind) for uid, kind in archive.instances(film.study_uid).items()}
        found.not_in_archive += sorted(set(ours.items()) - set(theirs.items()))
        found.only_in_archive += sorted(set(theirs.items()) - set(ours.items()))
    return found
