"""One series' answer against its truth: names, L1's place, voxels, density. Knows findings, not networks.

A name lies on the vertebra whose body's middle is nearest to the place it was given to, within `REACH_MM` (the rule of
the VerSe challenge). A vertebra that the series cuts off may be named or not; its name must be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from numbering.packed import LabelVolume
from numbering.pipelines.ct.judging.cases import Case, Point, Scan, TrueBody
from numbering.result import Findings, Measurement, Status

REACH_MM = 20.0
CONFIDENT = 0.9
"""A wrong name with at least this probability is the worst that can be said."""
DENSITY = "trabecular-attenuation-l1"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the pipeline said of one case.

    ``right`` tells of each vertebra wholly in view whether its own name lies on it; ``justified`` whether what lies on
    it is what a perfect reader of the series would call it. ``probabilities`` are those of the names said, with whether
    they are right; ``extra`` counts names on no vertebra in view. Of L1: ``level_mm`` is the distance from the place
    said to the true one along the patient, None where none was said; ``hu`` what was measured minus what was drawn.
    ``dice`` is that of each vertebra wholly in view, 0 where it was not segmented under its name.
    """

    case: Case
    answered: bool
    reason: str
    right: Mapping[str, bool]
    justified: Mapping[str, bool]
    probabilities: tuple[tuple[float, bool], ...]
    extra: int
    level_mm: float | None
    dice: Mapping[str, float]
    hu: float | None
    findings: Findings

    @property
    def l1_right(self) -> bool:
        """Whether L1 was named, on L1."""
        return self.right.get("L1", False)

    @property
    def all_right(self) -> bool:
        """Whether every vertebra wholly in view bears its own name and nothing bears a wrong one."""
        return all(self.right.values()) and all(right for _, right in self.probabilities)

    @property
    def confident_wrong(self) -> bool:
        """Whether a name with a high probability is on another vertebra, or on none."""
        return any(probability >= CONFIDENT and not right for probability, right in self.probabilities)


def score(case: Case, scan: Scan, findings: Findings) -> Outcome:
    """Compare the findings of one series with its truth."""
    places = {one.level: np.array(one.centre_mm) for one in findings.vertebrae if one.centre_mm is not None}
    lies_on = {level: vertebra_at(place, case.bodies) for level, place in places.items()}
    names = {true: name for name, true in lies_on.items() if true is not None}
    whole = [level for level, body in case.bodies.items() if body.whole]
    return Outcome(
        case=case,
        answered=findings.status is Status.NUMBERED,
        reason=findings.reason.code if findings.reason else "",
        right={level: lies_on.get(level) == level for level in whole},
        justified={level: names.get(level) == case.read_as[level] for level in whole if level in case.read_as},
        probabilities=tuple(
            (one.probability, lies_on.get(one.level) == one.level) for one in findings.vertebrae if one.level in places
        ),
        extra=sum(true is None for true in lies_on.values()),
        level_mm=_off(places, case.bodies),
        dice=dice(findings.segmentation, scan, {level: case.bodies[level].label for level in whole}),
        hu=_hu_error(findings, case),
        findings=findings,
    )


def vertebra_at(place: Point, bodies: Mapping[str, TrueBody]) -> str | None:
    """The vertebra on which this point lies, mm LPS; None where none is within reach."""
    distances = {level: float(np.linalg.norm(body.centre_mm - place)) for level, body in bodies.items()}
    nearest = min(distances, key=distances.__getitem__, default=None)
    return nearest if nearest is not None and distances[nearest] <= REACH_MM else None


def _off(places: Mapping[str, Point], bodies: Mapping[str, TrueBody]) -> float | None:
    """How far the L1 that was said lies above or below the true one, mm."""
    if "L1" not in places or "L1" not in bodies:
        return None
    return float(abs(places["L1"][2] - bodies["L1"].centre_mm[2]))


def dice(said: LabelVolume | None, scan: Scan, labels: Mapping[str, int]) -> dict[str, float]:
    """Overlap 0…1 of each of these vertebrae (by name its true label) with the voxels said to be it.

    True voxels on every image count, also on those where nothing was said.
    """
    true = dict.fromkeys(labels, 0)
    for plane in scan.labels.values():
        counts = np.bincount(plane.ravel(), minlength=256)
        for level, label in labels.items():
            true[level] += int(counts[label])
    claimed, both = dict.fromkeys(labels, 0), dict.fromkeys(labels, 0)
    names = {} if said is None else {level: said.value_of(level) for level in labels if level in said.levels}
    for (uid, frame), values in said.labels() if said is not None else ():
        plane = scan.labels.get(uid if frame is None else f"{uid}#{frame}", np.zeros_like(values))
        for level, value in names.items():
            mask = values == value
            claimed[level] += int(np.count_nonzero(mask))
            both[level] += int(np.count_nonzero(mask & (plane == labels[level])))
    return {level: 2 * both[level] / max(true[level] + claimed[level], 1) for level in labels}


def _hu_error(findings: Findings, case: Case) -> float | None:
    """What was measured of L1's spongiosa minus what it was given."""
    said = density_of_l1(findings)
    return None if said is None or said.value is None or case.l1_hu is None else said.value - case.l1_hu


def density_of_l1(findings: Findings) -> Measurement | None:
    """The mean HU of L1's spongiosa among the measurements."""
    return next((one for one in findings.measurements if one.name == DENSITY), None)
