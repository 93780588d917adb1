"""One film's answer against its truth: names, corners and angles. Knows findings, not networks.

A corner's error is divided by the true body's size (Cina 2021, Eqs. 1 and 2): x by its width, y by its height. S1 has
no height; both its errors are divided by its width, as the paper's text does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from numbering.phantom.imaging.film.angles import lordosis, sacral_slope
from numbering.pipelines.sagittal_xray.judging.cases import Case, Corners
from numbering.result import Findings, Status

CONFIDENT = 0.9
"""A wrong name with at least this probability is the worst that can be said."""
_LORDOSIS = re.compile(r"lumbar-lordosis-([a-z0-9]+)-([a-z0-9]+)")


@dataclass(frozen=True, kw_only=True)
class Corner:
    """Errors of one vertebra that was named as in truth: ``x`` and ``y`` as shares of its size, ``distance`` of its
    width; an entry a corner."""

    level: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    distance: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Angle:
    """A true angle in degrees and what was said of it: None when it was not given, then ``uncertainty`` is None too."""

    name: str
    true: float
    said: float | None
    uncertainty: float | None = None

    @property
    def error(self) -> float:
        """What was said minus what is true; ``ValueError`` when nothing was said."""
        if self.said is None:
            raise ValueError(f"{self.name} was not given: it has no error")
        return self.said - self.true


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the pipeline said of one case.

    ``right`` tells of each true vertebra whether its own name lies on it; ``justified`` whether what lies on it is what
    a perfect reader of the film would call it. ``probabilities`` are those of the names said, with whether they are
    right; ``extra`` counts names that lie on no vertebra in view.
    """

    case: Case
    answered: bool
    reason: str
    right: Mapping[str, bool]
    justified: Mapping[str, bool]
    probabilities: tuple[tuple[float, bool], ...]
    extra: int
    corners: tuple[Corner, ...]
    angles: tuple[Angle, ...]
    findings: Findings

    @property
    def confident_wrong(self) -> bool:
        """Whether a name with a high probability is on another vertebra, or on none."""
        return any(probability >= CONFIDENT and not right for probability, right in self.probabilities)

    @property
    def worst_corner(self) -> float:
        """The largest distance between a named vertebra's corner and its truth, in widths; 0 when nothing was named."""
        return max((distance for one in self.corners for distance in one.distance), default=0.0)

    @property
    def worst_angle(self) -> float:
        """The largest error of an angle that was given, degrees."""
        return max((abs(one.error) for one in self.angles if one.said is not None), default=0.0)


def score(case: Case, findings: Findings) -> Outcome:
    """Compare the findings of one film with its truth."""
    said = {one.level: one for one in findings.vertebrae if one.corners or one.endplate}
    places = {level: np.array(one.endplate or one.corners, float) for level, one in said.items()}
    lies_on = {level: vertebra_at(places[level], case.levels) for level in places}
    names = {true: name for name, true in lies_on.items() if true is not None}
    return Outcome(
        case=case,
        answered=findings.status is Status.NUMBERED,
        reason=findings.reason.code if findings.reason else "",
        right={level: lies_on.get(level) == level for level in case.levels},
        justified={level: names.get(level) == case.read_as[level] for level in case.levels if level in case.read_as},
        probabilities=tuple((one.probability, lies_on[level] == level) for level, one in said.items()),
        extra=sum(true is None for true in lies_on.values()),
        corners=tuple(_corner(level, places[level], case.levels[level]) for level in case.levels if level in places),
        angles=_angles(case, findings),
        findings=findings,
    )


def size_of(corners: Corners) -> tuple[float, float]:
    """Width and height of a body in pixels, means of both endplates and of both walls; S1's width stands for both."""
    upper = float(np.linalg.norm(corners[1] - corners[0]))
    if len(corners) == 2:
        return upper, upper
    lower = float(np.linalg.norm(corners[2] - corners[3]))
    walls = np.linalg.norm(corners[3] - corners[0]), np.linalg.norm(corners[2] - corners[1])
    return (upper + lower) / 2, float(sum(walls)) / 2


def _corner(level: str, said: Corners, true: Corners) -> Corner:
    width, height = size_of(true)
    offset = said[: len(true)] - true[: len(said)]
    return Corner(
        level=level,
        x=tuple(np.abs(offset[:, 0]) / width),
        y=tuple(np.abs(offset[:, 1]) / height),
        distance=tuple(np.linalg.norm(offset, axis=1) / width),
    )


def vertebra_at(corners: Corners, levels: Mapping[str, Corners]) -> str | None:
    """The vertebra in view on whose middle these corners' middle lies: the nearest, within half a body's diagonal."""
    if not levels:
        return None
    middle = corners.mean(0)
    distances = {level: float(np.linalg.norm(true.mean(0) - middle)) for level, true in levels.items()}
    nearest = min(distances, key=distances.__getitem__)
    width, height = size_of(levels[nearest])
    return nearest if distances[nearest] <= float(np.hypot(width, height)) / 2 else None


def _angles(case: Case, findings: Findings) -> tuple[Angle, ...]:
    """Every true angle with what was said; and what was said under another name, with the truth of that name."""
    said = {one.name: one for one in findings.measurements if one.unit == "deg"}
    true = dict(case.angles)
    for name, one in said.items():
        if name not in true and one.value is not None and (value := true_angle(name, case.levels)) is not None:
            true[name] = value
    return tuple(
        Angle(
            name=name,
            true=value,
            said=said[name].value if name in said else None,
            uncertainty=said[name].uncertainty if name in said and said[name].value is not None else None,
        )
        for name, value in true.items()
    )


def true_angle(name: str, levels: Mapping[str, Corners]) -> float | None:
    """The angle of this name between true endplates; None when one is not in view or the name is no such angle."""
    if name == "sacral-slope":
        return sacral_slope(levels["S1"]) if "S1" in levels else None
    match = _LORDOSIS.fullmatch(name)
    if match is None:
        return None
    first, last = (part.upper() for part in match.groups())
    if first not in levels or last not in levels:
        return None
    lower = levels[last] if last == "S1" else levels[last][[3, 2]]
    return lordosis(levels[first][:2], lower)
