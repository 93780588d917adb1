"""How many instances of a series are here, and how many there should be, as far as anybody said.

Believed in this order:

1. **Announcements** (MPPS, Instance Availability): they name the instances. All of them are expected, and whatever
   else has arrived.
2. **Number of Series Related Instances** (0020,1209) in the objects, the largest that one of them states. A number that
   arrivals have exceeded is wrong and no longer believed.
3. **Images in Acquisition** (0020,1002), which is less than it seems: one acquisition may give several series, one
   series may hold several acquisitions, and of multi-frame objects nobody knows what is counted. It is compared with
   the instances of that acquisition (0020,0012) in the *whole study*, single-frame ones only; it may hold a series
   back, and never says that one is complete.

Where retention has removed images of the series, these are expected again, whatever the others say: a part of an old
series is not numbered as if it were all of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from numbering.errors import Reason, ReasonCode
from numbering.jobs.models import AnnouncedInstance, InstanceRow, SeriesRow

COUNTED = ("image", "own", "unreadable")
"""Kinds of instances that are one of their series each; updates and conflicts come under the UID of another."""


class Source(StrEnum):
    """Who says how many instances a series has."""

    MPPS = "mpps"
    AVAILABILITY = "ian"
    HEADER = "header"
    ACQUISITION = "acquisition"
    REMOVED = "removed"


CERTAIN = (Source.MPPS, Source.AVAILABILITY, Source.HEADER)
"""Who can say that a series is whole."""

_SAID_BY = {
    Source.MPPS: "the modality's performed procedure step",
    Source.AVAILABILITY: "the archive's instance availability notification",
    Source.HEADER: "Number of Series Related Instances (0020,1209)",
    Source.ACQUISITION: "Images in Acquisition (0020,1002)",
    Source.REMOVED: "what had been received before retention removed it",
}


@dataclass(frozen=True)
class Tally:
    """``found`` of ``expected`` instances; ``expected`` is None where nobody said, or what was said cannot be."""

    found: int
    expected: int | None = None
    by: Source | None = None

    @property
    def missing(self) -> bool:
        """Whether more are to come, as far as anybody said."""
        return self.expected is not None and self.found < self.expected

    @property
    def sentence(self) -> str:
        """``found 3 of 5 instances (expected by …)``."""
        if self.expected is None or self.by is None:
            return f"found {self.found} instances"
        return f"found {self.found} of {self.expected} instances, by {_SAID_BY[self.by]}"

    @classmethod
    def of(cls, series: SeriesRow) -> Tally:
        """As last counted."""
        return cls(series.found or 0, series.expected, Source(series.expected_by) if series.expected_by else None)


def count(session: Session, series: SeriesRow) -> Tally:
    """Count a series anew, and note the result in its row."""
    tally = _count(session, series)
    series.found, series.expected, series.expected_by = tally.found, tally.expected, tally.by and tally.by.value
    return tally


def incomplete(series: SeriesRow) -> Reason:
    """Why a series is held that lacks instances."""
    return Reason(
        ReasonCode.SERIES_INCOMPLETE,
        f"series {series.series_uid}: {Tally.of(series).sentence}; expected the others within `incomplete_seconds` "
        "of the last. Send those that are missing, or the whole series again.",
    )


def _count(session: Session, series: SeriesRow) -> Tally:
    this_series = InstanceRow.study_uid == series.study_uid, InstanceRow.series_uid == series.series_uid
    columns = InstanceRow.sop_uid, InstanceRow.removal, InstanceRow.series_related_instances
    rows = session.execute(select(*columns).where(*this_series, InstanceRow.kind.in_(COUNTED))).all()
    here = {row.sop_uid for row in rows if row.removal is None}
    known = {row.sop_uid for row in rows}
    stated = max((row.series_related_instances or 0 for row in rows), default=0)
    announced = _announced(session, series)
    everything = max(len(known | announced.keys()), stated)
    if known != here:
        return Tally(len(here), everything, Source.REMOVED)
    if announced:
        return Tally(len(here), everything, sorted(announced.values())[-1])
    if stated >= max(len(here), 1):
        return Tally(len(here), stated, Source.HEADER)
    lacking = _lacking_acquisitions(session, series)
    return Tally(len(here), len(here) + lacking, Source.ACQUISITION) if lacking else Tally(len(here))


def _announced(session: Session, series: SeriesRow) -> dict[str, Source]:
    columns = AnnouncedInstance.sop_uid, AnnouncedInstance.source
    this_series = AnnouncedInstance.study_uid == series.study_uid, AnnouncedInstance.series_uid == series.series_uid
    return {row.sop_uid: Source(row.source) for row in session.execute(select(*columns).where(*this_series))}


def _lacking_acquisitions(session: Session, series: SeriesRow) -> int:
    """How many images the acquisitions of this series state that the study does not hold."""
    columns = InstanceRow.sop_uid, InstanceRow.series_uid, InstanceRow.acquisition_number
    rows = session.execute(
        select(*columns, InstanceRow.images_in_acquisition).where(
            InstanceRow.study_uid == series.study_uid,
            InstanceRow.kind == "image",
            InstanceRow.images_in_acquisition.is_not(None),
        )
    ).all()
    arrived: defaultdict[tuple[int | None, int], set[str]] = defaultdict(set)
    for row in rows:
        arrived[row.acquisition_number, row.images_in_acquisition].add(row.sop_uid)
    ours = {(row.acquisition_number, row.images_in_acquisition) for row in rows if row.series_uid == series.series_uid}
    return sum(max(0, stated - len(arrived[number, stated])) for number, stated in ours)
