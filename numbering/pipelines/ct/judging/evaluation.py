"""Every case through the pipeline, and the tables: direct, instances and both; normal and anomalous anatomy and each
source of shapes apart; before and after abstention; and the series that do not show L1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numbering.pipelines.ct.judging.cases import Case
from numbering.pipelines.ct.judging.figures import (
    density,
    headline,
    interval,
    reliability,
    table_of_levels,
    without_l1,
)
from numbering.pipelines.ct.judging.scoring import Outcome, score
from numbering.pipelines.judging.intervals import counts
from numbering.result import Findings, ModelIdentity
from numbering.stack import Stack

METHODS: Mapping[str, frozenset[str]] = {
    "combined": frozenset(),
    "direct": frozenset({"instances"}),
    "instances": frozenset({"direct"}),
}
"""The rows of Table 2 by what is left out for them."""


class Method(Protocol):
    """The pipeline, whole or with parts left out."""

    identity: ModelIdentity

    def number(self, images: Sequence[Stack]) -> Findings:
        """See `numbering.pipelines.Pipeline`."""
        ...


Build = Callable[[frozenset[str]], Method]
"""Gives the pipeline without these `PARTS` of `commands`."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One case: the pipeline's ``answer``, and what each of `METHODS` would have said had it not abstained."""

    answer: Outcome
    forced: Mapping[str, Outcome]

    @property
    def case(self) -> Case:
        """The case."""
        return self.answer.case


def judge(
    build: Build, cases: Iterable[Case], without: frozenset[str], progress: Callable[[Case], None]
) -> list[Judged]:
    """Read every case. ``without`` is left out of all readings; of series that do not show L1 only answers count."""
    answer = build(without)
    one_left = any(parts & without for parts in METHODS.values())
    methods = {
        name: build(without | parts | {"abstention"}) for name, parts in METHODS.items() if not (one_left and parts)
    }
    judged = []
    for case in cases:
        scan = case.scan()
        forced = methods if case.shows_l1 else {}
        judged.append(
            Judged(
                answer=score(case, scan, answer.number([scan.stack])),
                forced={name: score(case, scan, method.number([scan.stack])) for name, method in forced.items()},
            )
        )
        progress(case)
    if not judged:
        raise ValueError("no labelled CT to evaluate: expected at least one series in the folder and split named")
    return judged


def evaluate(
    build: Build,
    cases: Iterable[Case],
    *,
    without: frozenset[str] = frozenset(),
    seed: int = 0,
    progress: Callable[[Case], None] = lambda case: None,
) -> tuple[dict[str, Any], list[Judged]]:
    """The report (see `rows` and `of_group`), and what it was taken from."""
    judged = judge(build, cases, without, progress)
    identity = build(without).identity
    shown = [one for one in judged if one.case.shows_l1]
    nothing = [one.answer for one in judged if "L1" not in one.case.bodies]
    report = {
        "pipeline": "ct",
        "weights_sha256": identity.weights_sha256,
        "runtime": identity.runtime,
        "seed": seed,
        "without": sorted(without),
        "rows": rows(shown, seed),
        "without_l1": without_l1(nothing),
        "cut_off": len(judged) - len(shown) - len(nothing),
        "groups": {name: of_group(members) for name, members in by_anatomy(shown).items()},
    }
    return report, judged


def by_anatomy(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Normal anatomy and anomalous, those that there are."""
    groups = {
        "normal": [one for one in judged if one.case.normal],
        "anomalous": [one for one in judged if not one.case.normal],
    }
    return {name: members for name, members in groups.items() if members}


def rows(judged: Sequence[Judged], seed: int) -> list[dict[str, Any]]:
    """Headline figures with intervals by anatomy and shapes: each method on all series, then what was answered."""
    found = []
    for anatomy, members in by_anatomy(judged).items():
        sources = sorted({one.case.shapes for one in members})
        groups = [("all", members)] if len(sources) > 1 else []
        groups += [(source, [one for one in members if one.case.shapes == source]) for source in sources]
        for shapes, group in groups:
            for method, series, outcomes in _readings(group):
                figures = headline(outcomes)
                figures["abstained"] = headline([one.answer for one in group])["abstained"]
                found.append(
                    {
                        "method": method,
                        "anatomy": anatomy,
                        "shapes": shapes,
                        "series": series,
                        "n": len(outcomes),
                        "patients": len({one.case.patient for one in outcomes}),
                        "figures": figures,
                        "interval": interval(outcomes, seed) if outcomes else {},
                    }
                )
    return found


def of_group(judged: Sequence[Judged]) -> dict[str, Any]:
    """By level, density, how honest probabilities are, why there was no answer: of what was answered."""
    answered = [one.answer for one in judged if one.answer.answered]
    return {
        "n": len(judged),
        "abstained": 1 - len(answered) / len(judged),
        "reasons": counts(one.answer.reason for one in judged if not one.answer.answered),
        "levels": table_of_levels(answered),
        "density": density(answered),
        "probabilities": reliability(answered),
    }


def _readings(judged: Sequence[Judged]) -> list[tuple[str, str, list[Outcome]]]:
    methods = [name for name in METHODS if all(name in one.forced for one in judged)]
    forced = [(name, "all", [one.forced[name] for one in judged]) for name in methods]
    return [*forced, ("combined", "answered", [one.answer for one in judged if one.answer.answered])]
