"""``docs/levelcheck.md``: what a plan may say, when a check agrees, and its wording, from the code that decides."""

from __future__ import annotations

from collections.abc import Iterable

from numbering.levelcheck import NotUnderstood, Plan, parse_plan
from numbering.levelcheck.answer import EXIT_CODES, Why
from numbering.levelcheck.judge import DOUBTS
from numbering.levelcheck.place import CORE, EDGE
from numbering.levelcheck.plan import LONGEST, Unclear
from numbering.levelcheck.policy import LEAST_PROBABILITY
from numbering.levelcheck.regions import CENTRES, DISC_TALLEST
from numbering.levelcheck.statement import ENGLISH
from numbering.levelcheck.vocabulary import KINDS, REGION_WORDS, REGIONS, ROOTS, SIDES, Kind, Side
from numbering.record.model import CONFIRMABLE, BasisKind

EXAMPLES = (
    *("L4", "Th12", "BWK 12", "T13", "L4-L5", "L4/5", "L 4 / 5", "L5S1", "C7-T1", "L5-L6", "L4-S1", "T10 to L2"),
    *("T11-L1", "C1-C2", "TLIF L4/5, left", "TLIF L4-S1", "L5 root left", "Vertebroplasty D12", "SCT:84020006"),
    *("99NUMBERING:L6", "", "L7", "L5-L4", "L45", "L4S1", "L4-5-S1", "L3/4, L4/5", "L4 or L5", "L4?", "adjacent to L4"),
    *("TLIF L4", "kyphoplasty L1/2", "C6 root", "left L5 right", "cervical L4", "TLIF L4-", "SCT:243923001"),
)

HEAD = """\
# The level check

Generated from `numbering/levelcheck/` by `make docs`; do not edit.

A *planned name* is compared with a *marked place*, by what the record knows of the patient. The contract is in the
[conventions](conventions.md#the-level-check-compares-a-place-with-a-name); the answer is `numbering/check/1`
([schema](schemas/check-1.json)). Everything that is not understood or not shown ends in CANNOT CONFIRM. The plan is
never changed and never guessed, and the check does not replace the surgeon's own count.

## What a plan may say

One name, any words of the tables below, and nothing else. Small and capital letters, kinds of dash, and brackets,
commas, semicolons and colons make no difference. A second name, another number, an unknown word or a question mark
makes the plan *not understood*, and the verdict is CANNOT CONFIRM.

- A vertebra: a region and a number, `C1`…`C7`, `T1`…`T13`, `L1`…`L6`, `S1`…`S5`.
- Two joined by `-`, `/`, `to`, `through` or `bis`, head to foot; the second may leave its region out (`L4/5`).
  Neighbours with a disc between them are that **disc** and may be joined by nothing (`L5S1`); all others are the
  **range** of all vertebrae from the first to the last, with the discs between them.
- Neighbours are those of the usual spine, unless T13 or L6 is named: `T11-L1` is the range T11, T12, L1, and `L4-S1` is
  L4, L5, S1, although there are spines in which they are discs.
- A code: `SCT:` and one of CID 7602, 7603 or 7604 (or S1, 65985001), `99NUMBERING:` and ours for what they lack.
- A text of more than {longest} characters may have been cut off (a DICOM LO holds 64): it is not understood.

"""


def level_check_page() -> str:
    """The page."""
    parts = [HEAD.format(longest=LONGEST), _words(), _examples(), _unclear(), _places(), _verdicts(), _wording()]
    return "".join(parts)


def _words() -> str:
    regions: dict[str, list[str]] = {}
    for spelt, region in REGIONS.items():
        regions.setdefault(region, []).append(f"`{spelt.upper() if len(spelt) != 2 else spelt.title()}`")
    sides = {side: [f"`{word}`" for word, meant in SIDES.items() if meant is side] for side in (*Side, None)}
    groups: dict[frozenset[Kind], list[str]] = {}
    for word, kinds in KINDS.items():
        groups.setdefault(kinds, []).append(f"`{word}`")
    rows = [("region", region, ", ".join(spelt)) for region, spelt in regions.items()]
    rows += [("side", side or "no side: both", ", ".join(words)) for side, words in sides.items()]
    rows += [("beside", _kinds(kinds), ", ".join(words)) for kinds, words in groups.items()]
    rows += [("beside", f"a name with a vertebra in {region}", f"`{word}`") for word, region in REGION_WORDS.items()]
    roots = " and ".join(f"`{word}`" for word in sorted(ROOTS))
    return _table(("", "meaning", "spelt"), rows) + (
        f"\n`(L)` and `(R)` in brackets are sides too. {roots}: a root is checked by the vertebra of its name, so not\n"
        "in the neck, where a root leaves above that vertebra.\n\n"
    )


def _kinds(kinds: Iterable[Kind]) -> str:
    return "a name of any kind" if set(kinds) == set(Kind) else "a " + " or ".join(sorted(kinds, reverse=True))


def _examples() -> str:
    rows = [(f"`{text}`" if text else "(empty)", _meaning(parse_plan(text))) for text in EXAMPLES]
    return "### Examples\n\n" + _table(("plan", "is read as"), rows) + "\n"


def _meaning(plan: Plan | NotUnderstood) -> str:
    if isinstance(plan, NotUnderstood):
        return f"not understood: {ENGLISH[plan.why]}"
    levels = f" ({', '.join(map(str, plan.levels))})" if plan.kind is Kind.RANGE else ""
    return f"{plan.kind} {plan.name}{levels}" + (f", {ENGLISH[plan.side]}" if plan.side else "")


def _unclear() -> str:
    rows = [(f"`{why}`", ENGLISH[why]) for why in Unclear]
    return "### Why a plan is not understood\n\n" + _table(("code", "because"), rows) + "\n"


def _places() -> str:
    body, disc = CENTRES[False], CENTRES[True]
    return f"""\
## What lies at a mark

- A vertebra reaches as far as its corners, or its box where it has none. A disc reaches from the lower edge of the body
  above to the upper edge of the body below; where these overlap, or leave a gap taller than {DISC_TALLEST:g} of a body,
  there is no disc to be on.
- Where only centres are given, a vertebra reaches {body:g} and a disc {disc:g} of the bodies' spacing to every side.
- A mark is on a structure when it is inside it by more than {EDGE:g} of a body's height (about 1 mm; in a thin disc
  {CORE:g} of its thickness) and as far from every other. Else it is on an edge, between two, or on none. Posterior
  elements are not numbered: a mark there is on none.
- A disc that a result does not list is named by the two bodies about it; its probability is what is left when both may
  be wrong at different times (the sum of both less one).
- Results that name one body of an image differently, and names that do not follow one another, name nothing there.

"""


def _verdicts() -> str:
    exits = ", ".join(f"{code} {verdict}" for verdict, code in EXIT_CODES.items())
    bases = " or ".join(f"*{ENGLISH[kind]}*" for kind in CONFIRMABLE)
    widen = ",\n".join(f"`{kind}`" for kind in BasisKind if kind not in (*CONFIRMABLE, BasisKind.UNKNOWN))
    rows = [(f"`{why}`", "DISAGREES" if why in (Why.ANOTHER_LEVEL, Why.OTHER_SIDE) else "CANNOT CONFIRM", ENGLISH[why])
            for why in _in_order()]  # fmt: skip
    return f"""\
## Verdicts

A name counts with a probability of {LEAST_PROBABILITY:g} or more, on a confirmed basis: {bases}.
A site may ask for another probability (0.5 or more) and may add bases; every added one is printed in the verdict:
{widen}.

Exit codes: {exits}.

The doubts are asked in the order of the table; the first that holds is the `reason`. `{{…}}` are filled in.

{_table(("reason", "verdict", "sentence"), rows)}
- *Contradicted*: any two results of the patient that cannot both be right and concern a vertebra of the plan or the
  mark.
- *Transition suspected*: asked at L5 and below when plan or mark touch L6 or the sacrum; a verified human correction
  settles it.
- *Range*: a range that runs over a T13, an L6 or a missing vertebra of this patient is not confirmed: its author may
  have meant the usual one.
- *Borders*: a mark on L4 is neither the planned disc L4-L5 nor wrong.
- *Another patient*: asked when the plan's patient is told (by ID, by the plan's own study, or by a worklist). Where
  nobody tells, the record of the marked image's patient is consulted, and AGREES says that the patient was not checked.
- *Plan study*: asked when the study that the plan was made on is given, in a spine that is not the usual one.
- *Side*: a plan with a side needs a mark with a side. A plan without one agrees whatever side is marked, and says so.

"""


def _in_order() -> list[Why]:
    first = [Why.ANOTHER_PATIENT, Why.PLAN_NOT_UNDERSTOOD, Why.NO_MARK]
    last = [Why.ANOTHER_LEVEL, Why.OTHER_SIDE]
    places = [why for why in Why if why not in (*first, *last, *DOUBTS)]
    return [*first, *places, *DOUBTS, *last]


def _wording() -> str:
    keys = [key for key in ENGLISH if key not in set(map(str, (*Why, *Unclear)))]
    rows = [(f"`{key}`", ENGLISH[key]) for key in keys]
    return (
        "## Wording\n\nAll sentences are in one catalogue (`numbering/levelcheck/statement.py`), to be translated as a "
        "whole. Beside those above:\n\n" + _table(("key", "text"), rows)
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |\n" for row in lines)
