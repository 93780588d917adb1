"""The record of one patient: a table of patients with what each of their series is called in the end, and on what."""

from __future__ import annotations

import pytest

from numbering.anatomy import USUAL, Variant
from numbering.errors import ReasonCode
from numbering.record import Correction, Filed, conclude, reissues
from numbering.record.model import BasisKind, ContradictionKind, Place
from numbering.result import Candidate, Findings, NumberedDisc, StatedReason, Status
from numbering.study import View
from numbering.uids import derived_uid
from tests.patients import (
    APPEARANCE,
    C2,
    LAST_RIB,
    NOON,
    SACRUM,
    ap_lumbar,
    axial,
    bare,
    called,
    correction,
    disc_slices,
    entry,
    film,
    lumbar,
    sagittal,
)

SIX, FOUR, ELEVEN, THIRTEEN = Variant(12, 6), Variant(12, 4), Variant(11, 5), Variant(13, 5)


def bases(record, uid):
    return {one.name: one.basis for one in entry(record, uid).structures}


def test_a_lumbar_film_alone_keeps_its_presumption():
    record = conclude([ap_lumbar("1.2.3", SIX)])
    assert called(record, "1.2.3") == ["L5"]
    (structure,) = entry(record, "1.2.3").structures
    assert structure.basis.kind is BasisKind.APPEARANCE
    assert not structure.basis.confirmed
    assert structure.probability == 0.94
    assert structure.alternative is not None
    assert structure.alternative.name == "L6"
    assert record.variants == ()
    assert record.contradictions == ()


@pytest.mark.parametrize(
    ("spine", "before", "after"),
    [
        (USUAL, ["L1", "L2", "L3", "L4", "L5", "S1"], ["L1", "L2", "L3", "L4", "L5", "S1"]),
        (SIX, ["L1", "L2", "L3", "L4", "L5", "S1"], ["L2", "L3", "L4", "L5", "L6", "S1"]),
        (FOUR, ["L1", "L2", "L3", "L4", "L5", "S1"], ["T12", "L1", "L2", "L3", "L4", "S1"]),
        (ELEVEN, ["L1", "L2", "L3", "L4", "L5", "S1"], ["L1", "L2", "L3", "L4", "L5", "S1"]),
        (Variant(11, 6), ["L1", "L2", "L3", "L4", "L5", "S1"], ["L2", "L3", "L4", "L5", "L6", "S1"]),
        (Variant(13, 4), ["L1", "L2", "L3", "L4", "L5", "S1"], ["T13", "L1", "L2", "L3", "L4", "S1"]),
    ],
    ids=str,
)
def test_a_whole_spine_film_renames_the_lumbar_film(spine, before, after):
    lumbar_film, whole = lumbar("1.2.3", spine), film("1.2.4", spine, study="1.2.2")
    assert called(conclude([lumbar_film]), "1.2.3") == before
    record = conclude([lumbar_film, whole])
    assert called(record, "1.2.3") == after
    assert {basis.kind for basis in bases(record, "1.2.3").values()} == {BasisKind.PRIOR}
    assert not any(basis.confirmed for basis in bases(record, "1.2.3").values())
    assert all(basis.confirmed for basis in bases(record, "1.2.4").values())
    assert record.contradictions == ()
    assert record.anchor is not None
    assert (record.anchor.kind, record.anchor.series_instance_uid) == (BasisKind.COUNTED_FROM_C2, "1.2.4")
    assert record.variants[0].variant == spine


def test_a_count_upwards_from_the_sacrum_says_nothing_of_the_ribs():
    long, whole = lumbar("1.2.3", SIX, above=8), film("1.2.4", SIX, study="1.2.2")
    assert called(conclude([long]), "1.2.3") == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert called(conclude([long, whole]), "1.2.3") == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1"]


@pytest.mark.parametrize(
    ("spine", "after"),
    [
        (ELEVEN, ["T10", "T11", "L1", "L2", "L3", "L4", "L5", "S1"]),
        (THIRTEEN, ["T12", "T13", "L1", "L2", "L3", "L4", "L5", "S1"]),
    ],
    ids=str,
)
def test_a_count_from_the_last_rib_follows_the_known_number_of_thoracic_vertebrae(spine, after):
    ct = lumbar("1.2.3", spine, LAST_RIB, above=7, modality="CT", view=None)
    assert called(conclude([ct]), "1.2.3") == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    record = conclude([ct, film("1.2.4", spine, study="1.2.2")])
    assert called(record, "1.2.3") == after
    assert record.contradictions == ()


def test_the_whole_spine_film_re_issues_l5_as_l6():
    lumbar_film = ap_lumbar("1.2.3", SIX)
    lumbar_film = lumbar_film.model_copy(update={"issued": lumbar_film.result})
    whole = film("1.2.4", SIX, study="1.2.2")
    whole = whole.model_copy(update={"issued": whole.result})
    (reissue,) = reissues([lumbar_film, whole], at=NOON)
    assert reissue.renamed == (("L5", "L6"),)
    assert reissue.result.series_instance_uid == "1.2.3"
    assert reissue.result.revision == 2
    assert reissue.result.predecessor_sr_uid is not None
    assert reissue.why == "6 lumbar-type vertebrae in series 1.2.4"
    (vertebra,) = reissue.result.findings.vertebrae
    assert vertebra.level == "L6"
    assert "five" not in reissue.result.findings.basis.statement
    again = lumbar_film.model_copy(update={"issued": reissue.result})
    assert reissues([again, whole], at=NOON) == ()
    (back,) = reissues([again], at=NOON)
    assert back.renamed == (("L6", "L5"),)
    assert back.result.findings == lumbar_film.result.findings
    assert back.result.revision == 3


def test_ct_with_six_against_a_film_presumed_to_have_five_is_a_contradiction():
    ct = lumbar("1.2.5", SIX, LAST_RIB, above=7, modality="CT", view=None, study="1.2.9")
    record = conclude([ap_lumbar("1.2.3", SIX), ct])
    (found,) = record.contradictions
    assert found.kind is ContradictionKind.LUMBAR_COUNT
    assert found.series == ("1.2.3", "1.2.5")
    assert found.text == "Number of lumbar-type vertebrae: DX AP presumes 5, CT counts 6."
    assert called(record, "1.2.3") == ["L5"]
    assert entry(record, "1.2.3").structures[0].probability < 0.94


def test_two_films_that_presume_the_same_confirm_nothing():
    record = conclude([ap_lumbar("1.2.3", SIX), lumbar("1.2.4", SIX, view=View.LATERAL)])
    assert not any(basis.confirmed for uid in ("1.2.3", "1.2.4") for basis in bases(record, uid).values())
    assert called(record, "1.2.3") == ["L5"]
    assert record.variants == ()


def test_an_ap_film_is_compared_with_the_lateral_one_by_order_from_the_sacrum():
    lateral = lumbar("1.2.4", SIX, LAST_RIB, above=7, view=View.LATERAL)
    (found,) = conclude([ap_lumbar("1.2.3", SIX), lateral]).contradictions
    assert found.kind is ContradictionKind.ORDER
    agreeing = lumbar("1.2.4", USUAL, LAST_RIB, above=7, view=View.LATERAL)
    assert conclude([ap_lumbar("1.2.3"), agreeing]).contradictions == ()


def test_two_whole_spine_counts_that_differ_contradict_and_rename_nothing():
    films = [film("1.2.3", SIX), film("1.2.4", USUAL, study="1.2.2"), ap_lumbar("1.2.5", study="1.2.6")]
    record = conclude(films)
    assert {found.kind for found in record.contradictions} == {ContradictionKind.LUMBAR_COUNT}
    assert called(record, "1.2.5") == ["L5"]
    assert entry(record, "1.2.5").structures[0].basis.kind is BasisKind.APPEARANCE


def test_names_that_do_not_follow_one_another_are_a_contradiction_within_one_series():
    crossed = film("1.2.3", seen=(20, 24), anchor=SACRUM, called=["L1", "L3", "L2", "L4", "L5"])
    (found,) = conclude([crossed]).contradictions
    assert (found.kind, found.series) == (ContradictionKind.ORDER, ("1.2.3",))


TO_T4, TO_T6 = "C2 C3 C4 C5 C6 C7 T1 T2 T3 T4", "C2 C3 C4 C5 C6 C7 T1 T2 T3 T4 T5 T6"


@pytest.mark.parametrize(
    ("options", "confirmed", "interrupted"),
    [
        ({}, "C2 T6 L5 S1", ""),
        ({"seen": (3, 40)}, "", "C3 T6 L5"),
        ({"missed": [15]}, "C2 C7 T7", "T9 T12 L5"),
        ({"called": TO_T4.split(), "seen": (2, 11)}, "C2 T4", ""),
        # The names follow one another, but the distance says that a vertebra lies between T4 and what is called T5.
        ({"called": TO_T6.split(), "seen": (2, 14), "missed": [12]}, "C2 T4", "T5 T6"),
        ({"assumptions": ("seven cervical vertebrae",)}, "", ""),
        ({"anchor": LAST_RIB, "seen": (18, 40)}, "", ""),
    ],
)
def test_a_count_from_c2_is_confirmed_as_far_as_it_is_not_interrupted(options, confirmed, interrupted):
    found = bases(conclude([film("1.2.3", **options)]), "1.2.3")
    assert all(found[name].confirmed for name in confirmed.split())
    assert all(found[name].kind is BasisKind.INTERRUPTED_COUNT for name in interrupted.split())
    assert not any(found[name].confirmed for name in interrupted.split())
    assert confirmed or not any(basis.confirmed for basis in found.values())


def test_words_that_are_not_known_state_no_basis():
    found = bases(conclude([film("1.2.3", anchor="counted from c2, probably", called=None)]), "1.2.3")
    assert {basis.kind for basis in found.values()} == {BasisKind.UNKNOWN}


# Within a frame of reference


def test_a_localizer_that_counts_from_c2_confirms_the_block_below_it():
    localizer = film("1.2.3", SIX, (2, 22), C2, space="1.9", modality="MR", view=View.SAGITTAL)
    block = lumbar("1.2.4", SIX, space="1.9", modality="MR", view=View.SAGITTAL)
    assert called(conclude([block]), "1.2.4") == ["L1", "L2", "L3", "L4", "L5", "S1"]
    record = conclude([block, localizer])
    assert called(record, "1.2.4") == ["L2", "L3", "L4", "L5", "L6", "S1"]
    found = bases(record, "1.2.4")
    assert all(basis.confirmed and basis.kind is BasisKind.COUNTED_FROM_C2 for basis in found.values())
    assert {one.carried_from for one in entry(record, "1.2.4").structures} == {"1.2.3"}
    assert record.contradictions == ()


def test_a_count_does_not_cross_a_gap_in_the_block():
    localizer = film("1.2.3", USUAL, (2, 21), C2, space="1.9", modality="MR")
    block = lumbar("1.2.4", missed=[23], called=["L1", "L2", "L3", "L5", "S1"], space="1.9", modality="MR")
    found = bases(conclude([block, localizer]), "1.2.4")
    assert found["L2"].confirmed
    assert found["L3"].confirmed
    assert not found["L5"].confirmed
    assert not found["S1"].confirmed


def test_another_frame_of_reference_inherits_nothing_by_geometry():
    localizer = film("1.2.3", SIX, (2, 22), C2, space="1.9", modality="MR")
    block = lumbar("1.2.4", SIX, space="1.8", modality="MR")
    record = conclude([block, localizer])
    assert called(record, "1.2.4") == ["L1", "L2", "L3", "L4", "L5", "S1"]
    assert {one.carried_from for one in entry(record, "1.2.4").structures} == {None}


def test_axial_slices_follow_the_sagittal_count_and_keep_their_place():
    whole = film("1.2.3", SIX, space="1.9", modality="MR", view=View.SAGITTAL)
    slices = disc_slices("1.2.4", SIX, [23, 24, 25], ["L3-L4", "L4-L5", "L5-S1"], "1.9")
    record = conclude([whole, slices])
    assert called(record, "1.2.4") == ["L4-L5", "L5-L6", "L6-S1"]
    assert all(basis.confirmed for basis in bases(record, "1.2.4").values())
    assert record.contradictions == ()


def test_axial_against_sagittal_of_one_strength_is_a_contradiction():
    sagittal_block = film("1.2.3", USUAL, (21, 25), APPEARANCE, space="1.9", modality="MR", view=View.SAGITTAL)
    slices = disc_slices("1.2.4", USUAL, [22, 23], ["L4-L5", "L5-S1"], "1.9")
    record = conclude([sagittal_block, slices])
    assert ContradictionKind.PLANES in {found.kind for found in record.contradictions}
    assert called(record, "1.2.4") == ["L4-L5", "L5-S1"]


def test_bare_images_get_names_by_geometry_and_lose_them_with_their_source():
    whole = film("1.2.3", USUAL, space="1.9", modality="MR", view=View.SAGITTAL)
    (l3,) = (one for one in entry(conclude([whole]), "1.2.3").structures if one.name == "L3")
    images = bare("1.2.4", "1.9", [sagittal(3.0), sagittal(40.0), axial(l3.centre_mm[2])])
    record = conclude([images, whole])
    found = entry(record, "1.2.4")
    by_image = {uid: [one for one in found.structures if one.place.sop_instance_uid == uid] for uid in found.images}
    assert {"C2", "T12", "L4", "L4-L5", "S1"} <= {one.name for one in by_image["1.2.4.1"]}
    assert by_image["1.2.4.2"] == []
    assert [one.name for one in by_image["1.2.4.3"]] == ["L3"]
    assert {one.carried_from for one in found.structures} == {"1.2.3"}
    (on_slice,) = by_image["1.2.4.3"]
    assert (on_slice.place.x, on_slice.place.y) == pytest.approx(((0.1 * 22 + 90) / 0.75, (5 - 0.2 * 22 + 80) / 0.75))
    assert on_slice.basis.confirmed
    alone = entry(conclude([images]), "1.2.4")
    assert alone.structures == ()
    assert alone.reason == "no pipeline is installed for it"


# Corrections


@pytest.mark.parametrize(
    ("was", "name", "after"),
    [
        ("L5", "L6", "L2 L3 L4 L5 L6 S1"),
        ("L2", "L3", "L2 L3 L4 L5 L6 S1"),
        ("L5", "L4", "T12 L1 L2 L3 L4 S1"),
        ("L3", "L3", "L1 L2 L3 L4 L5 S1"),
        ("L1", "T12", "T12 L1 L2 L3 L4 S1"),
    ],
)
def test_the_rest_of_a_series_shifts_with_one_correction(was, name, after):
    one = lumbar("1.2.3")
    record = conclude([one], [correction(one, was, name)])
    assert " ".join(called(record, "1.2.3")) == after
    found = bases(record, "1.2.3")
    assert {basis.kind for basis in found.values()} == {BasisKind.HUMAN_CORRECTION}
    assert found[name].confirmed
    assert record.contradictions == ()


def test_what_a_correction_does_not_settle_is_assumed_and_not_confirmed():
    one = lumbar("1.2.3", above=7)
    found = bases(conclude([one], [correction(one, "L4", "L4")]), "1.2.3")
    assert [name for name, basis in found.items() if basis.confirmed] == ["L1", "L2", "L3", "L4", "L5", "S1"]
    assert found["T12"].assumptions == ("T12 is the last of its region",)


def test_an_unverified_correction_names_and_confirms_nothing():
    one = lumbar("1.2.3")
    record = conclude([one], [correction(one, "L5", "L6", verified=False)])
    assert called(record, "1.2.3") == ["L2", "L3", "L4", "L5", "L6", "S1"]
    assert {basis.kind for basis in bases(record, "1.2.3").values()} == {BasisKind.UNVERIFIED_CORRECTION}
    assert not any(basis.confirmed for basis in bases(record, "1.2.3").values())


def test_a_correction_shifts_the_series_that_depend_on_it():
    one, other, in_space = (
        lumbar("1.2.3", SIX),
        ap_lumbar("1.2.4", SIX, study="1.2.2"),
        lumbar("1.2.5", SIX, space="1.9"),
    )
    record = conclude([one, other, in_space], [correction(one, "L5", "L6")])
    assert called(record, "1.2.4") == ["L6"]
    assert called(record, "1.2.5") == ["L2", "L3", "L4", "L5", "L6", "S1"]
    assert entry(record, "1.2.4").structures[0].basis.kind is BasisKind.PRIOR
    assert record.contradictions == ()


def test_a_correction_stands_when_a_later_run_finds_other_boxes_or_nothing():
    one = lumbar("1.2.3")
    said = correction(one, "L5", "L6")
    later = lumbar("1.2.3", called=["T12", "L1", "L2", "L3", "L4", "L5"], revision=2)
    assert called(conclude([one, later], [said]), "1.2.3") == ["L2", "L3", "L4", "L5", "L6", "S1"]
    gone = lumbar("1.2.3", missed=[24], called=["L1", "L2", "L3", "L4", "S1"], revision=2)
    record = conclude([one, gone], [said])
    assert called(record, "1.2.3") == ["L1", "L2", "L3", "L4", "L6", "S1"]
    assert bases(record, "1.2.3")["L6"].confirmed


def test_the_newest_verified_correction_of_one_structure_holds():
    one = lumbar("1.2.3")
    first, second = correction(one, "L5", "L6"), correction(one, "L5", "L5", hours=1)
    record = conclude([one], [first, second])
    assert called(record, "1.2.3") == ["L1", "L2", "L3", "L4", "L5", "S1"]
    assert record.contradictions == ()
    doubt = correction(one, "L5", "L6", verified=False, hours=2)
    record = conclude([one], [first, second, doubt])
    assert called(record, "1.2.3") == ["L1", "L2", "L3", "L4", "L5", "S1"]
    assert [found.kind for found in record.contradictions] == [ContradictionKind.CORRECTION]


def test_corrections_that_cannot_all_be_right_are_a_contradiction():
    one = lumbar("1.2.3")
    record = conclude([one], [correction(one, "L5", "L6"), correction(one, "L2", "L2", hours=1)])
    assert [found.kind for found in record.contradictions] == [ContradictionKind.CORRECTION]
    assert called(record, "1.2.3") == ["L1", "L2", "L3", "L4", "L5", "S1"]


def test_a_verified_correction_against_a_count_from_c2_is_a_contradiction():
    one, whole = lumbar("1.2.3"), film("1.2.4", USUAL, study="1.2.2")
    record = conclude([one, whole], [correction(one, "L5", "L6")])
    assert {found.kind for found in record.contradictions} == {ContradictionKind.CORRECTION}
    assert "L6" in called(record, "1.2.3")
    assert "L6" not in called(record, "1.2.4")


def test_a_verified_name_for_a_place_where_the_run_found_nothing_outweighs_the_runs_names():
    one = film("1.2.3", seen=(21, 23), anchor=SACRUM, called=["L3", "L4", "L5"])
    below = Place(sop_instance_uid="1.2.3.1", x=120, y=950)
    said = Correction(uid="2.25.1", series_instance_uid="1.2.3", place=below, name="L5", verified=True, at=NOON)
    record = conclude([one], [said])
    assert called(record, "1.2.3") == ["L5"]
    assert entry(record, "1.2.3").structures[0].place == below
    fitting = said.model_copy(update={"name": "S1"})
    assert called(conclude([one], [fitting]), "1.2.3") == ["L3", "L4", "L5", "S1"]


def test_a_correction_of_an_abstained_film_takes_the_box_of_the_candidate_that_was_shown():
    candidate = Candidate(sop_instance_uid="1.2.3.1", frame=None, box=(100, 500, 150, 530), score=0.6)
    reason = StatedReason(code=ReasonCode.LOW_CONFIDENCE, text="Not sure enough.")
    abstained = Findings(status=Status.ABSTAINED, reason=reason, candidates=(candidate,))
    result = ap_lumbar("1.2.3").result.model_copy(update={"findings": abstained})
    one = Filed.of(result, issued=result)
    place = Place(sop_instance_uid="1.2.3.1", x=120, y=510)
    said = Correction(uid="2.25.1", series_instance_uid="1.2.3", place=place, name="L5", verified=True, at=NOON)
    (reissue,) = reissues([one], [said], at=NOON)
    (vertebra,) = reissue.result.findings.vertebrae
    assert (vertebra.level, vertebra.box) == ("L5", candidate.box)
    elsewhere = said.model_copy(update={"place": place.model_copy(update={"y": 700})})
    assert called(conclude([one], [elsewhere]), "1.2.3") == ["L5"]
    assert reissues([one], [elsewhere], at=NOON) == ()


def test_a_disc_that_would_lie_within_the_sacrum_is_left_out():
    disc = NumberedDisc(level="L5-S1", probability=0.9, sop_instance_uid="1.2.3.1")
    one = lumbar("1.2.3", discs=(disc,))
    assert "L5-S1" in called(conclude([one]), "1.2.3")
    assert called(conclude([one], [correction(one, "L5", "S1")]), "1.2.3") == ["L2", "L3", "L4", "L5", "S1", "S2"]


# What does not settle anything


def test_a_count_from_c2_that_is_not_sure_itself_renames_nothing():
    record = conclude([ap_lumbar("1.2.3", SIX), film("1.2.4", SIX, probability=0.6, study="1.2.2")])
    assert called(record, "1.2.3") == ["L5"]
    assert [found.kind for found in record.contradictions] == [ContradictionKind.LUMBAR_COUNT]


def test_a_result_that_counted_otherwise_is_contradicted_and_not_renamed():
    ct = lumbar("1.2.3", USUAL, LAST_RIB, above=7, modality="CT", view=None)
    record = conclude([ct, film("1.2.4", Variant(11, 6), study="1.2.2")])
    assert called(record, "1.2.3") == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert {basis.kind for basis in bases(record, "1.2.3").values()} == {BasisKind.LAST_RIB}
    assert {found.kind for found in record.contradictions} == {
        ContradictionKind.LUMBAR_COUNT,
        ContradictionKind.THORACIC_COUNT,
    }


def test_what_a_person_named_is_not_renamed_by_a_count():
    one = lumbar("1.2.3", missed=[23], called=["L1", "L2", "L3", "L5", "S1"])
    record = conclude([one, film("1.2.4", SIX, study="1.2.2")], [correction(one, "L2", "L2")])
    assert called(record, "1.2.3") == ["L1", "L2", "L3", "L5", "S1"]
    assert [found.kind for found in record.contradictions] == [ContradictionKind.CORRECTION]


def test_what_a_person_named_is_not_renamed_by_geometry():
    whole = film("1.2.3", USUAL, space="1.9", modality="MR")
    block = lumbar("1.2.4", USUAL, space="1.9", modality="MR")
    record = conclude([whole, block], [correction(block, "L5", "L6", verified=False)])
    assert "L6" in called(record, "1.2.4")
    assert {found.kind for found in record.contradictions} == {ContradictionKind.CORRECTION}


def test_a_localizer_that_ends_above_the_block_says_nothing_of_it():
    localizer = film("1.2.3", SIX, (2, 20), C2, space="1.9", modality="MR")
    block = lumbar("1.2.4", SIX, space="1.9", modality="MR")
    record = conclude([localizer, block])
    assert called(record, "1.2.4") == ["L1", "L2", "L3", "L4", "L5", "S1"]
    assert not any(basis.confirmed for basis in bases(record, "1.2.4").values())


def test_names_that_run_from_foot_to_head_in_space_are_a_contradiction():
    turned = film("1.2.3", seen=(21, 24), anchor=SACRUM, called=["L5", "L4", "L3", "L2"], space="1.9")
    assert [found.kind for found in conclude([turned]).contradictions] == [ContradictionKind.ORDER]


def test_the_later_run_stands_whichever_comes_first():
    first, later = lumbar("1.2.3"), lumbar("1.2.3", above=3, revision=2)
    assert called(conclude([later, first]), "1.2.3") == ["L3", "L4", "L5", "S1"]
    assert conclude([later, first]) == conclude([first, later])


def test_each_revision_supersedes_the_last_one_issued():
    one, whole = ap_lumbar("1.2.3", SIX), film("1.2.4", SIX, study="1.2.2")
    one, whole = (each.model_copy(update={"issued": each.result}) for each in (one, whole))
    (second,) = reissues([one, whole], at=NOON)
    assert second.result.predecessor_sr_uid == derived_uid(one.result.identity(), "SR")
    after = one.model_copy(update={"issued": second.result})
    (third,) = reissues([after], at=NOON)
    assert third.result.predecessor_sr_uid == derived_uid(second.result.identity(), "SR")
    assert len({one.result.identity(), second.result.identity(), third.result.identity()}) == 3
    assert third.why == "what had changed its names is no longer there"
