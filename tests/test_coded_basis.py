"""The numbering statement in codes and numbers: each part besides the sentence, and none that nothing is said of."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from numbering.dicom.objects.basis import alternative, counted_from, statement
from numbering.result import Alternative, Lstv, NumberingBasis

SAID = "As it is said."


def by_name(items: object) -> dict[str, Dataset]:
    return {item.ConceptNameCodeSequence[0].CodeValue: item for item in items}  # type: ignore[attr-defined]


def value(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeValue)


def number(item: Dataset) -> float:
    return float(item.MeasuredValueSequence[0].NumericValue)


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("C2", ["COUNT-C2"]),
        ("lowest rib-bearing vertebra, presumed T12", ["COUNT-RIB"]),
        ("last rib", ["COUNT-RIB"]),
        ("sacrum", ["COUNT-SACRUM"]),
        ("L5 by appearance", ["COUNT-LOOKS"]),
        ("C2; sacrum", ["COUNT-C2", "COUNT-SACRUM"]),
    ],
)
def test_what_was_counted_from_is_a_code_for_each_known_basis(words: str, codes: list[str]) -> None:
    assert [value(item) for item in counted_from(words)] == codes


def test_a_basis_in_other_words_is_written_as_it_was_said_and_never_as_a_code_of_another() -> None:
    (item,) = counted_from("L4, named by a person")
    assert (item.ValueType, item.TextValue) == ("TEXT", "L4, named by a person")


def test_each_part_of_the_statement_is_a_code_or_a_number() -> None:
    basis = NumberingBasis(
        counted_from="C2", anchors_in_view=("C2", "last rib", "sacrum", "iliac crest"), lumbar_type_count=6,
        last_rib="T13", lstv=Lstv.SUSPECTED, lstv_evidence=("a", "b"), lowest_disc="L6-S1", confidence=0.875,
        statement=SAID,
    )  # fmt: skip
    items = list(statement(basis))
    parts = by_name(items)
    anchors = [item for item in items if item.ConceptNameCodeSequence[0].CodeValue == "ANCHOR-IN-VIEW"]
    assert [value(item) for item in anchors[:3]] == ["39976000", "ANCHOR-RIB", "54735007"]
    assert anchors[3].TextValue == "iliac crest"
    assert number(parts["LUMBAR-COUNT"]) == 6
    assert value(parts["LAST-RIB"]) == "T13"
    assert value(parts["LSTV"]) == "LSTV-SUSPECTED"
    assert [item.TextValue for item in parts["LSTV"].ContentSequence] == ["a", "b"]
    assert value(parts["LOWEST-DISC"]) == "DISC-L6-S1"
    assert number(parts["CONFIDENCE"]) == 0.875


def test_what_nothing_is_said_of_is_not_written() -> None:
    assert set(by_name(statement(NumberingBasis(counted_from="sacrum", statement=SAID)))) == {
        "BASIS-STATEMENT",
        "COUNTED-FROM",
    }


@pytest.mark.parametrize(("levels", "codes"), [(("L6", "S1"), ["L6", "65985001"]), (("L5-L6",), ["DISC-L5-L6"])])
def test_the_alternative_names_its_vertebrae_or_discs_by_code(levels: tuple[str, ...], codes: list[str]) -> None:
    text, probability = alternative(Alternative(probability=0.25, levels=levels))
    assert text.TextValue == f"{', '.join(levels)}, probability 0.25"
    assert number(probability) == 0.25
    assert [value(item) for item in probability.ContentSequence] == codes
