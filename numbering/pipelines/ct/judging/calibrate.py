"""Fixing the operating point on validation series: how far the networks are to be believed, and when to answer.

What the instance network says of its own spread, of ribs and of the sacrum, and how often the direct network is right,
beside, silent or wrong, are counted on bodies of normal anatomy whose truth is known. The threshold weighs a wrong
answer as several abstentions; series without L1 count, so that they are abstained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numbering.anatomy import Level
from numbering.enumeration import Numbering
from numbering.pipelines.ct.judging.cases import Case
from numbering.pipelines.ct.judging.scoring import vertebra_at
from numbering.pipelines.ct.judging.variants import Looks
from numbering.pipelines.ct.levels import place
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.pipeline import Ct
from numbering.pipelines.ct.reading.answer import Reader, Reading
from numbering.pipelines.judging.calibration import FEWEST_EXAMPLES, weights_as_in_people

COST_OF_A_WRONG_ANSWER = 5.0
"""A series with a wrong name, or an answer without L1 in view, weighs as much as this many abstentions."""
THRESHOLDS: tuple[float, ...] = (0.995, 0.99, *np.round(np.arange(0.98, 0.49, -0.02), 2).tolist())
LEAST_TRUST, MOST_TRUST = 0.5, 4.0
"""Log-odds that one sign may speak at least and at most."""
LEAST_SHARE = 0.005
"""No error of the direct network is rarer than that, however few there were."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What was seen of one series, without its voxels, and which true vertebra each piece lies on."""

    case: Case
    reading: Reading
    lies_on: tuple[str | None, ...]


def fit(pipeline: Ct, cases: Sequence[Case], progress: Callable[[Case], None] = lambda case: None) -> OperatingPoint:
    """The operating point for these validation cases; ``ValueError`` when nothing is found on any."""
    start = replace(pipeline.point, answer=0.0, level_temperature=1.0)
    looks = Looks(pipeline.reader.eyes)
    looked = []
    for case in cases:
        looked.append(look(looks, start, case))
        progress(case)
    if not any(one.reading.found for one in looked):
        raise ValueError(f"cannot calibrate: nothing was found in {len(cases)} series; train longer")
    point = replace(start, level_temperature=level_temperature(looked), **trusts(looked), **direct(looked, start))
    return replace(point, answer=threshold(Reader(pipeline.reader.eyes, point), looked))


def look(looks: Looks, point: OperatingPoint, case: Case) -> Looked:
    """Let the networks look at a case, and forget its voxels."""
    reading = looks.reading(case.scan().stack, point)
    empty = replace(reading.working, hu=np.zeros((0, 0, 0), np.int16))
    lies_on = tuple(vertebra_at(body.centre_mm, case.bodies) for body in reading.bodies)
    return Looked(case, replace(reading, working=empty), lies_on)


def level_temperature(looked: Sequence[Looked]) -> float:
    """What the stated spreads are multiplied by so that the true places are likeliest under Laplace distributions."""
    shares = [
        abs(one.level - place(Level.parse(level))) / one.spread
        for each in looked
        if each.case.normal
        for one, level in zip(each.reading.found, each.lies_on, strict=True)
        if level is not None
    ]
    return round(float(np.mean(shares)), 4) if len(shares) >= FEWEST_EXAMPLES else 1.0


def trusts(looked: Sequence[Looked]) -> dict[str, float]:
    """Log-odds of how often ribs and sacrum were told right, of normal anatomy."""
    ribs, sacra = [], []
    for each in looked:
        if not each.case.normal:
            continue
        for one, level in zip(each.reading.found, each.lies_on, strict=True):
            if level is not None:
                ribs.append((one.rib >= 0.5) is level.startswith("T"))
                sacra.append((one.sacrum >= 0.5) is (level == "L5"))
    found = {"rib_trust": ribs, "sacrum_trust": sacra}
    return {name: _log_odds(right) for name, right in found.items() if len(right) >= FEWEST_EXAMPLES}


def _log_odds(right: Sequence[bool]) -> float:
    share = (sum(right) + 1) / (len(right) + 2)
    return round(float(np.clip(np.log(share / (1 - share)), LEAST_TRUST, MOST_TRUST)), 4)


def direct(looked: Sequence[Looked], point: OperatingPoint) -> dict[str, float]:
    """How often the direct network finds L1, its neighbour or nothing where L1 is, and something where it is not."""
    there, missing = {"right": 0, "beside": 0, "missed": 0, "elsewhere": 0}, [0, 0]
    for each in looked:
        seen = each.reading.direct
        said = seen.volume_mm3 >= point.direct_mm3
        if "L1" not in each.case.bodies:
            missing[said] += 1
        elif each.case.shows_l1:
            there[_which(each) if said else "missed"] += 1
    found: dict[str, float] = {}
    if (total := sum(there.values())) >= FEWEST_EXAMPLES:
        share = {name: max(LEAST_SHARE, (count + 0.5) / (total + 2)) for name, count in there.items()}
        found |= {
            "direct_right": 1 - share["beside"] - share["missed"] - share["elsewhere"],
            "direct_beside": share["beside"],
            "direct_missed": share["missed"],
        }
    if sum(missing) >= FEWEST_EXAMPLES:
        found["direct_false"] = max(LEAST_SHARE, (missing[True] + 0.5) / (sum(missing) + 1))
    return {name: round(value, 4) for name, value in found.items()}


def _which(each: Looked) -> str:
    """What the direct network's L1 lies on, as the vertebrae that were found tell it."""
    shares = each.reading.direct.shares
    if not len(shares) or shares.max() <= each.reading.direct.elsewhere:
        return "elsewhere"
    level = each.lies_on[int(np.argmax(shares))]
    return {"L1": "right", "T11": "beside", "T12": "beside", "T13": "beside", "L2": "beside"}.get(
        str(level), "elsewhere"
    )


def threshold(reader: Reader, looked: Sequence[Looked]) -> float:
    """The threshold with the least cost on these series; of equals, the most cautious."""
    numberings = [reader.decoded(each.reading) if each.reading.found else None for each in looked]
    weights = weights_as_in_people([each.case.normal for each in looked])
    costs = {}
    for least in THRESHOLDS:
        reader.point = replace(reader.point, answer=least)
        each_cost = (_cost(each, one, reader) for each, one in zip(looked, numberings, strict=True))
        costs[least] = sum(weight * cost for weight, cost in zip(weights, each_cost, strict=True))
    return min(THRESHOLDS, key=lambda least: (costs[least], -least))


def _cost(each: Looked, numbering: Numbering | None, reader: Reader) -> float:
    """Of one series: nothing for a right answer, and for an abstention where L1 is not in view."""
    abstained = 1.0 if each.case.shows_l1 else 0.0
    if numbering is None:
        return abstained
    answer = reader.checked(each.reading, numbering)
    if answer.refused:
        return abstained
    right = all(each.lies_on[place] == str(level) for level, place in answer.named.items())
    return 0.0 if right else COST_OF_A_WRONG_ANSWER
