import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbering.anatomy import USUAL, VARIANTS, Disc, Level, Variant

variants = st.sampled_from(VARIANTS)


def test_levels_are_ordered_head_to_foot():
    assert Level.C7 < Level.T1 < Level.T12 < Level.T13 < Level.L1 < Level.L5 < Level.L6 < Level.S1
    assert sorted([Level.S1, Level.C2, Level.L6]) == [Level.C2, Level.L6, Level.S1]


def test_a_level_compares_with_levels_only():
    with pytest.raises(TypeError):
        assert Level.L1 < "L2"


def test_a_level_is_spelt_as_in_json():
    assert [str(level) for level in (Level.C1, Level.T13, Level.L6)] == ["C1", "T13", "L6"]
    assert Level.parse(" l5 ") is Level.L5


@pytest.mark.parametrize("name", ["L7", "T14", "C0", "C8", "S6", "", "5", "L4-L5"])
def test_a_name_that_is_no_vertebra_is_refused_with_what_was_expected(name):
    with pytest.raises(ValueError, match="expected C1…C7, T1…T13, L1…L6 or S1…S5"):
        Level.parse(name)


def test_the_usual_spine_counts_l5_as_the_24th_vertebra():
    assert USUAL.ordinal(Level.L5) == 7 + 12 + 5
    assert USUAL.name(24) is Level.L5
    assert len(USUAL.levels()) == 29


@pytest.mark.parametrize(
    ("variant", "pair"),
    [
        (Variant(thoracic=11), (Level.T11, Level.L1)),
        (Variant(thoracic=13), (Level.T13, Level.L1)),
        (Variant(lumbar=4), (Level.L4, Level.S1)),
        (Variant(lumbar=6), (Level.L6, Level.S1)),
        (Variant(lumbar=6), (Level.L5, Level.L6)),
    ],
)
def test_variants_have_their_own_neighbours(variant, pair):
    assert pair in itertools.pairwise(variant.levels())
    assert Disc(*pair) in variant.discs()


def test_a_spine_does_not_have_the_levels_of_another_variant():
    with pytest.raises(ValueError, match=r"7C\+12T\+5L has no L6"):
        USUAL.ordinal(Level.L6)
    with pytest.raises(ValueError, match="has no T12"):
        Variant(thoracic=11).ordinal(Level.T12)


@pytest.mark.parametrize("counts", [(10, 5), (14, 5), (12, 3), (12, 7)])
def test_spines_that_nobody_has_are_refused(counts):
    with pytest.raises(ValueError, match="no variant"):
        Variant(*counts)


@given(variants)
def test_name_and_ordinal_are_inverse_in_every_variant(variant):
    for ordinal, level in enumerate(variant.levels(), start=1):
        assert variant.ordinal(level) == ordinal
        assert variant.name(ordinal) is level


@given(variants)
def test_discs_run_from_c2_c3_to_the_sacrum_and_no_further(variant):
    discs = variant.discs()
    assert str(discs[0]) == "C2-C3"
    assert discs[-1].lower is Level.S1
    assert len(discs) == 5 + variant.thoracic + variant.lumbar + 1
    assert list(discs) == sorted(discs)


@pytest.mark.parametrize("name", ["T11-L1", "T13-L1", "L4-S1", "L5-L6", "L6-S1", "T12-L1", "L4-L5", "L5-S1"])
def test_discs_of_all_variants_exist_and_are_spelt_with_a_hyphen(name):
    assert str(Disc.parse(name)) == name


@pytest.mark.parametrize("name", ["L4-L6", "L5-L4", "C1-C2", "S1-S2", "T11-L2", "T12-S1"])
def test_vertebrae_that_are_neighbours_in_no_spine_have_no_disc(name):
    with pytest.raises(ValueError, match="neighbours in no spine"):
        Disc.parse(name)


def test_a_disc_without_a_hyphen_is_refused():
    with pytest.raises(ValueError, match="like L4-L5"):
        Disc.parse("L4/L5")


def test_a_disc_is_no_vertebra():
    assert Disc(Level.L4, Level.L5) != Level.L4
    with pytest.raises(TypeError):
        assert Disc(Level.L4, Level.L5) < Level.L5


def test_six_cervical_discs_are_in_every_spine():
    assert all(variant.discs()[:6] == USUAL.discs()[:6] for variant in VARIANTS)
