"""How often does the level check agree with a wrong plan, and how often with a right one? Simulated patients.

    python benchmarks/levelcheck.py [--checks 20000] [--patients 4000] [--seed 1] [--errors 1] [--json]

Draws patients of the population with their anomalies (no images), lets each field of view be numbered with errors, and
asks `numbering.levelcheck.judge` about right and wrong plans: ``--checks`` of each on images with a confirmed basis,
which is where it can agree, and a fifth of that on the others. ``--errors 3`` makes every error of naming three times
as frequent. What the errors rest on is printed: most rates are assumed, so the figures say what the rules make of such
errors, not how often errors occur.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from scipy.stats import beta

from benchmarks.level_checks.asked import Asked, ask
from benchmarks.level_checks.errors import ASSUMED, Errors, ap_rates
from benchmarks.level_checks.layout import Spine, lay_out
from benchmarks.level_checks.views import FIELDS, FieldOfView, record_of
from numbering.levelcheck import Policy, Verdict, judge
from numbering.phantom.anatomy.sample import sample

TARGETS = {"false AGREES, upper bound": 0.001, "AGREES on right plans": 0.90, "false DISAGREES": 0.01}


@dataclass(frozen=True)
class Done:
    """One check that was asked."""

    view: FieldOfView
    asked: Asked
    verdict: Verdict
    reason: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=20_000)
    parser.add_argument("--patients", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--errors", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    errors = Errors().times(options.errors)
    spines = [lay_out(sample(options.seed * 1_000_000 + index)) for index in range(options.patients)]
    done = measure(spines, options.checks, errors, np.random.default_rng(options.seed))
    answer = {
        "date": datetime.now(UTC).date().isoformat(),
        "seed": options.seed,
        "patients": options.patients,
        "unusual_spines": sum(not spine.usual for spine in spines),
        "errors": asdict(errors),
        "ap_rates": dict(ap_rates("lumbar crop")),
        "inputs": ASSUMED,
        "confirmed": figures([one for one in done if one.view.confirmed]),
        "views": {view.title: figures([one for one in done if one.view is view]) for view in FIELDS},
    }
    print(json.dumps(answer, ensure_ascii=False) if options.json else text(answer))


def measure(spines: Sequence[Spine], checks: int, errors: Errors, rng: np.random.Generator) -> list[Done]:
    """All checks; each is a run of its own over one of the patients."""
    done = []
    for confirmed, number in ((True, checks), (False, checks // 5)):
        views = [view for view in FIELDS if view.confirmed is confirmed]
        for right in (True, False):
            for index in range(number):
                spine, view = spines[int(rng.integers(len(spines)))], views[index % len(views)]
                done.append(_one(rng, spine, view, errors, right))
    return done


def _one(rng: np.random.Generator, spine: Spine, view: FieldOfView, errors: Errors, right: bool) -> Done:
    record = record_of(rng, spine, view, errors)
    asked = ask(rng, spine, view, right)
    check = judge(asked.plan, asked.mark, record, Policy())
    return Done(view, asked, check.verdict, str(check.reason or ""))


def figures(done: Sequence[Done]) -> dict[str, object]:
    """Counts and rates; ``basis_confirmed`` are the checks whose image really had a confirmed basis in that run."""
    right = [one for one in done if one.asked.right]
    wrong = [one for one in done if not one.asked.right]
    false_agrees = sum(one.verdict is Verdict.AGREES for one in wrong)
    return {
        "right": len(right),
        "wrong": len(wrong),
        "false_agrees": false_agrees,
        "false_agrees_rate": false_agrees / max(len(wrong), 1),
        "false_agrees_upper_95": upper_bound(false_agrees, len(wrong)),
        "false_agrees_by_error": dict(Counter(one.asked.error for one in wrong if one.verdict is Verdict.AGREES)),
        "agrees_on_right": _share(right, Verdict.AGREES),
        "false_disagrees": _share(right, Verdict.DISAGREES),
        "disagrees_on_wrong": _share(wrong, Verdict.DISAGREES),
        "cannot_confirm_right": _share(right, Verdict.CANNOT_CONFIRM),
        "cannot_confirm_wrong": _share(wrong, Verdict.CANNOT_CONFIRM),
        "why_not_on_right": dict(Counter(one.reason for one in right if one.reason).most_common()),
    }


def _share(done: Sequence[Done], verdict: Verdict) -> float:
    return sum(one.verdict is verdict for one in done) / max(len(done), 1)


def upper_bound(events: int, number: int) -> float:
    """One-sided 95 % upper bound of a share (Clopper and Pearson)."""
    return float(beta.ppf(0.95, events + 1, number - events)) if events < number else 1.0


def text(answer: dict[str, object]) -> str:
    """The figures as markdown."""
    confirmed, views = answer["confirmed"], answer["views"]
    assert isinstance(confirmed, dict)
    assert isinstance(views, dict)
    lines = [f"{answer['date']}, seed {answer['seed']}, {answer['patients']} patients "
             f"({answer['unusual_spines']} with another spine than 12T+5L)", ""]  # fmt: skip
    lines += [f"- {line}" for line in ASSUMED] + [""]
    lines += [f"errors: {answer['errors']}", f"AP answers: {answer['ap_rates']}", ""]
    lines += _targets(confirmed)
    lines += ["", "| field of view | right | wrong | false AGREES | AGREES on right | false DISAGREES | "
              "CANNOT CONFIRM right | wrong |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for title, one in views.items():
        lines.append(
            f"| {title} | {one['right']} | {one['wrong']} | {one['false_agrees']} | {one['agrees_on_right']:.1%} | "
            f"{one['false_disagrees']:.2%} | {one['cannot_confirm_right']:.1%} | {one['cannot_confirm_wrong']:.1%} |"
        )
    lines += ["", f"why not, right plans on a confirmed basis: {confirmed['why_not_on_right']}"]
    lines += [f"false AGREES by kind of wrong plan: {confirmed['false_agrees_by_error']}"]
    return "\n".join(lines)


def _targets(one: dict[str, object]) -> list[str]:
    rows = (
        ("false AGREES, upper bound", one["false_agrees_upper_95"], "<"),
        ("AGREES on right plans", one["agrees_on_right"], "≥"),
        ("false DISAGREES", one["false_disagrees"], "≤"),
    )
    lines = [f"on images with a confirmed basis: {one['right']} right and {one['wrong']} wrong plans, "
             f"{one['false_agrees']} false AGREES ({one['false_agrees_rate']:.3%})",
             "", "| figure | found | target | |", "|---|---|---|---|"]  # fmt: skip
    for name, value, sign in rows:
        assert isinstance(value, float)
        target = TARGETS[name]
        reached = value >= target if sign == "≥" else value < target if sign == "<" else value <= target
        lines.append(f"| {name} | {value:.3%} | {sign} {target:.1%} | {'reached' if reached else '**missed**'} |")
    return lines


if __name__ == "__main__":
    main()
