from __future__ import annotations

from dataclasses import dataclass

from numbering.anatomy import Level
from numbering.pipelines.sagittal_xray.levels import CHANNEL, LEVELS24, channels


@dataclass
class Vertebra:
    ordinal: int
    rib_bearing: bool


def spine(first: int, last: int, last_rib: int = 19) -> list[Vertebra]:
    return [Vertebra(ordinal, 8 <= ordinal <= last_rib) for ordinal in range(first, last + 1)]


def names(found: list[int | None]) -> list[str]:
    return ["-" if one is None else str(LEVELS24[one]) for one in found]


def test_the_levels_are_those_of_the_paper_head_to_foot() -> None:
    assert [str(level) for level in LEVELS24[:7]] == ["C2", "C3", "C4", "C5", "C6", "C7", "T1"]
    assert [str(level) for level in LEVELS24[-7:]] == ["T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert CHANNEL[Level.L5] == 22


def test_a_usual_spine_trains_the_channels_of_its_names() -> None:
    assert names(channels(spine(17, 24), 24, sacrum_in_view=True)) == [
        "T10",
        "T11",
        "T12",
        "L1",
        "L2",
        "L3",
        "L4",
        "L5",
    ]
    assert names(channels(spine(2, 8), 24, sacrum_in_view=False)) == ["C2", "C3", "C4", "C5", "C6", "C7", "T1"]


def test_the_last_of_six_lumbar_vertebrae_trains_l5_where_the_sacrum_is_in_view() -> None:
    assert names(channels(spine(20, 25), 25, sacrum_in_view=True)) == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert names(channels(spine(21, 23), 23, sacrum_in_view=True)) == ["L3", "L4", "L5"]


def test_without_the_sacrum_the_last_rib_counts() -> None:
    six_lumbar = channels(spine(18, 22), 25, sacrum_in_view=False)
    assert names(six_lumbar) == ["T11", "T12", "L1", "L2", "L3"]
    thirteen_ribbed = channels(spine(18, 22, last_rib=20), 25, sacrum_in_view=False)
    assert names(thirteen_ribbed) == ["T10", "T11", "T12", "L1", "L2"]


def test_without_sacrum_and_ribs_the_count_is_from_the_dens() -> None:
    assert names(channels(spine(10, 13), 25, sacrum_in_view=False)) == ["T3", "T4", "T5", "T6"]


def test_a_vertebra_that_no_channel_is_for_trains_none() -> None:
    found = channels(spine(2, 25), 25, sacrum_in_view=True)
    assert found[0] is None
    assert names(found[1:])[0] == "C2"
