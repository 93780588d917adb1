"""The level check case by case (levelcheck_cases.yaml), and what holds for every case (properties)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from numbering.anatomy import Variant
from numbering.levelcheck import Check, Policy, Verdict, Whose, judge, parse_plan
from numbering.levelcheck.answer import Says, Why
from numbering.record.model import BasisKind, PatientRecord, Structure
from tests import spines

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE.parent / "docs" / "schemas" / "check-1.json").read_text())


@dataclass(frozen=True, eq=False)
class Case:
    """One line of the table with the patient that it is about."""

    patient: str
    spine: Variant
    record: PatientRecord
    policy: Policy
    plan_study: str | None
    whose: Whose
    plan: str
    mark: str
    verdict: str
    reason: str | None
    because: str

    @cache  # noqa: B019 (the cases live as long as the tests)
    def check(self) -> Check:
        return judge(
            parse_plan(self.plan),
            spines.mark(self.mark, self.spine),
            self.record,
            self.policy,
            plan_study=self.plan_study,
            whose=self.whose,
        )


@cache
def cases() -> list[Case]:
    table = yaml.safe_load((HERE / "levelcheck_cases.yaml").read_text())
    return [case for patient in table for case in _of_patient(patient)]


def _of_patient(given: dict[str, Any]) -> list[Case]:
    lines = given.pop("cases")
    name, spine, policy = given.pop("patient"), _variant(given.pop("spine", "12T 5L")), given.pop("policy", {})
    known = {"own": spines.STUDY, "unknown": "1.2.999", None: None}
    plan_study = known[given.pop("plan_study", None)]
    if given.get("other", {}).get("study"):
        plan_study = spines.OTHER_STUDY
    whose = Whose(given.pop("whose", "same"))
    record = _record(given, spine)
    assert not given, f"{name}: {given} is not understood"
    shared = (name, spine, record, Policy(**policy), plan_study, whose)
    return [Case(*shared, *line) for line in lines]


def _record(given: dict[str, Any], spine: Variant) -> PatientRecord:
    if given.pop("nothing", False):
        return PatientRecord()
    own = _structures(given, spine)
    entries = [spines.entry(own)]
    if again := given.pop("again", None):
        entries.append(spines.entry(_structures(again, spine), series=spines.OTHER_SERIES))
    if other := given.pop("other", None):
        study = spines.OTHER_STUDY if other.pop("study", None) else spines.STUDY
        reason = other.pop("reason", None)
        named = () if reason else _structures(other, spine, image=spines.OTHER_IMAGE)
        entries.append(
            spines.entry(named, series=spines.OTHER_SERIES, study=study, image=spines.OTHER_IMAGE, reason=reason)
        )
    levels = given.pop("contradicts", None)
    return spines.record(
        *entries,
        variant=None if given.pop("believes", "") == "nothing" else spine,
        contradictions=() if levels is None else (spines.contradiction(tuple(levels)),),
        evidence=tuple(given.pop("evidence", ())),
    )


def _structures(given: dict[str, Any], spine: Variant, image: str = spines.IMAGE) -> tuple[Structure, ...]:
    made = spines.structures(
        spine,
        seen=tuple(given.pop("seen", "C2 S1").split()),
        on=spines.basis(given.pop("basis", BasisKind.COUNTED_FROM_C2), tuple(given.pop("assumptions", ()))),
        probability=given.pop("probability", 0.99),
        extent=given.pop("extent", "corners"),
        image=image,
        shift=given.pop("shift", 0),
        listed_discs=given.pop("discs", "") == "listed",
    )
    one, other = given.pop("swap", (None, None))
    renamed = {one: other, other: one} | dict([reversed(given.pop("twice", (None, None)))])
    kept = given.pop("keep", None)
    return tuple(
        structure.model_copy(update={"name": renamed.get(structure.name, structure.name)})
        for structure in made
        if kept is None or structure.name in kept
    )


def _variant(words: str) -> Variant:
    thoracic, lumbar = re.fullmatch(r"(\d+)T (\d)L", words).groups()
    return Variant(int(thoracic), int(lumbar))


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.plan}@{case.mark}: {case.patient}"[:90])
def test_the_verdict_is_the_expected_one(case: Case) -> None:
    check = case.check()
    assert (check.verdict, check.reason) == (case.verdict, case.reason), f"{case.because}; it said: {check.statement}"


def test_the_table_is_long_and_says_why() -> None:
    assert len(cases()) >= 120
    assert all(len(case.because) > 10 for case in cases())
    assert {case.reason for case in cases()} == {None, *map(str, Why)}
    assert {case.verdict for case in cases()} == set(map(str, Verdict))


def test_every_answer_is_valid_by_the_published_schema() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for case in cases():
        validator.validate(json.loads(case.check().to_json()))


def test_a_verdict_begins_its_statement_and_every_statement_ends_with_the_warning() -> None:
    for case in cases():
        check = case.check()
        assert check.statement.startswith(f"{check.verdict}. ")
        assert check.statement.endswith("AI result, not verified; research use only. Count for yourself first.")
        assert not re.search(r"[{}]", check.statement)


def test_sentences_are_short() -> None:
    for case in cases():
        if case.reason in ("contradicted", "transition-suspected"):
            continue  # these quote what the images show
        for sentence in re.split(r"(?<=[a-z0-9)]\.) ", case.check().statement):
            assert len(sentence) <= 125, sentence


def test_nothing_agrees_or_disagrees_without_a_structure_on_an_accepted_basis() -> None:
    for case in cases():
        check = case.check()
        if check.verdict is not Verdict.CANNOT_CONFIRM:
            assert check.found is not None
            assert check.found.basis.confirmed
            assert check.found.probability >= check.policy.probability


def test_what_agrees_no_series_disagrees_with_and_one_agrees() -> None:
    agreed = [case.check() for case in cases() if case.verdict == "AGREES"]
    assert all(Says.AGREES in {one.says for one in check.series} for check in agreed)
    assert all(Says.DISAGREES not in {one.says for one in check.series} for check in agreed)


def test_the_text_of_a_plan_that_is_not_understood_is_not_repeated() -> None:
    for case in cases():
        if case.reason == Why.PLAN_NOT_UNDERSTOOD and len(case.plan) > 3:
            assert case.plan not in case.check().to_json()
