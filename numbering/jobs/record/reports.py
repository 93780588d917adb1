"""A report of ours that a reader edited and the archive sent back: the renamed levels are taken over as corrections.

It is known by its predecessor, or by the tracking UIDs of its groups, which we made. What a group names is compared
with what we had written there; a name that is none, twice the same name or another study is refused as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from numbering.dicom.corrected import CorrectedReport, NamedGroup
from numbering.errors import Reason, ReasonCode
from numbering.jobs.models import Job, ObjectRow
from numbering.jobs.record.corrections import By, CannotCorrect, Filed, Said, file_in
from numbering.record.draft import draft_of
from numbering.record.filed import Filed as FiledResult
from numbering.record.model import Place
from numbering.result import NumberingResult
from numbering.uids import derived_uid


@dataclass(frozen=True)
class Taken:
    """What became of a report: its corrections, or why it was refused."""

    corrections: tuple[Filed, ...] = ()
    refused: Reason | None = None


@dataclass(frozen=True)
class _Structure:
    """Something that we had written: what it was called (None: not numbered), and where it is."""

    name: str | None
    place: Place | None


class _Refused(ValueError):
    """Why, as the end of a sentence."""


def take_report(
    session: Session, report: CorrectedReport, *, sop_uid: str, study_uid: str, trust_verified: bool
) -> Taken | None:
    """File what an edited report renames; None when it is no report of ours."""
    ours = _results(session, study_uid)
    known = {uid: each for result in ours for uid, each in _structures(result).items()}
    named = [group for group in report.groups if group.tracking_uid in known]
    if not named and not _names_ours(session, report):
        return None
    verified = trust_verified and bool(report.person and report.organisation)
    by = By(
        source="sr",
        account="corrected report",
        person=report.person if verified else "",
        organisation=report.organisation if verified else "",
    )
    try:
        said = _said(named, known, report, sop_uid, verified)
        with session.begin_nested():
            return Taken(tuple(file_in(session, each, by) for each in said))
    except (_Refused, CannotCorrect) as error:
        text = (
            f"report {sop_uid}: {error}; nothing of it was taken over. Correct it and send it under a UID of its own."
        )
        return Taken(refused=Reason(ReasonCode.CORRECTION_REFUSED, text))


def _results(session: Session, study_uid: str) -> Iterator[NumberingResult]:
    """All results of the study, whose groups the report may have."""
    jobs = session.scalars(
        select(Job).where(Job.study_uid == study_uid, Job.result.is_not(None)).order_by(Job.revision)
    )
    for job in jobs:
        yield NumberingResult.model_validate_json(job.result or "")


def _names_ours(session: Session, report: CorrectedReport) -> bool:
    own = select(ObjectRow.sop_uid).where(ObjectRow.sop_uid.in_(report.predecessors), ObjectRow.kind == "SR")
    return bool(report.predecessors) and session.scalar(own.limit(1)) is not None


def _structures(result: NumberingResult) -> dict[str, _Structure]:
    """By tracking UID, as `dicom/objects/groups.py` derives them."""
    found: dict[str, _Structure] = {}

    def add(kind: str, name: str | None, place: Place | None) -> None:
        found[derived_uid(result.identity(), f"tracking {kind}")] = _Structure(name, place)

    places = _places(result)
    for index, vertebra in enumerate(result.findings.vertebrae):
        add(f"vertebra {index}", vertebra.level, places.get((False, index)))
    for index, disc in enumerate(result.findings.discs):
        add(f"disc {index}", disc.level, places.get((True, index)))
    for index, candidate in enumerate(result.findings.candidates):
        left, top, right, bottom = candidate.box
        middle = Place(
            sop_instance_uid=candidate.sop_instance_uid,
            frame=candidate.frame,
            x=(left + right) / 2,
            y=(top + bottom) / 2,
        )
        add(f"candidate {index}", None, middle)
    return found


def _places(result: NumberingResult) -> dict[tuple[bool, int], Place]:
    """By whether it is a disc, and its number in the findings."""
    drafts = draft_of(FiledResult.of(result))
    members = (one for chain in drafts.chains for one in chain.members)
    return {(one.is_disc, one.own): one.place for one in members if one.own is not None and one.place is not None}


def _said(
    groups: Sequence[NamedGroup],
    known: Mapping[str, _Structure],
    report: CorrectedReport,
    sop_uid: str,
    verified: bool,
) -> list[Said]:
    """What the report says that had not been said; a verified one also says that the names it kept are right."""
    if report.fault:
        raise _Refused(report.fault)
    if not groups:
        raise _Refused("none of its groups has the tracking UID of a structure that we wrote")
    names = [_site(group, known[group.tracking_uid]) for group in groups]
    images = [_image(known[group.tracking_uid]) for group in groups]
    for (name, where), number in Counter(zip(names, images, strict=True)).items():
        if name is not None and number > 1:
            raise _Refused(f"{number} structures of image {where} are called {name}")
    said = []
    for group, name in zip(groups, names, strict=True):
        before = known[group.tracking_uid]
        if name is None or (name == before.name and not verified):
            continue
        if before.name is not None and ("-" in name) != ("-" in before.name):
            raise _Refused(f"what was {before.name} is called {name}, and a disc is no vertebra")
        if before.place is None:
            raise _Refused(f"the place of what was {before.name} is not known; correct a structure that has an outline")
        uid = derived_uid((sop_uid, group.tracking_uid), "correction")
        said.append(Said(place=before.place, name=name, uid=uid))
    return said


def _site(group: NamedGroup, before: _Structure) -> str | None:
    """The one name of a group; None for a candidate that is still not named."""
    if not group.sites and before.name is None:
        return None
    if len(group.sites) != 1:
        raise _Refused(f"a group has {len(group.sites)} finding sites; expected one")
    if group.sites[0] is None:
        raise _Refused("a finding site is no vertebra and no disc; expected a code of CID 7603 or 7604, or 99NUMBERING")
    return group.sites[0]


def _image(structure: _Structure) -> str:
    return structure.place.sop_instance_uid if structure.place else ""
