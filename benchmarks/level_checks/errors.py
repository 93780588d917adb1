"""How the names of a simulated patient's images go wrong. What is measured and what is assumed is said in `ASSUMED`.

A count from C2 goes wrong in two ways: a body is skipped or counted twice, which shifts every name below; or the
variant is misread (a rib overlooked, L6 taken for S1), which shifts the names below the junction though the count is
right. Either may be noticed; when it is not, the confidence of the whole image is one draw that all its names share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.level_checks.layout import PIXEL_MM, Spine
from numbering.anatomy import VARIANTS, Level, Variant
from numbering.weights import registry

LEVELS = tuple(Level)


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Rates of one image; the shares are of what goes wrong."""

    slipped: float = 0.015
    """A body skipped or counted twice between C3 and S1."""
    slip_noticed: float = 0.8
    """…and the gap or the double is noticed: the count is interrupted."""
    misread_unusual: float = 0.25
    """The variant of an unusual spine is misread."""
    misread_usual: float = 0.015
    """A usual spine is taken for an unusual one."""
    misread_noticed: float = 0.7
    """…and the record holds a contradiction or an unsettled variant."""
    sure_when_wrong: float = 0.15
    """Share of unnoticed errors with the confidence of a right count."""
    unsure_when_right: float = 0.03
    """Share of right counts with the confidence of a wrong one."""
    person_wrong: float = 0.002
    """A verified human correction is off by one."""
    transition_seen: float = 0.8
    """A transitional vertebra (Castellvi II or more, lumbarised S1) is suspected."""
    transition_imagined: float = 0.03
    """One is suspected where none is."""
    edge_mm: float = 1.0
    """Standard deviation of a corner."""

    def times(self, factor: float) -> Errors:
        """Everything that goes wrong with a name, this many times as often."""
        names = ("slipped", "misread_unusual", "misread_usual", "person_wrong")
        return replace(self, **{name: min(1.0, factor * getattr(self, name)) for name in names})


ASSUMED = (
    "assumed, measured nowhere: every rate of the error model below, and the shares of fields of view, plans and marks",
    "measured or published: prevalence of anomalies and sizes of vertebrae and discs (numbering.phantom.anatomy)",
    "measured: how often the AP pipeline is right, wrong, sure and silent (numbering/weights/registry.json); saved "
    "evaluations keep these rates and no single films, so its answers are drawn from the rates",
)


@dataclass(frozen=True)
class Named:
    """What a result calls each body of the image (None: not named), how sure, and whether the error was noticed."""

    names: tuple[Level | None, ...]
    probability: float
    interrupted: bool = False
    contradicted: bool = False


def counted(rng: np.random.Generator, spine: Spine, errors: Errors) -> Named:
    """A count from C2 to S1."""
    known, wrong, noticed = list(spine.levels), False, False
    interrupted = contradicted = False
    if rng.random() < (errors.misread_usual if spine.usual else errors.misread_unusual):
        known, wrong = _misread(rng, spine), True
        contradicted = noticed = rng.random() < errors.misread_noticed
    names: list[Level | None] = [*known]
    if rng.random() < errors.slipped:
        at = int(rng.integers(1, len(known)))
        names = _slipped(known, at, int(rng.choice([-1, 1])))
        wrong = True
        interrupted = rng.random() < errors.slip_noticed
        noticed = noticed or interrupted
    return Named(tuple(names), _confidence(rng, wrong and not noticed, errors), interrupted, contradicted)


def corrected(rng: np.random.Generator, spine: Spine, errors: Errors) -> Named:
    """Names that a person has verified: certain, and now and then off by one over the whole image."""
    names: list[Level | None] = [*spine.levels]
    if rng.random() < errors.person_wrong:
        names = _slipped(spine.levels, 1, int(rng.choice([-1, 1])))
    return Named(tuple(names), 1.0)


def by_appearance(rng: np.random.Generator, spine: Spine, view: str = "lumbar crop") -> Named:
    """The AP pipeline's one answer, drawn from its saved rates: the lowest lumbar-type vertebra is called L5."""
    rates = ap_rates(view)
    outcome = rng.choice(list(rates), p=list(rates.values()))
    names: list[Level | None] = [None] * len(spine.levels)
    if outcome == "abstained":
        return Named(tuple(names), 0.0)
    lowest = len(spine.levels) - 2
    names[lowest if outcome.startswith("right") else lowest + int(rng.choice([-1, 1]))] = Level.L5
    sure = outcome.endswith("sure")
    return Named(tuple(names), float(rng.uniform(0.9, 1.0) if sure else rng.uniform(0.45, 0.9)))


def ap_rates(view: str) -> Mapping[str, float]:
    """Rates of the installed AP pipeline on real films that did not train, usual spines, as saved by `evaluate`."""
    kept = registry()["ap-xray"].figures["evaluations"][0]
    row = next(one for one in kept["rows"] if (one["view"], one["anatomy"]) == (view, "normal"))
    figures = row["figures"]
    right, sure, wrong_sure = figures["level right"], figures["right ≥ 0.9"], figures["wrong ≥ 0.9"]
    rates = {"right sure": sure, "right": right - sure, "wrong sure": wrong_sure, "abstained": figures["abstained"]}
    return {**rates, "wrong": max(0.0, 1 - sum(rates.values()))}


def transition_evidence(rng: np.random.Generator, spine: Spine, errors: Errors) -> tuple[str, ...]:
    """What a record would hold of a suspicion at the sacrum."""
    transitional = ("castellvi-II", "castellvi-III", "castellvi-IV", "lumbarisation", "L4", "L6", "T11-L6", "T13-L4")
    there = any(one.startswith(transitional) for one in spine.anomalies)
    seen = rng.random() < (errors.transition_seen if there else errors.transition_imagined)
    return ("broad transverse process",) if seen else ()


def likely_variant(named: Sequence[Level | None]) -> Variant:
    """The variant that a count amounts to, as a record would believe it."""
    levels = {level for level in named if level}
    thoracic = 13 if Level.T13 in levels else 12 if Level.T12 in levels or Level.T11 not in levels else 11
    lumbar = 6 if Level.L6 in levels else 5 if Level.L5 in levels or Level.L4 not in levels else 4
    return Variant(thoracic, lumbar)


def blurred(rng: np.random.Generator, spine: Spine, errors: Errors) -> list[tuple[tuple[float, float], ...]]:
    """The corners as a detector gives them."""
    true = np.array(spine.corners)
    noisy = true + rng.normal(0, errors.edge_mm / PIXEL_MM, true.shape)
    return [tuple((float(x), float(y)) for x, y in corners) for corners in noisy]


def _misread(rng: np.random.Generator, spine: Spine) -> list[Level]:
    """The same bodies under another variant's names, counted from C2; what that variant lacks is called S1 and on."""
    names = [variant.levels()[1 : len(spine.levels) + 1] for variant in VARIANTS]
    others = [one for one in names if one != tuple(spine.levels)]
    near = sorted(others, key=lambda one: sum(a != b for a, b in zip(one, spine.levels, strict=True)))[:3]
    return list(near[int(rng.integers(len(near)))])


def _slipped(names: Sequence[Level], at: int, step: int) -> list[Level | None]:
    """A body that is not there was counted before ``at`` (+1), or the one at ``at`` was overlooked (−1).

    All below are named one too far, in the order of this spine's names and then the sacrum's.
    """
    order = [level for level in LEVELS if level in names or level >= Level.S1]
    moved: list[Level | None] = [
        name if index < at else order[min(order.index(name) + step, len(order) - 1)] for index, name in enumerate(names)
    ]
    if step < 0:
        moved[at] = None
    return moved


def _confidence(rng: np.random.Generator, wrong: bool, errors: Errors) -> float:
    sure = rng.random() < (errors.sure_when_wrong if wrong else 1 - errors.unsure_when_right)
    return float(rng.uniform(0.98, 1.0) if sure else rng.uniform(0.5, 0.98))
