"""Level checks as they are kept: filed once, then never changed nor removed. There is no call here that could.

::

    stored = file_check(engine, answer, study_uid=study, asked_by="key or-2", evidence={...}, key_images=[...])
    check(engine, stored.uid), checks_of(engine, study)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, or_, select
from sqlalchemy.orm import Session

from numbering.jobs.models import now
from numbering.jobs.record.rows import CheckRow, IdentityRow, StudyRow
from numbering.jobs.store import reading, writing
from numbering.levelcheck import Check
from numbering.uids import checked_uid, random_uid

Evidence = Mapping[str, Any]
"""What the verdict rests on, as JSON: UIDs, names, bases, the record's version. Nothing of the patient."""


@dataclass(frozen=True, kw_only=True)
class StoredCheck:
    """A check as it was filed. ``key_images`` are paths in the data folder, ``asked_by`` a key's or account's name."""

    uid: str
    at: datetime
    asked_by: str
    check: Check
    study_uid: str | None
    evidence: Evidence
    key_images: tuple[str, ...]


class CheckExists(ValueError):
    """Another check stands under this UID: it is not replaced."""


def file_check(
    engine: Engine,
    check: Check,
    *,
    asked_by: str,
    study_uid: str | None = None,
    evidence: Evidence | None = None,
    key_images: Sequence[str] = (),
    uid: str | None = None,
    at: datetime | None = None,
) -> StoredCheck:
    """Keep a check for good. ``study_uid`` is the marked image's, None where that is not known.

    ``uid`` may be given where key images were named after it (`random_uid`); the same check filed again under its UID
    is the one that stands, another one is `CheckExists`.
    """
    chosen = checked_uid(uid or random_uid(), "the check's UID")
    study = checked_uid(study_uid, "Study Instance UID") if study_uid else None
    with writing(engine) as session:
        known = session.get(CheckRow, chosen)
        if known is not None:
            if known.answer != check.to_json():
                raise CheckExists(f"a check stands under {chosen}: it is never replaced; file this one under its own")
            return _stored(known)
        whose = session.get(StudyRow, study) if study else None
        row = CheckRow(
            uid=chosen,
            pseudonym=whose.pseudonym if whose else None,
            study_uid=study,
            at=at or now(),
            asked_by=asked_by,
            verdict=check.verdict.value,
            answer=check.to_json(),
            evidence=json.dumps(dict(evidence or {}), sort_keys=True),
            key_images=json.dumps(list(key_images)),
            policy=check.policy.model_dump_json(),
        )
        session.add(row)
        return _stored(row)


def check(engine: Engine, uid: str) -> StoredCheck:
    """The check of this UID; ``LookupError`` when there is none."""
    with reading(engine) as session:
        row = session.get(CheckRow, uid)
        if row is None:
            raise LookupError("there is no level check of this UID")
        return _stored(row)


def checks_of(engine: Engine, study_uid: str) -> list[StoredCheck]:
    """All checks of the patient whose study this is, oldest first; of this study alone where the patient is unknown."""
    with reading(engine) as session:
        of_study = CheckRow.study_uid == study_uid
        mine = or_(of_study, CheckRow.pseudonym.in_(_pseudonyms(session, study_uid)))
        return [
            _stored(row) for row in session.scalars(select(CheckRow).where(mine).order_by(CheckRow.at, CheckRow.uid))
        ]


def _pseudonyms(session: Session, study_uid: str) -> Sequence[str]:
    """All identifiers that were merged with that of this study's patient."""
    record = (
        select(IdentityRow.record_id)
        .join(StudyRow, StudyRow.pseudonym == IdentityRow.pseudonym)
        .where(StudyRow.study_uid == study_uid)
    )
    return session.scalars(select(IdentityRow.pseudonym).where(IdentityRow.record_id.in_(record))).all()


def _stored(row: CheckRow) -> StoredCheck:
    return StoredCheck(
        uid=row.uid,
        at=row.at,
        asked_by=row.asked_by,
        check=Check.model_validate_json(row.answer),
        study_uid=row.study_uid,
        evidence=json.loads(row.evidence),
        key_images=tuple(json.loads(row.key_images)),
    )
