"""Every case through the pipeline, and the paper's tables: of normal and anomalous anatomy and of each source of shapes
apart, before and after abstention.

The same networks' outputs serve all variants of the method, so that an ablation costs hardly any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from numbering.pipelines.judging.intervals import counts
from numbering.pipelines.sagittal_xray.judging.cases import Case
from numbering.pipelines.sagittal_xray.judging.figures import (
    ANGLES,
    angle_figures,
    angles_of,
    headline,
    interval,
    pck,
    reliability,
    table_of_errors,
    weighted_medians,
)
from numbering.pipelines.sagittal_xray.judging.scoring import Outcome, score
from numbering.result import Findings, ModelIdentity
from numbering.study import Radiograph


class Method(Protocol):
    """The pipeline, whole or with parts left out."""

    identity: ModelIdentity

    def number(self, images: Sequence[Radiograph]) -> Findings:
        """See `numbering.pipelines.Pipeline`."""
        ...


Build = Callable[[frozenset[str]], Method]
"""Gives the pipeline without these `PARTS`."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One case read three ways: ``answer`` is the pipeline's; ``forced`` what it would have said had it not abstained;
    ``coarse`` that after step I alone."""

    answer: Outcome
    forced: Outcome
    coarse: Outcome


def judge(
    build: Build, cases: Iterable[Case], without: frozenset[str], progress: Callable[[Case], None]
) -> list[Judged]:
    """Read every case. ``without`` is left out of all three readings."""
    answer = build(without)
    forced = build(without | {"abstention"})
    coarse = build(without | {"abstention", "step-two"})
    judged = []
    for case in cases:
        judged.append(
            Judged(
                answer=score(case, answer.number([case.film])),
                forced=score(case, forced.number([case.film])),
                coarse=score(case, coarse.number([case.film])),
            )
        )
        progress(case)
    if not judged:
        raise ValueError("no labelled lateral films to evaluate: expected at least one in the folder and split named")
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
        "pipeline": "sagittal-xray",
        "weights_sha256": identity.weights_sha256,
        "runtime": identity.runtime,
        "seed": seed,
        "without": sorted(without),
        "rows": rows(judged, seed),
        "groups": {name: of_group(members, seed) for name, members in by_anatomy(judged).items()},
    }
    return report, judged


def by_anatomy(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Normal anatomy and anomalous, those that there are."""
    groups = {
        "normal": [one for one in judged if one.answer.case.normal],
        "anomalous": [one for one in judged if not one.answer.case.normal],
    }
    return {name: members for name, members in groups.items() if members}


def rows(judged: Sequence[Judged], seed: int) -> list[dict[str, Any]]:
    """Headline figures with intervals by anatomy, shapes and field of view: of all films, then of those answered."""
    found = []
    for anatomy, members in by_anatomy(judged).items():
        keys = dict.fromkeys((one.answer.case.shapes, one.answer.case.field_of_view) for one in members)
        groups = [("all", "all", members)] if len(keys) > 1 else []
        groups += [
            (
                shapes,
                view,
                [m for m in members if (m.answer.case.shapes, m.answer.case.field_of_view) == (shapes, view)],
            )
            for shapes, view in sorted(keys)
        ]
        for shapes, view, group in groups:
            for films, outcomes in _before_and_after(group):
                figures = headline(outcomes)
                figures["abstained"] = headline([one.answer for one in group])["abstained"]
                found.append(
                    {
                        "view": view,
                        "anatomy": anatomy,
                        "shapes": shapes,
                        "films": films,
                        "n": len(outcomes),
                        "patients": len({one.case.patient for one in outcomes}),
                        "figures": figures,
                        "interval": interval(outcomes, headline, seed) if outcomes else {},
                    }
                )
    return found


def of_group(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    """Table 1 after both steps, PCK curves, angles before and after abstention, how honest probabilities are."""
    forced, coarse = [one.forced for one in judged], [one.coarse for one in judged]
    answered = [one.answer for one in judged if one.answer.answered]
    steps = {"step I": table_of_errors(coarse), "step II": table_of_errors(forced)}
    return {
        "n": len(judged),
        "abstained": 1 - len(answered) / len(judged),
        "reasons": counts(one.answer.reason for one in judged if not one.answer.answered),
        "errors": steps,
        "weighted mean": {step: weighted_medians(table) for step, table in steps.items()},
        "pck": {"step I": pck(coarse), "step II": pck(forced), "answered": pck(answered)},
        "angles": {
            name: {
                films: angle_figures(angles_of(outcomes, name))
                | {"interval": interval(outcomes, partial(_spread, name), seed)}
                for films, outcomes in _before_and_after(judged)
                if outcomes
            }
            for name in ANGLES
        },
        "probabilities": reliability(answered),
    }


def _spread(name: str, outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    figures = angle_figures(angles_of(outcomes, name))
    return {key: figures.get(key) for key in ("median", "above 5°", "R²")}


def _before_and_after(judged: Sequence[Judged]) -> list[tuple[str, list[Outcome]]]:
    return [
        ("all", [one.forced for one in judged]),
        ("answered", [one.answer for one in judged if one.answer.answered]),
    ]
