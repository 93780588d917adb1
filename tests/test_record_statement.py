"""What a record says in words: the numbering statement, suspected transitional vertebrae, and the level check on it."""

from __future__ import annotations

import pytest

from numbering.anatomy import USUAL, Variant
from numbering.levelcheck import Mark, Policy, Verdict, judge, parse_plan
from numbering.levelcheck.answer import Place, Why
from numbering.record import conclude, reissues
from numbering.record.lstv import CRITERIA
from numbering.record.model import BasisKind
from numbering.record.statement import ENGLISH, Concept, parts, statement
from numbering.result import Alternative, Measurement
from tests.patients import LAST_RIB, NOON, ap_lumbar, correction, entry, film, lumbar

SIX = Variant(12, 6)


def test_the_statement_of_a_whole_spine_count():
    record = conclude([film("1.2.4", SIX)])
    assert statement(entry(record, "1.2.4"), record) == (
        "Numbering basis: counted from C2 (C2), confirmed. 6 lumbar-type vertebrae in view. Last rib at T12. LSTV: "
        "none suspected; not measured: height of the transverse processes, contact of the transverse processes with "
        "the sacrum, squaring of the transitional body, the S1-S2 disc. Alternative numbering: S2 (probability 0.02). "
        "Confidence 0.97. AI result, not verified. Research use only."
    )


def test_the_statement_of_a_film_that_follows_another_says_so_part_by_part():
    record = conclude([ap_lumbar("1.2.3", SIX), film("1.2.4", SIX, study="1.2.2")])
    said = {part.concept: part for part in parts(entry(record, "1.2.3"), record)}
    assert said[Concept.BASIS].sentence == (
        "Numbering basis: carried over from another examination (6 lumbar-type vertebrae counted in another series), "
        "not confirmed."
    )
    assert said[Concept.CARRIED].value == "1.2.4"
    assert said[Concept.ASSUMPTION].value == "the lowest lumbar-type vertebra is the same on both"
    assert said[Concept.ALTERNATIVE].value.startswith("L5 (probability 0.0")
    assert "AI result, not verified" in said[Concept.STATUS].value


def test_every_sentence_of_the_statement_comes_from_the_catalogue():
    words = {key: f"<{key}|{text}>" for key, text in ENGLISH.items()}
    one = lumbar("1.2.3")
    record = conclude([one, film("1.2.4", SIX, study="1.2.2")], [correction(one, "L5", "L5")])
    assert record.contradictions
    for uid in ("1.2.3", "1.2.4"):
        said = parts(entry(record, uid), record, words)
        assert all(part.sentence.startswith(f"<{part.concept}|") for part in said)
        assert {Concept.BASIS, Concept.CONTRADICTION, Concept.LSTV, Concept.STATUS} <= {part.concept for part in said}


def test_a_catalogue_has_words_for_every_basis_and_concept():
    assert {*BasisKind, *Concept} <= ENGLISH.keys()


def test_the_statement_of_a_corrected_series_says_that_a_person_named_it():
    one = lumbar("1.2.3")
    one = one.model_copy(update={"issued": one.result})
    (reissue,) = reissues([one], [correction(one, "L5", "L6")], at=NOON)
    assert "named by a person, verified (L6, named by a person), confirmed" in reissue.result.findings.basis.statement
    assert reissue.why == "a person named L6"


# Transitional vertebrae


def with_findings(filed, **more):
    findings = filed.result.findings.model_copy(update=more)
    return filed.model_copy(update={"result": filed.result.model_copy(update={"findings": findings})})


def test_what_a_pipeline_suspects_is_suspected():
    one = with_findings(ap_lumbar("1.2.3"), anomalies=("transitional vertebra not excluded", "scoliosis"))
    found = conclude([one]).transition
    assert found.evidence == ("DX: transitional vertebra not excluded",)
    assert len(found.unassessed) == len(CRITERIA)


@pytest.mark.parametrize(
    ("name", "value", "unit", "suspected"),
    [
        ("transverse-process-height-l5", 24.0, "mm", True),
        ("transverse-process-height-l5", 12.0, "mm", False),
        ("transverse-process-height-l5", 24.0, "cm", False),
        ("transverse-process-height-l5", None, "mm", False),
        ("transverse-process-gap-l5", 0.0, "mm", True),
        ("transverse-process-gap-l5", 6.0, "mm", False),
        ("squaring-s1", 1.2, "1", True),
        ("squaring-s1", 1.6, "1", False),
        ("s1-s2-disc-depth", 1.0, "1", True),
        ("s1-s2-disc-depth", 0.4, "1", False),
    ],
)
def test_criteria_are_applied_where_they_were_measured(name, value, unit, suspected):
    measured = Measurement(
        name=name, levels=("L5",), value=value, unit=unit, reason=None if value is not None else "not seen"
    )
    found = conclude([with_findings(lumbar("1.2.3"), measurements=(measured,))]).transition
    assert found.suspected is suspected
    assert len(found.unassessed) == len(CRITERIA) - (value is not None)


def test_a_likely_other_name_of_the_lowest_vertebra_speaks_for_one():
    one = with_findings(ap_lumbar("1.2.3"), alternative=Alternative(probability=0.3, levels=("L6",)))
    assert conclude([one]).transition.evidence == ("DX: L5 may as well be L6 (0.30)",)
    assert not conclude([ap_lumbar("1.2.3")]).transition.suspected


def test_counts_that_differ_between_modalities_speak_for_one():
    ct = lumbar("1.2.5", SIX, LAST_RIB, above=8, modality="CT", view=None)
    mr = lumbar("1.2.6", USUAL, LAST_RIB, above=8, modality="MR", view=None)
    assert conclude([ct, mr]).transition.evidence == (
        "lumbar-type vertebrae are counted differently: 5 on MR; 6 on CT",
    )
    presumed = conclude([ct, ap_lumbar("1.2.3", SIX)])
    assert not presumed.transition.suspected


# The same check before and after


def mark_on(filed, name):
    (found,) = (one for one in filed.result.findings.vertebrae if one.level == name)
    x0, y0, x1, y1 = found.box
    return Mark(place=Place(sop_instance_uid=found.sop_instance_uid, frame=None, x=(x0 + x1) / 2, y=(y0 + y1) / 2))


def test_a_check_follows_the_count_and_never_confirms_what_was_carried_to_another_film():
    lumbar_film, whole = ap_lumbar("1.2.3", SIX), film("1.2.4", SIX, study="1.2.2", probability=0.99)
    plan, mark = parse_plan("L5"), mark_on(lumbar_film, "L5")
    first = judge(plan, mark, conclude([lumbar_film]), Policy())
    assert (first.verdict, first.reason) == (Verdict.CANNOT_CONFIRM, Why.BASIS_NOT_CONFIRMED)
    assert first.found is not None
    assert first.found.name == "L5"
    record = conclude([lumbar_film, whole])
    then = judge(plan, mark, record, Policy())
    assert (then.verdict, then.reason) == (Verdict.CANNOT_CONFIRM, Why.BASIS_NOT_CONFIRMED)
    assert then.found is not None
    assert then.found.name == "L6"
    widened = Policy(probability=0.9, widened_by=(BasisKind.PRIOR,))
    assert judge(plan, mark, record, widened).verdict is Verdict.DISAGREES
    assert judge(plan, mark_on(whole, "L5"), record, Policy()).verdict is Verdict.AGREES
    assert judge(plan, mark_on(whole, "L6"), record, Policy()).verdict is Verdict.DISAGREES


def test_a_verified_correction_decides_a_check_on_its_own_film():
    one = lumbar("1.2.3", SIX, probability=0.99)
    plan, mark = parse_plan("L5"), mark_on(one, "L5")
    assert judge(plan, mark, conclude([one]), Policy()).verdict is Verdict.CANNOT_CONFIRM
    corrected = conclude([one], [correction(one, "L5", "L6")])
    assert judge(plan, mark, corrected, Policy()).verdict is Verdict.DISAGREES
    assert judge(plan, mark_on(one, "L4"), corrected, Policy()).verdict is Verdict.AGREES
