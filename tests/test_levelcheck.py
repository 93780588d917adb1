"""The level check's parts: codes, wording, what it prints, and that it is pure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydicom.sr.codedict import codes as standard

from benchmarks.level_checks.errors import ap_rates
from benchmarks.levelcheck import upper_bound
from numbering.anatomy import Level
from numbering.dicom.objects import codes
from numbering.levelcheck import Kind, NotUnderstood, Plan, Policy, judge, parse_code, parse_plan
from numbering.levelcheck.answer import EXIT_CODES, Says, Verdict, Why
from numbering.levelcheck.plan import Unclear
from numbering.levelcheck.regions import regions
from numbering.levelcheck.statement import ENGLISH, number
from numbering.record.model import BasisKind, OtherName
from tests import spines
from tests.test_levelcheck_cases import cases

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("group", ["cid7602", "cid7603", "cid7604"])
def test_every_code_of_the_context_group_names_what_it_means(group: str) -> None:
    published = getattr(standard, group).concepts.values()
    for code in published:
        plan = parse_code(code.value, code.scheme_designator)
        assert isinstance(plan, Plan), code.meaning
        name, kind = code.meaning.split(" ")
        assert plan.name == name.replace("/", "-")
        assert plan.kind == kind
        assert parse_plan(f"SCT:{code.value}") == plan


def test_every_code_that_we_write_is_read_as_what_it_means() -> None:
    for level in Level:
        code = codes.vertebra(level)
        assert parse_code(code.value, code.scheme_designator) == Plan(Kind.VERTEBRA, (level,))
    for disc in codes.all_discs():
        code = codes.disc(disc)
        assert parse_code(code.value, code.scheme_designator) == Plan(Kind.DISC, (disc.upper, disc.lower))


def test_a_code_of_another_scheme_or_group_is_not_understood() -> None:
    for value, scheme in (("84020006", "99OTHER"), ("L6", "SCT"), ("54735007", "SCT"), ("243923001", "SCT")):
        assert parse_code(value, scheme) == NotUnderstood(Unclear.UNKNOWN_CODE)


class Counting(Mapping[str, str]):
    """A catalogue that remembers which of its sentences were used."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.used.add(str(key))
        return ENGLISH[key]

    def __iter__(self) -> Iterator[str]:
        return iter(ENGLISH)

    def __len__(self) -> int:
        return len(ENGLISH)

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override]
        return self[key] if key in ENGLISH else default


def test_every_sentence_of_the_catalogue_is_used() -> None:
    words = Counting()
    for case in cases():
        judge(
            parse_plan(case.plan),
            spines.mark(case.mark, case.spine),
            case.record,
            case.policy,
            plan_study=case.plan_study,
            whose=case.whose,
            words=words,
        )
    other = OtherName(name="L5", probability=0.02)
    abstained = spines.entry((), series=spines.OTHER_SERIES, image=spines.OTHER_IMAGE)
    record = spines.record(spines.entry(spines.structures(alternative=other)), abstained)
    judge(parse_plan("L4"), spines.mark("L4"), record, Policy(), words=words)
    for kind in set(BasisKind) - {BasisKind.COUNTED_FROM_C2}:
        record = spines.record(spines.entry(spines.structures(on=spines.basis(kind))))
        judge(parse_plan("L4"), spines.mark("L4"), record, Policy(), words=words)
    for text in ("", "L4" * 40, "x", "L3 L4", "L4 x", "left right L4", "L7", "L5-L4", "TLIF L4", "SCT:1"):
        judge(parse_plan(text), None, record, Policy(), words=words)
    assert set(map(str, ENGLISH)) - words.used == set()


def test_a_catalogue_in_another_language_changes_the_sentences_and_not_the_verdict() -> None:
    german = {**ENGLISH, Why.ANOTHER_LEVEL: "HALT. Geplant ist {planned}, markiert ist {found}."}
    record = spines.record(spines.entry(spines.structures()))
    check = judge(parse_plan("L3"), spines.mark("L4"), record, Policy(), words=german)
    assert check.verdict is Verdict.DISAGREES
    assert "HALT. Geplant ist L3, markiert ist L4." in check.statement


def test_the_alternative_is_told() -> None:
    other = OtherName(name="L5", probability=0.02)
    record = spines.record(spines.entry(spines.structures(alternative=other)))
    check = judge(parse_plan("L4"), spines.mark("L4"), record, Policy())
    assert "Otherwise it is L5, probability 0.02." in check.statement
    assert check.found is not None
    assert check.found.alternative is not None


def test_a_widened_basis_is_printed_in_statement_and_policy() -> None:
    policy = Policy(widened_by=(BasisKind.LAST_RIB, BasisKind.SACRUM))
    on = spines.basis(BasisKind.LAST_RIB, ("the last rib is that of T12",))
    record = spines.record(spines.entry(spines.structures(on=on)))
    check = judge(parse_plan("L4"), spines.mark("L4"), record, policy)
    assert check.verdict is Verdict.AGREES
    assert "This site also accepts names counted from the last rib, counted from the sacrum." in check.statement
    assert "It assumes the last rib is that of T12." in check.statement
    assert check.policy.widened_by == ("counted from the last rib", "counted from the sacrum")
    assert set(check.policy.widened_by) < set(check.policy.confirmed_bases)


def test_the_list_of_what_is_known_begins_with_confirmed_places() -> None:
    presumed = spines.structures(on=spines.basis(BasisKind.APPEARANCE), image=spines.OTHER_IMAGE, probability=1.0)
    entries = (
        spines.entry(presumed, series=spines.OTHER_SERIES, image=spines.OTHER_IMAGE),
        spines.entry(spines.structures()),
    )
    check = judge(parse_plan("L4"), None, spines.record(*entries), Policy())
    assert [(one.name, one.place.sop_instance_uid) for one in check.known] == [
        ("L4", spines.IMAGE),
        ("L4", spines.OTHER_IMAGE),
    ]
    assert [one.says for one in check.series] == [Says.SILENT, Says.SILENT]


def test_of_a_disc_that_is_not_listed_its_vertebrae_are_known() -> None:
    check = judge(parse_plan("L4-L5"), None, spines.record(spines.entry(spines.structures())), Policy())
    assert [one.name for one in check.known] == ["L4", "L5"]


def test_a_disc_between_bodies_that_overlap_or_lie_far_apart_is_nowhere() -> None:
    upper, lower = spines.structures(seen=("L4", "L5"))
    assert [one.structure.name for one in regions([upper, lower])] == ["L4", "L5", "L4-L5"]
    for down in (-25.0, 60.0):
        corners = tuple((x, y + down) for x, y in lower.corners or ())
        place = lower.place.model_copy(update={"y": lower.place.y + down})
        moved = lower.model_copy(update={"corners": corners, "place": place})
        assert [one.structure.name for one in regions([upper, moved])] == ["L4", "L5"]


def test_of_a_sacrum_known_by_its_endplate_the_disc_above_has_a_region_and_its_body_has_none() -> None:
    """S1 of a lateral film: a box about its tilted endplate would cover a part of the disc and of L5."""
    l5, s1 = (one for one in spines.structures() if one.name in ("L5", "S1"))
    assert s1.corners is not None
    sacrum = s1.model_copy(update={"corners": None, "endplate": (s1.corners[0], s1.corners[1])})
    found = {one.structure.name: one for one in regions([l5, sacrum])}
    whole = {one.structure.name: one for one in regions([l5, s1])}
    assert list(found) == ["L5", "L5-S1"]
    assert found["L5-S1"].outline == whole["L5-S1"].outline
    assert found["L5-S1"].structure.endplate is None


def test_a_disc_of_two_kinds_of_presumption_rests_on_none() -> None:
    upper, lower = spines.structures(seen=("L4", "L5"))
    upper = upper.model_copy(update={"basis": spines.basis(BasisKind.LAST_RIB)})
    lower = lower.model_copy(update={"basis": spines.basis(BasisKind.APPEARANCE)})
    disc = regions([upper, lower])[-1].structure
    assert disc.basis.kind is BasisKind.UNKNOWN
    assert not Policy(widened_by=(BasisKind.LAST_RIB,)).accepts(disc.basis)


def test_probabilities_are_never_rounded_up() -> None:
    assert [number(value) for value in (0.9499, 0.95, 0.999, 1.0, 0.29)] == ["0.94", "0.95", "0.99", "1.00", "0.29"]


def test_each_verdict_has_its_exit_code() -> None:
    assert {str(verdict): code for verdict, code in EXIT_CODES.items()} == {
        "AGREES": 0,
        "DISAGREES": 3,
        "CANNOT CONFIRM": 4,
    }


def test_what_is_printed_is_read_back_unchanged() -> None:
    record = spines.record(spines.entry(spines.structures()))
    check = judge(parse_plan("L5 root left"), spines.mark("L5 side L"), record, Policy())
    assert type(check).model_validate_json(check.to_json()) == check
    assert json.loads(check.to_json())["schema"] == "numbering/check/1"


def test_the_check_loads_neither_dicom_nor_networks_nor_the_database() -> None:
    code = "import sys, numbering.levelcheck; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(run.stdout.split())
    assert loaded.isdisjoint({"pydicom", "highdicom", "torch", "openvino", "sqlalchemy", "fastapi"})


def test_the_bound_of_the_benchmark_is_the_exact_one() -> None:
    """No event in 2,995 is the rule of three for 0.1 %; Clopper and Pearson's table gives 1 in 4,742."""
    assert upper_bound(0, 2995) == pytest.approx(0.001, rel=1e-3)
    assert upper_bound(1, 4742) == pytest.approx(0.001, rel=1e-3)
    assert upper_bound(5, 5) == 1


def test_the_benchmark_draws_from_the_saved_figures_of_the_installed_model() -> None:
    rates = ap_rates("whole film")
    assert sum(rates.values()) == pytest.approx(1)
    assert rates["wrong sure"] == 0
    assert 0.8 < rates["right sure"] + rates["right"] < 1
