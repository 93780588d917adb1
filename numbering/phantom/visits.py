"""The patient's record: when which studies were made, by which equipment, and how old the patient was then.

Plain data without DICOM; `numbering.phantom.dicom.header` turns a visit into study, series and equipment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from numbering.phantom.anatomy.ageing import aged
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.pose import Array
from numbering.phantom.splits import styles_for

Kind = Literal["films", "ct", "mr"]
KINDS: tuple[Kind, ...] = ("films", "ct", "mr")
"""What a visit may hold, a study each."""
FIRST_DAY = date(2014, 1, 1)
_DAYS_AFTER = {"films": 0, "mr": 9, "ct": 16}
"""Within a visit: the film on the day, MR and CT some days later."""
MOST_VISITS = 6


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One study of a patient: films, a CT or an MR examination of one day.

    ``patient`` is as on that day. ``rendering`` names what else decides the pixels and headers beside seed and
    anomalies (shape source, flaws): it goes into every UID, since other bytes need another UID.
    """

    number: int
    """1, 2, … in the order of time; the studies of one visit share it."""
    kind: Kind
    day: date
    patient: Patient
    style: str
    """A name of `numbering.phantom.styles.STYLES`: the equipment, its language and habits."""
    origin_mm: tuple[float, float, float]
    """DICOM patient coordinates of this study are those of the phantom's patient frame plus this, x, y, z in LPS: the
    scanner's origin is not the patient's. All series of one study share it and the frame of reference."""
    rendering: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()
    """Names of `numbering.phantom.dicom.flaws.FLAWS`."""

    @property
    def seed(self) -> tuple[int, int, int]:
        """Start of every random generator of this study: ``np.random.default_rng([*visit.seed, …])``."""
        return self.patient.seed, 7 + self.number, KINDS.index(self.kind)

    def in_scanner(self, points: Array) -> Array:
        """Points ``(n, 3)`` of the phantom's patient frame, in the DICOM coordinates of this study."""
        return np.asarray(points + np.array(self.origin_mm))


def record(
    patient: Patient,
    kinds: Sequence[Kind] = KINDS,
    *,
    visits: int = 1,
    style: str | None = None,
    rendering: tuple[str, ...] = (),
    flaws: tuple[str, ...] = (),
) -> tuple[Visit, ...]:
    """The studies of a patient in the order of time, one for each kind and visit.

    The first visit is the patient as sampled and holds the film alone where there are several visits (as records do);
    the last holds every kind; one between, one to all of them. Visits are 1 to 6 years apart. What a visit is does not
    depend on which kinds are asked for. ``style`` None draws one for each kind from those that this seed may have.
    ``ValueError`` when ``visits`` is not 1 to 6.
    """
    if not 1 <= visits <= MOST_VISITS:
        raise ValueError(f"{visits} visits: expected 1 to {MOST_VISITS}")
    rng = np.random.default_rng([patient.seed, 30])
    day = FIRST_DAY + timedelta(days=int(rng.integers(0, 365 * 5)))
    years = np.concatenate([[0], np.cumsum(rng.integers(1, 7, MOST_VISITS - 1))])
    days = rng.integers(0, 120, MOST_VISITS)
    held = rng.random((MOST_VISITS, len(KINDS))) < 0.6
    names = styles_for(patient.seed)
    drawn = rng.integers(0, len(names), (MOST_VISITS, len(KINDS)))
    origins = rng.normal(0, (12, 10, 60), (MOST_VISITS, len(KINDS), 3)) + (0, 0, -150)
    found = []
    for number in range(1, visits + 1):
        at = number - 1
        then = aged(patient, int(years[at]))
        for index, kind in enumerate(KINDS):
            if kind not in kinds or not _holds(number, visits, kind, held[at, index], kinds):
                continue
            x, y, z = (round(float(value), 1) for value in origins[at, index])
            when = day + timedelta(days=int(365.25 * years[at]) + int(days[at]) + _DAYS_AFTER[kind])
            found.append(
                Visit(
                    number=number,
                    kind=kind,
                    day=when,
                    patient=then,
                    style=style or names[drawn[at, index]],
                    origin_mm=(x, y, z),
                    rendering=rendering,
                    flaws=flaws,
                )
            )
    return tuple(sorted(found, key=lambda visit: visit.day))


def _holds(number: int, visits: int, kind: Kind, drawn: bool, kinds: Sequence[Kind]) -> bool:
    if number == visits:
        return True
    if number == 1 and "films" in kinds:
        return kind == "films"
    return bool(drawn)
