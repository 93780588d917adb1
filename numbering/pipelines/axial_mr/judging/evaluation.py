"""Every case through the pipeline, and the paper's tables: internal and external, normal and anomalous anatomy apart;
single slices and whole series, before and after abstention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.axial_mr.judging.cases import Case
from numbering.pipelines.axial_mr.judging.figures import (
    confusion,
    headline,
    interval,
    reliability_of_names,
    reliability_of_slices,
    table_of_discs,
    table_two,
)
from numbering.pipelines.axial_mr.judging.scoring import Outcome, score
from numbering.pipelines.judging.intervals import counts
from numbering.result import Findings, ModelIdentity
from numbering.stack import Stack


class Method(Protocol):
    """The pipeline, whole or with parts left out."""

    identity: ModelIdentity

    def number(self, images: Sequence[Stack]) -> Findings:
        """See `numbering.pipelines.Pipeline`."""
        ...

    def singles(self, stack: Stack) -> Mapping[str, NDArray[np.float64]]:
        """Calibrated probabilities ``(6,)`` of each slice by itself, by its name."""
        ...


Build = Callable[[frozenset[str]], Method]
"""Gives the pipeline without these `PARTS` of `commands`."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One case: the pipeline's ``answer``, and what it would have said had it not abstained."""

    answer: Outcome
    forced: Outcome

    @property
    def case(self) -> Case:
        """The case."""
        return self.answer.case


def judge(
    build: Build, cases: Iterable[Case], without: frozenset[str], progress: Callable[[Case], None]
) -> list[Judged]:
    """Read every case; ``without`` is left out of both readings."""
    answer, forced = build(without), build(without | {"abstention"})
    judged = []
    for case in cases:
        study = case.study()
        singles = answer.singles(study[0])
        judged.append(
            Judged(
                answer=score(case, answer.number(study), singles),
                forced=score(case, forced.number(study), singles),
            )
        )
        progress(case)
    if not judged:
        raise ValueError("no labelled axial MR to evaluate: expected at least one in the folder and split named")
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
    report = {
        "pipeline": "axial-mr",
        "weights_sha256": identity.weights_sha256,
        "runtime": identity.runtime,
        "seed": seed,
        "without": sorted(without),
        "rows": rows(judged, seed),
        "groups": {" ".join(name): of_group(members) for name, members in groups(judged).items()},
    }
    return report, judged


def groups(judged: Sequence[Judged]) -> dict[tuple[str, str], list[Judged]]:
    """By origin (internal, external, real) and anatomy, those that there are."""
    found: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        found.setdefault((one.case.origin, "normal" if one.case.normal else "anomalous"), []).append(one)
    order = {name: index for index, name in enumerate(("internal", "external", "real", "normal", "anomalous"))}
    return dict(sorted(found.items(), key=lambda item: [order[name] for name in item[0]]))


def rows(judged: Sequence[Judged], seed: int) -> list[dict[str, Any]]:
    """Headline figures with intervals of each group: of all series, then of those answered."""
    found = []
    for (origin, anatomy), members in groups(judged).items():
        abstained = headline([one.answer for one in members])["abstained"]
        answered = [one.answer for one in members if one.answer.answered]
        for series, outcomes in (("all", [one.forced for one in members]), ("answered", answered)):
            found.append(
                {
                    "origin": origin,
                    "anatomy": anatomy,
                    "series": series,
                    "n": len(outcomes),
                    "slices": sum(len(one.classes) for one in outcomes),
                    "patients": len({one.case.patient for one in outcomes}),
                    "figures": headline(outcomes) | {"abstained": abstained},
                    "interval": interval(outcomes, seed) if outcomes else {},
                }
            )
    return found


def of_group(judged: Sequence[Judged]) -> dict[str, Any]:
    """Table 2, confusions, discs, how honest probabilities are, why there was no answer."""
    every = [one.answer for one in judged]
    answered = [one for one in every if one.answered]
    return {
        "n": len(judged),
        "abstained": 1 - len(answered) / len(judged),
        "reasons": counts(one.reason for one in every if not one.answered),
        "levels": table_two(every),
        "confusion": confusion(every),
        "discs": table_of_discs(answered),
        "slices": reliability_of_slices(every),
        "names": reliability_of_names(answered),
    }
