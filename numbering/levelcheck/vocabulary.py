"""The words that a plan may hold beside its name, as tables. A word that is not here makes the plan not understood.

Each word says which kinds of plan it fits: a kyphoplasty of "L4-L5" means two vertebrae and not their disc, so it is
not taken for either.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a plan names: one vertebra, one disc, or all vertebrae from one to another with the discs between them."""

    VERTEBRA = "vertebra"
    DISC = "disc"
    RANGE = "range"


class Side(StrEnum):
    """The patient's side."""

    LEFT = "L"
    RIGHT = "R"


class Whose(StrEnum):
    """Whether plan and marked image are of one patient: shown, not told by whoever asks, or shown to be of two."""

    SAME = "same"
    NOT_TOLD = "not told"
    ANOTHER = "another"


REGIONS = {"c": "C", "hwk": "C", "t": "T", "th": "T", "d": "T", "bwk": "T", "l": "L", "lwk": "L", "s": "S", "swk": "S"}
"""How a region is spelt before a number, in small letters: ``Th12``, ``D12`` and ``BWK 12`` are T12."""

SIDES: dict[str, Side | None] = {
    "left": Side.LEFT,
    "lt": Side.LEFT,
    "links": Side.LEFT,
    "right": Side.RIGHT,
    "rt": Side.RIGHT,
    "rechts": Side.RIGHT,
    "bilateral": None,
    "beidseits": None,
}
"""One such word at most. Both sides is no side: there is nothing to compare."""

_ONE = "vertebra vertebral body pedicle lamina vertebroplasty kyphoplasty corpectomy vertebrectomy biopsy"
_BETWEEN = (
    "disc disk interspace foramen facet nucleotomy discectomy microdiscectomy foraminotomy tlif plif alif xlif olif "
    "llif acdf fusion spondylodesis"
)
_EITHER = (
    "level decompression laminectomy laminotomy hemilaminectomy laminoplasty fenestration osteotomy instrumentation "
    "stabilization stabilisation fixation spondylolisthesis stenosis "
    "anterior posterior lateral open microscopic endoscopic percutaneous mis the of at planned revision"
)

KINDS: dict[str, frozenset[Kind]] = {
    **dict.fromkeys(_ONE.split(), frozenset({Kind.VERTEBRA, Kind.RANGE})),
    **dict.fromkeys(_BETWEEN.split(), frozenset({Kind.DISC, Kind.RANGE})),
    **dict.fromkeys(_EITHER.split(), frozenset(Kind)),
    "root": frozenset({Kind.VERTEBRA}),
    "nerve": frozenset({Kind.VERTEBRA}),
}
"""The other words, with the kinds of plan that each fits."""

ROOTS = frozenset({"root", "nerve"})
"""A root is checked by the vertebra of its name; so not in the neck, where it leaves above that vertebra."""

REGION_WORDS = {"cervical": "C", "thoracic": "T", "lumbar": "L", "sacral": "S"}
"""Allowed beside a name that has a vertebra of that region."""
