"""The wording of a level check: one catalogue of short sentences, to be translated as a whole.

A catalogue is a mapping from the keys of `ENGLISH` to sentences with the same fields in braces. The verdict comes
first, then why, then on what the name rests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from numbering.levelcheck.answer import Found, Mark, Planned, Verdict, Why
from numbering.levelcheck.plan import Unclear
from numbering.levelcheck.policy import Policy
from numbering.levelcheck.vocabulary import Kind, Whose
from numbering.record.model import BasisKind

Catalogue = Mapping[str, str]

ENGLISH: Catalogue = {
    Verdict.AGREES: "AGREES.",
    Verdict.DISAGREES: "DISAGREES.",
    Verdict.CANNOT_CONFIRM: "CANNOT CONFIRM.",
    "on-it": "The mark is on {found}, as planned.",
    "within": "The mark is on {found}, within {planned} as planned.",
    "sides-match": "The side is {planned_side}, as planned.",
    "no-side-planned": "The plan names no side, so the side was not checked.",
    "no-patient-told": "Nobody said whose plan it is: make sure that it is this patient's.",
    "basis": "{found}: {kind}, probability {probability}.",
    "presumed": "{found} is presumed: {kind}, probability {probability}.",
    "assumes": "It assumes {assumptions}.",
    "alternative": "Otherwise it is {other}, probability {other_probability}.",
    "unusual": "This spine is not the usual one: {spine}. Make sure that the plan counts it so.",
    "known": "What is known of {planned}: see the list.",
    "not-known": "No image of this patient shows {planned} by name.",
    "widened": "This site also accepts names {bases}.",
    "research": "AI result, not verified; research use only. Count for yourself first.",
    "series-not-asked": "It was not asked: plan or mark is missing.",
    "series-unnumbered": "Nothing is numbered on it.",
    "series-elsewhere": "It names nothing at the marked place.",
    "series-unsure": "It calls the marked place {found}, but not surely enough.",
    "series-borders": "It calls the marked place {found}, which borders the plan.",
    "L": "left",
    "R": "right",
    Why.ANOTHER_LEVEL: "STOP. The plan names {planned}, but the mark is on {found}.",
    Why.OTHER_SIDE: "STOP. The level is {found} as planned, but the plan is for the {planned_side} and the mark is for "
    "the {marked_side}.",
    Why.ANOTHER_PATIENT: "STOP. Plan and mark are not of one and the same patient.",
    Why.PLAN_NOT_UNDERSTOOD: "The plan was not understood: {unclear}.",
    Why.NO_MARK: "No place was marked.",
    Why.IMAGE_NOT_KNOWN: "The marked image is not among this patient's images.",
    Why.NOTHING_NUMBERED: "Nothing is numbered on the marked image.",
    Why.OUTSIDE: "The mark is on no numbered vertebra or disc.",
    Why.BETWEEN: "The mark is on an edge ({near}). Mark the middle of one structure.",
    Why.TWO_NAMES: "Two results name the marked place differently: {near}.",
    Why.OUT_OF_ORDER: "The names on the marked image do not follow one another from head to foot.",
    Why.CONTRADICTED: "The patient's images contradict each other. {contradiction}",
    Why.BASIS_NOT_CONFIRMED: "The mark is on what is called {found}, but nobody counted it from C2 or verified it.",
    Why.PROBABILITY_TOO_LOW: "The mark is on what is called {found}, but {probability} is below the required {least}.",
    Why.TRANSITION_SUSPECTED: "A transitional vertebra is suspected ({evidence}): others may call {found} differently.",
    Why.BORDERS_THE_PLAN: "The mark is on {found}, next to {planned}. Mark {planned} itself.",
    Why.RANGE_MEANS_OTHER: "In this spine {planned} does not hold the usual vertebrae. Check each level by itself.",
    Why.SIDE_NOT_GIVEN: "The plan is for the {planned_side}, but the mark has no side.",
    Why.PLAN_STUDY_NOT_CONFIRMED: "Nobody counted from C2 on the plan's own images: the plan may call another vertebra "
    "{planned}.",
    Unclear.EMPTY: "it is empty",
    Unclear.TOO_LONG: "it is too long and may have been cut off",
    Unclear.NO_NAME: "no level can be read in it",
    Unclear.SEVERAL_NAMES: "it names several levels; check each by itself",
    Unclear.UNKNOWN_WORD: "it holds a word or number that is not known",
    Unclear.SEVERAL_SIDES: "it names more than one side",
    Unclear.NO_SUCH_LEVEL: "there is no such vertebra",
    Unclear.FOOT_TO_HEAD: "its two levels do not run from head to foot",
    Unclear.WORD_DOES_NOT_FIT: "a word in it does not fit its level",
    Unclear.UNKNOWN_CODE: "the code names no vertebra or disc",
    BasisKind.COUNTED_FROM_C2: "counted from C2",
    BasisKind.HUMAN_CORRECTION: "named by a person, verified",
    BasisKind.INTERRUPTED_COUNT: "counted from C2 with a gap",
    BasisKind.UNVERIFIED_CORRECTION: "named by a person, not verified",
    BasisKind.LAST_RIB: "counted from the last rib",
    BasisKind.SACRUM: "counted from the sacrum",
    BasisKind.APPEARANCE: "by appearance",
    BasisKind.PRIOR: "carried over from another examination",
    BasisKind.UNKNOWN: "on a basis that is not stated",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a statement is about. ``basis`` is that of ``found``; ``details`` fill fields of the reason's sentence."""

    verdict: Verdict
    why: Why | None
    planned: Planned
    mark: Mark | None
    found: Found | None
    basis: BasisKind | None
    known: bool
    policy: Policy
    whose: Whose = Whose.SAME
    details: Mapping[str, str] = field(default_factory=dict)


def statement(facts: Facts, words: Catalogue = ENGLISH) -> str:
    """The sentences that a surgeon reads."""
    fields = _fields(facts, words)
    return " ".join(words[key].format_map(fields) for key in _keys(facts))


def number(probability: float) -> str:
    """Two digits, rounded down: 0.9499 is not 0.95.

    >>> number(0.9499), number(1.0)
    ('0.94', '1.00')
    """
    return f"{int(probability * 100 + 1e-9) / 100:.2f}"


def _keys(facts: Facts) -> Iterator[str]:
    yield facts.verdict
    yield facts.why or ("within" if facts.planned.kind is Kind.RANGE else "on-it")
    if facts.verdict is Verdict.AGREES:
        yield from _side(facts)
        if facts.whose is Whose.NOT_TOLD:
            yield "no-patient-told"
    if facts.found:
        yield "basis" if facts.found.basis.confirmed else "presumed"
        if facts.found.basis.assumptions:
            yield "assumes"
        if facts.found.alternative:
            yield "alternative"
    if "spine" in facts.details:
        yield "unusual"
    if facts.verdict is not Verdict.AGREES and facts.planned.name:
        yield "known" if facts.known else "not-known"
    if facts.policy.widened_by:
        yield "widened"
    yield "research"


def _side(facts: Facts) -> Iterator[str]:
    if facts.planned.side:
        yield "sides-match"
    elif facts.mark and facts.mark.side:
        yield "no-side-planned"


def _fields(facts: Facts, words: Catalogue) -> dict[str, str]:
    fields = {"least": number(facts.policy.probability), "planned": facts.planned.name or ""}
    fields["bases"] = ", ".join(words[kind] for kind in facts.policy.widened_by)
    fields["planned_side"] = words[facts.planned.side] if facts.planned.side else ""
    fields["marked_side"] = words[facts.mark.side] if facts.mark and facts.mark.side else ""
    if found := facts.found:
        fields |= {"found": found.name, "probability": number(found.probability)}
        fields |= {
            "kind": words[facts.basis or BasisKind.UNKNOWN],
            "assumptions": " and ".join(found.basis.assumptions),
        }
        if found.alternative:
            fields |= {"other": found.alternative.name, "other_probability": number(found.alternative.probability)}
    details = {key: words.get(value, value) for key, value in facts.details.items()}
    return fields | details
