"""What holds for every level check, whatever the patient, plan, mark and policy: drawn by Hypothesis."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from numbering.anatomy import VARIANTS, Level, Variant
from numbering.levelcheck import Check, Kind, Mark, NotUnderstood, Plan, Policy, Side, Verdict, judge, parse_plan
from numbering.levelcheck.answer import Place as MarkedPlace
from numbering.levelcheck.answer import Says
from numbering.levelcheck.plan import LONGEST
from numbering.levelcheck.relation import Relation, relate
from numbering.levelcheck.vocabulary import KINDS, REGIONS, SIDES
from numbering.record.model import CONFIRMABLE, Basis, BasisKind, PatientRecord, Structure
from tests import spines

drawn = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

variants = st.sampled_from(VARIANTS)
kinds = st.sampled_from(BasisKind)
sides = st.sampled_from([None, *Side])
probabilities = st.floats(0.5, 1)
PLANS = "L4 L5 S1 T12 T13 L6 C5 L4-L5 L5-S1 T12-L1 L4-S1 T10-L2"
MARKS = "L4,L3,L4-L5,L3-L4,T11,S1,L4 upper edge,C5,left of L4,L4 high"
plan_names = st.sampled_from(PLANS.split())
mark_names = st.sampled_from(MARKS.split(","))


@st.composite
def questions(draw: st.DrawFn, bases: st.SearchStrategy[Any] = kinds) -> dict[str, Any]:
    """All that a check is asked with, most of it such that it could agree."""
    variant = draw(variants)
    words = draw(mark_names)
    assume("L5" not in words or variant.lumbar > 4)
    mark = spines.mark(words, variant)
    assert mark is not None
    extent = draw(st.sampled_from(["corners", "box"]))
    on, probability = spines.basis(draw(bases)), draw(probabilities)
    structures = spines.structures(variant, on=on, probability=probability, extent=extent)
    contradictions = (spines.contradiction(),) if draw(st.integers(0, 9)) == 0 else ()
    return {
        "plan": _sided(parse_plan(draw(plan_names)), draw(sides)),
        "mark": mark.model_copy(update={"side": draw(sides)}),
        "record": spines.record(spines.entry(structures), variant=variant, contradictions=contradictions),
        "policy": Policy(probability=draw(st.sampled_from([0.5, 0.8, 0.95, 0.99]))),
    }


counted = questions(st.sampled_from(CONFIRMABLE))


def _sided(plan: Plan | NotUnderstood, side: Side | None) -> Plan:
    assert isinstance(plan, Plan)
    return Plan(plan.kind, plan.levels, side)


def _ask(question: dict[str, Any], **changed: Any) -> Check:
    asked = {**question, **changed}
    return judge(asked["plan"], asked["mark"], asked["record"], asked["policy"])


def _changed(record: PatientRecord, **update: Any) -> PatientRecord:
    """The record with every structure changed so."""
    entries = (
        entry.model_copy(update={"structures": tuple(one.model_copy(update=update) for one in entry.structures)})
        for entry in record.series
    )
    return record.model_copy(update={"series": tuple(entries)})


def test_the_drawn_questions_reach_every_verdict() -> None:
    seen = set()

    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @given(question=counted)
    def look(question: dict[str, Any]) -> None:
        seen.add(_ask(question).verdict)

    look()
    assert seen == set(Verdict)


@drawn
@given(text=st.text(max_size=70), question=counted)
def test_a_plan_of_any_letters_is_understood_or_cannot_be_confirmed(text: str, question: dict[str, Any]) -> None:
    plan = parse_plan(text)
    if isinstance(plan, NotUnderstood):
        assert _ask(question, plan=plan).verdict is Verdict.CANNOT_CONFIRM


tokens = st.sampled_from([*REGIONS, *SIDES, *KINDS, *"0123456789-/?.,()", "L4", "L5", "S1", "or", "not", "above", "x"])


@settings(drawn, max_examples=200)
@given(words=st.lists(tokens, max_size=7), gap=st.sampled_from(["", " "]))
def test_what_is_understood_holds_one_name_and_known_words_and_nothing_else(words: list[str], gap: str) -> None:
    text = gap.join(words)
    plan = parse_plan(text)
    if isinstance(plan, Plan):
        assert len(text) <= LONGEST
        assert not set("?") & set(text)
        assert {"or", "not", "above", "x"}.isdisjoint(text.split())
        again = parse_plan(f"{plan.name} {'left' if plan.side is Side.LEFT else 'right' if plan.side else ''}")
        assert again == plan


@drawn
@given(question=counted, word=st.sampled_from(["?", "or L2", "not", "above", "3", "x", "L4", "left right"]))
def test_a_word_more_that_is_not_known_never_agrees(question: dict[str, Any], word: str) -> None:
    assert isinstance(parse_plan(f"{question['plan'].name} {word}"), NotUnderstood)
    assert _ask(question, plan=parse_plan(f"{question['plan'].name} {word}")).verdict is Verdict.CANNOT_CONFIRM


@drawn
@given(question=counted)
def test_without_a_mark_nothing_agrees(question: dict[str, Any]) -> None:
    assert _ask(question, mark=None).verdict is Verdict.CANNOT_CONFIRM


@drawn
@given(question=questions(st.sampled_from([kind for kind in BasisKind if kind not in CONFIRMABLE])))
def test_a_presumed_basis_never_agrees_or_disagrees_under_the_default_policy(question: dict[str, Any]) -> None:
    assert _ask(question, policy=Policy()).verdict is Verdict.CANNOT_CONFIRM


@drawn
@given(question=counted, kind=st.sampled_from(CONFIRMABLE))
def test_an_assumption_takes_the_confirmation_away(question: dict[str, Any], kind: BasisKind) -> None:
    record = _changed(question["record"], basis=spines.basis(kind, ("the first rib is that of T1",)))
    assert _ask(question, record=record).verdict is Verdict.CANNOT_CONFIRM


@drawn
@given(question=counted, lower=probabilities)
def test_a_lower_probability_never_makes_a_verdict_of_none(question: dict[str, Any], lower: float) -> None:
    before = _ask(question)
    least = min(one.probability for entry in question["record"].series for one in entry.structures)
    after = _ask(question, record=_changed(question["record"], probability=min(lower, least)))
    assert after.verdict in (before.verdict, Verdict.CANNOT_CONFIRM)


@drawn
@given(question=counted)
def test_a_stricter_policy_never_makes_a_verdict_of_none(question: dict[str, Any]) -> None:
    before = _ask(question)
    after = _ask(question, policy=Policy(probability=1))
    assert after.verdict in (before.verdict, Verdict.CANNOT_CONFIRM)


@drawn
@given(question=counted)
def test_a_contradiction_by_any_series_never_agrees_or_disagrees(question: dict[str, Any]) -> None:
    record = question["record"].model_copy(update={"contradictions": (spines.contradiction(),)})
    assert _ask(question, record=record).verdict is Verdict.CANNOT_CONFIRM


@drawn
@given(question=counted, shift=st.sampled_from([-2, -1, 1, 2]))
def test_a_second_result_that_is_shifted_never_agrees(question: dict[str, Any], shift: int) -> None:
    (entry,) = question["record"].series
    variant = question["record"].variants[0].variant
    other = spines.entry(spines.structures(variant, shift=shift), series=spines.OTHER_SERIES)
    record = question["record"].model_copy(update={"series": (entry, other)})
    assert _ask(question, record=record).verdict is Verdict.CANNOT_CONFIRM


@drawn
@given(question=counted)
def test_left_and_right_are_alike(question: dict[str, Any]) -> None:
    other = {None: None, Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
    plan, mark = question["plan"], question["mark"]
    mirrored = _ask(
        question,
        plan=_sided(plan, other[plan.side]),
        mark=mark.model_copy(update={"side": other[mark.side]}),
    )
    assert (mirrored.verdict, mirrored.reason) == (_ask(question).verdict, _ask(question).reason)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", ["L4", "L4-L5", "T12", "T10-L2"])
def test_turning_one_side_alone_ends_an_agreement(name: str, side: Side) -> None:
    record = spines.record(spines.entry(spines.structures()))
    mark = spines.mark("T12" if name == "T10-L2" else name)
    assert mark is not None
    plan = _sided(parse_plan(name), side)
    verdicts = {
        marked: judge(plan, mark.model_copy(update={"side": marked}), record, Policy()).verdict
        for marked in (*Side, None)
    }
    assert verdicts.pop(side) is Verdict.AGREES
    assert verdicts.pop(None) is Verdict.CANNOT_CONFIRM
    assert set(verdicts.values()) == {Verdict.DISAGREES}


@drawn
@given(question=counted, first=st.integers(2, 23), length=st.integers(1, 6))
def test_a_range_agrees_only_within_its_structures(question: dict[str, Any], first: int, length: int) -> None:
    levels = Variant().levels()
    chosen = levels[first : first + length + 1]
    plan = Plan(Kind.RANGE, chosen)
    check = _ask(question, plan=plan)
    if check.verdict is Verdict.AGREES:
        assert check.found is not None
        assert set(check.found.name.split("-")) <= set(map(str, chosen))
    if check.verdict is Verdict.DISAGREES:
        assert check.found is not None
        assert not set(check.found.name.split("-")) & set(map(str, chosen))


@drawn
@given(question=counted)
def test_what_agrees_is_named_as_planned(question: dict[str, Any]) -> None:
    check = _ask(question)
    if check.verdict is Verdict.AGREES and question["plan"].kind is not Kind.RANGE:
        assert check.found is not None
        assert check.found.name == question["plan"].name
        assert check.known == ()
        assert Says.DISAGREES not in {one.says for one in check.series}


@drawn
@given(question=counted, x=st.floats(-500, 1500), y=st.floats(-500, 2500))
def test_a_mark_anywhere_is_on_the_structure_that_is_there_or_on_none(
    question: dict[str, Any], x: float, y: float
) -> None:
    place = MarkedPlace(sop_instance_uid=spines.IMAGE, frame=None, x=x, y=y)
    check = _ask(question, mark=Mark(place=place))
    if check.found is not None and "-" not in check.found.name:
        body = spines.bodies(question["record"].variants[0].variant)[Level(check.found.name)]
        x0, y0, x1, y1 = body.box
        assert x0 <= x <= x1
        assert y0 <= y <= y1


@drawn
@given(question=counted, far=st.floats(0.02, 50))
def test_where_a_mark_lies_between_two_names_it_has_none(question: dict[str, Any], far: float) -> None:
    """Two results on one image whose bodies are displaced: near the seam neither may win."""
    (entry,) = question["record"].series
    structure = next(one for one in entry.structures if one.name == "L3")
    moved = structure.model_copy(
        update={
            "name": "L4",
            "place": structure.place.model_copy(update={"y": structure.place.y + far / 10}),
        }
    )
    other = spines.entry((moved,), series=spines.OTHER_SERIES)
    record = question["record"].model_copy(update={"series": (entry, other)})
    assert _ask(question, record=record).verdict is Verdict.CANNOT_CONFIRM


def test_every_relation_is_symmetrical_in_its_kind() -> None:
    """A plan for each structure's own name is the same, and no two names of one kind are."""
    names = ["L3", "L4", "L5", "L3-L4", "L4-L5", "L5-S1"]
    made = {one.name: one for one in spines.structures(listed_discs=True) if one.name in names}
    for planned in names:
        plan = parse_plan(planned)
        assert isinstance(plan, Plan)
        same = {name for name, one in made.items() if relate(one, plan) is Relation.SAME}
        assert same == {planned}


def test_a_presumption_cannot_even_be_written_as_confirmed() -> None:
    with pytest.raises(ValueError, match="cannot be confirmed"):
        Basis(kind=BasisKind.APPEARANCE, counted_from="L5 by appearance", confirmed=True)
    with pytest.raises(ValueError, match="cannot be confirmed"):
        Basis(kind=BasisKind.COUNTED_FROM_C2, counted_from="C2", confirmed=True, assumptions=("five lumbar",))


def test_a_check_that_breaks_the_contract_cannot_be_made() -> None:
    record = spines.record(spines.entry(spines.structures()))
    good = judge(parse_plan("L4"), spines.mark("L4"), record, Policy())
    fields = {name: getattr(good, name) for name in Check.model_fields}
    for broken in (
        {"mark": None},
        {"found": None},
        {"reason": "no-mark"},
        {"verdict": Verdict.DISAGREES},
        {"policy": good.policy.model_copy(update={"probability": 0.999})},
        {"series": (good.series[0].model_copy(update={"says": Says.DISAGREES}),)},
    ):
        with pytest.raises(ValueError, match=r"needs|why|below|disagrees"):
            Check(**{**fields, **broken})


def test_a_structure_of_no_spine_cannot_be_made() -> None:
    (one, *_) = spines.structures()
    with pytest.raises(ValueError, match="not a vertebra"):
        Structure(**{**one.model_dump(), "name": "L7"})


@pytest.mark.parametrize("kind", [*CONFIRMABLE, BasisKind.UNKNOWN])
def test_a_policy_is_widened_only_by_a_basis_that_is_stated_and_not_confirmed_already(kind: BasisKind) -> None:
    with pytest.raises(ValueError, match="widens no policy"):
        Policy(widened_by=(kind,))


def test_a_policy_below_one_half_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal"):
        Policy(probability=0.49)
