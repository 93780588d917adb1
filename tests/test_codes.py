"""Codes against PS3.16 as shipped with pydicom, and our own scheme against the rules for codes."""

from __future__ import annotations

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import codes as standard

from numbering.anatomy import Disc, Level
from numbering.dicom.objects import codes
from numbering.errors import ReasonCode


@pytest.mark.parametrize("level", [level for level in Level if level.region in "CTL"], ids=str)
def test_a_vertebra_has_the_code_of_cid_7603_or_ours(level: Level) -> None:
    code = codes.vertebra(level)
    if level in (Level.T13, Level.L6):
        assert (code.value, code.scheme_designator) == (str(level), "99NUMBERING")
    else:
        assert (code.value, code.meaning) == _published(standard.cid7603, f"{level}Vertebra")


@pytest.mark.parametrize("between", codes.all_discs(), ids=str)
def test_a_disc_has_the_code_of_cid_7604_or_ours(between: Disc) -> None:
    disc, level = codes.disc(between), codes.level_of(between)
    if str(between) in {"T11-L1", "T12-T13", "T13-L1", "L4-S1", "L5-L6", "L6-S1"}:
        assert (disc.value, disc.scheme_designator) == (f"DISC-{between}", "99NUMBERING")
        assert (level.value, level.scheme_designator) == (f"LEVEL-{between}", "99NUMBERING")
    else:
        name = f"{between.upper}{between.lower}"
        assert (disc.value, disc.meaning) == _published(standard.cid7604, f"{name}Disc")
        assert (level.value, level.meaning) == _published(standard.cid1003, f"LevelOf{name}IntervertebralDisc")


def test_no_two_concepts_share_a_code() -> None:
    vertebrae, discs = [codes.vertebra(level) for level in Level], [codes.disc(disc) for disc in codes.all_discs()]
    levels = [codes.level_of(disc) for disc in codes.all_discs()]
    values = [code.value for code in (*vertebrae, *discs, *levels)]
    assert len(values) == len(set(values)) == 31 + 29 + 29


def test_every_reason_has_its_own_code() -> None:
    assert set(codes.REASONS) == set(ReasonCode)
    assert len({code.value for code in codes.REASONS.values()}) == len(ReasonCode)


def test_local_codes_are_unique_and_fit_their_elements() -> None:
    local = list(codes.local_codes())
    assert len({code.value for code in local}) == len(local)
    for code in local:
        assert code.scheme_designator == "99NUMBERING"
        assert len(code.value) <= 16, f"{code.value}: CodeValue is an SH"
        assert len(code.meaning) <= 64, f"{code.meaning}: CodeMeaning is an LO"


def test_no_local_code_repeats_a_standard_meaning() -> None:
    schemes = [code for scheme in concepts.values() for code in scheme.values()]
    published = {meaning.lower() for code in schemes for meaning, _ in code.values()}
    assert {code.meaning for code in codes.local_codes() if code.meaning.lower() in published} == set()


def test_a_measurement_is_found_by_the_beginning_of_its_name() -> None:
    assert codes.measurement("lumbar-lordosis-l1-l5").value == "LUMBAR-LORDOSIS"
    with pytest.raises(ValueError, match="has no code"):
        codes.measurement("lumbar-lordosisness")


def test_the_scheme_says_who_is_responsible() -> None:
    (item,) = codes.scheme_identification()
    assert item.CodingSchemeDesignator == "99NUMBERING"
    assert item.CodingSchemeUID == codes.SCHEME_UID
    assert item.CodingSchemeResponsibleOrganization


def _published(context_group: object, name: str) -> tuple[str, str]:
    code = getattr(context_group, name)
    return code.value, code.meaning
