"""What a reader with one field of view could justify, by hand-made spines."""

from __future__ import annotations

import pytest

from numbering.anatomy import USUAL, Level, Variant
from numbering.phantom.truth.justified import Justified, Seen, justify


def spine(
    variant: Variant = USUAL,
    *,
    top: str = "C2",
    bottom: str | None = None,
    ribs: dict[str, float] | None = None,
    transitional: bool = False,
) -> list[Seen]:
    """All vertebrae of a spine, those from ``top`` to ``bottom`` in view."""
    found = []
    levels = [level for level in variant.levels() if Level.C1 < level < Level.S1]
    first, last = Level.parse(top), Level.parse(bottom) if bottom else levels[-1]
    for level in levels:
        rib = (ribs or {}).get(str(level), 120.0 if level.region == "T" else 0.0)
        found.append(
            Seen(
                ordinal=variant.ordinal(level),
                level=str(level),
                rib_mm=rib,
                in_view=first <= level <= last,
                transitional=transitional and level is levels[-1],
            )
        )
    return found


def names(justified: Justified) -> tuple[str, ...]:
    assert justified.reading is not None
    return justified.reading.levels


def test_a_count_from_c2_is_confirmed_and_right_in_every_variant() -> None:
    for variant in (USUAL, Variant(11, 5), Variant(13, 4), Variant(12, 6)):
        said = justify(spine(variant), sacrum_in_view=True)
        assert (said.basis, said.correct, said.alternative) == ("counted-from-c2", True, None)
        assert said.anchors_in_view == ("C2", "last-rib", "sacrum")


def test_a_gap_below_the_neck_breaks_the_count_from_c2() -> None:
    vertebrae = spine()
    vertebrae[8] = Seen(ordinal=vertebrae[8].ordinal, level=vertebrae[8].level, rib_mm=100, in_view=False)
    said = justify(vertebrae, sacrum_in_view=True)
    assert said.basis == "presumed-by-last-rib"
    assert names(said)[0] == "T4"


def test_a_lumbar_view_of_the_usual_spine_presumes_by_the_last_rib_and_is_right() -> None:
    said = justify(spine(top="T11"), sacrum_in_view=True)
    assert (said.basis, said.anchors_in_view) == ("presumed-by-last-rib", ("last-rib", "sacrum"))
    assert names(said) == ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
    assert (said.correct, said.alternative) == (True, None)


@pytest.mark.parametrize(
    ("variant", "by_rib", "by_sacrum", "right"),
    [
        (Variant(12, 6), "T12 L1 L2 L3 L4 L5 L6", "T11 T12 L1 L2 L3 L4 L5", True),
        (Variant(12, 4), "T12 L1 L2 L3 L4", "L1 L2 L3 L4 L5", True),
    ],
)
def test_four_or_six_lumbar_vertebrae_leave_both_readings_open(
    variant: Variant, by_rib: str, by_sacrum: str, right: bool
) -> None:
    said = justify(spine(variant, top="T12"), sacrum_in_view=True)
    assert said.alternative is not None
    assert (" ".join(names(said)), " ".join(said.alternative.levels), said.correct) == (by_rib, by_sacrum, right)


@pytest.mark.parametrize(("variant", "top"), [(Variant(11, 5), "T10"), (Variant(13, 5), "T12")])
def test_eleven_or_thirteen_ribs_mislead_a_reader_who_does_not_see_the_neck(variant: Variant, top: str) -> None:
    said = justify(spine(variant, top=top), sacrum_in_view=True)
    assert said.basis == "presumed-by-last-rib"
    # Five lumbar-type vertebrae: the lumbar names are right, and what is above is called one too low or too high.
    assert names(said)[-1] == "L5"
    assert said.correct is False
    assert said.alternative is None


def test_without_ribs_the_sacrum_is_presumed_upon_and_six_are_then_misnamed() -> None:
    said = justify(spine(Variant(12, 6), top="L3"), sacrum_in_view=True)
    assert (said.basis, names(said), said.correct) == ("presumed-by-sacrum", ("L2", "L3", "L4", "L5"), False)


def test_without_a_sacrum_the_count_goes_down_from_the_last_rib() -> None:
    said = justify(spine(top="T10", bottom="L3"), sacrum_in_view=False)
    assert (said.basis, names(said), said.correct) == (
        "presumed-by-last-rib",
        ("T10", "T11", "T12", "L1", "L2", "L3"),
        True,
    )


def test_between_the_anchors_only_the_region_is_known() -> None:
    for top, bottom in (("L2", "L4"), ("T5", "T9")):
        said = justify(spine(top=top, bottom=bottom), sacrum_in_view=False)
        assert (said.basis, said.reading, said.correct) == ("region-only", None, None)


def test_an_empty_view_justifies_nothing() -> None:
    assert justify(spine(top="S1", bottom="S1"), sacrum_in_view=False).basis == "nothing"


def test_a_lumbar_rib_moves_the_count_and_its_shortness_leaves_the_other_reading() -> None:
    said = justify(
        spine(top="T12", ribs={"L1": 25.0}),
        sacrum_in_view=False,
    )
    assert names(said)[:2] == ("T11", "T12")
    assert said.correct is False
    assert said.alternative is not None
    assert said.alternative.levels[:2] == ("T12", "L1")


def test_a_sacralised_vertebra_may_be_counted_with_the_sacrum() -> None:
    said = justify(spine(top="L2", transitional=True), sacrum_in_view=True)
    assert said.alternative is not None
    assert said.alternative.levels == ("L3", "L4", "L5", "S1")
