"""What a plan names: a grammar that understands what `docs/levelcheck.md` lists, and nothing else.

One name, and words of `vocabulary`. Anything left over (another number, an unknown word, a question mark) makes the
plan `NotUnderstood`: it is never guessed. Neither type keeps the text, which may hold a patient's name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from numbering.anatomy import VARIANTS, Level, Variant
from numbering.levelcheck.vocabulary import KINDS, REGION_WORDS, REGIONS, ROOTS, SIDES, Kind, Side
from numbering.snomed import DISCS, VERTEBRAE

LONGEST = 63
"""Characters. A DICOM LO holds 64: a text that long may have been cut off in the middle of a level."""

_REGION = "|".join(sorted(REGIONS, key=len, reverse=True))
_LEVEL = rf"(?P<{{0}}>{_REGION})\s?(?P<{{0}}n>[1-9]\d?)"
_JOINED = r"\s?[-/]\s?|\sto\s|\sthrough\s|\sbis\s"
_NAME = re.compile(
    rf"(?<!\S){_LEVEL.format('a')}"
    rf"(?:(?:{_JOINED})(?:(?P<b>{_REGION})\s?)?(?P<bn>[1-9]\d?)|(?P<c>[a-z])(?P<cn>[1-9]\d?))?(?!\S)"
)
_CODE = re.compile(r"(SCT|99NUMBERING):([A-Z0-9-]{1,16})")


class Unclear(StrEnum):
    """Why a plan is not understood."""

    EMPTY = "empty"
    TOO_LONG = "too-long"
    NO_NAME = "no-name"
    SEVERAL_NAMES = "several-names"
    UNKNOWN_WORD = "unknown-word"
    SEVERAL_SIDES = "several-sides"
    NO_SUCH_LEVEL = "no-such-level"
    FOOT_TO_HEAD = "foot-to-head"
    WORD_DOES_NOT_FIT = "word-does-not-fit"
    UNKNOWN_CODE = "unknown-code"


@dataclass(frozen=True)
class NotUnderstood:
    """A plan that the grammar does not understand, and why."""

    why: Unclear


@dataclass(frozen=True)
class Plan:
    """What a plan names. ``levels`` head to foot: the vertebra, the two about a disc, all of a range.

    A range is spelt out for the usual spine, or for the least unusual one that has both its ends.
    """

    kind: Kind
    levels: tuple[Level, ...]
    side: Side | None = None

    @property
    def name(self) -> str:
        """``L4``, ``L4-L5`` or ``L4-S1``."""
        return str(self.levels[0]) if self.kind is Kind.VERTEBRA else f"{self.levels[0]}-{self.levels[-1]}"


def parse_plan(text: str) -> Plan | NotUnderstood:
    """What this text names, typed or from a worklist, or why it is not understood.

    >>> parse_plan("TLIF L4/5, left").name, parse_plan("kyphoplasty L4/5"), parse_plan("L4 or L5")
    ('L4-L5', NotUnderstood(why=<Unclear.WORD_DOES_NOT_FIT: 'word-does-not-fit'>), \
NotUnderstood(why=<Unclear.SEVERAL_NAMES: 'several-names'>))
    """
    if len(text) > LONGEST:
        return NotUnderstood(Unclear.TOO_LONG)
    if code := _CODE.fullmatch(text.strip()):
        return parse_code(code[2], code[1])
    plain = _plain(text)
    if not plain:
        return NotUnderstood(Unclear.EMPTY)
    names = list(_NAME.finditer(plain))
    if len(names) != 1:
        return NotUnderstood(Unclear.SEVERAL_NAMES if names else Unclear.NO_NAME)
    named = _named(names[0])
    if isinstance(named, NotUnderstood):
        return named
    return _with_words(named, (plain[: names[0].start()] + " " + plain[names[0].end() :]).split())


def parse_code(value: str, scheme: str) -> Plan | NotUnderstood:
    """What a code of CID 7602, 7603 or 7604 names, or one of ours (``99NUMBERING``) for what they lack.

    >>> parse_code("84020006", "SCT").name, parse_code("L6", "99NUMBERING").name
    ('L4-L5', 'L6')
    """
    return _CODES.get((scheme, value), NotUnderstood(Unclear.UNKNOWN_CODE))


def levels_between(first: Level, last: Level, variant: Variant) -> tuple[Level, ...]:
    """All vertebrae of this spine from one to another."""
    return tuple(level for level in variant.levels() if first <= level <= last)


def _plain(text: str) -> str:
    """Small letters, one kind of hyphen, single spaces; brackets, commas and such are spaces."""
    small = unicodedata.normalize("NFKC", text).casefold()
    small = re.sub(r"[‐‑‒–—−]", "-", small)
    small = re.sub(r"\(l\)", " left ", re.sub(r"\(r\)", " right ", small))
    return " ".join(re.sub(r"[(),;:]|\.$", " ", small).split())


def _named(match: re.Match[str]) -> Plan | NotUnderstood:
    first = _level(REGIONS[match["a"]], match["an"])
    if match["c"]:
        return _glued(first, _level(match["c"].upper(), match["cn"]))
    if not match["bn"]:
        return Plan(Kind.VERTEBRA, (first,)) if first else NotUnderstood(Unclear.NO_SUCH_LEVEL)
    last = _level(REGIONS[match["b"] or match["a"]], match["bn"])
    if first is None or last is None:
        return NotUnderstood(Unclear.NO_SUCH_LEVEL)
    if last <= first:
        return NotUnderstood(Unclear.FOOT_TO_HEAD)
    return _disc_or_range(first, last)


def _glued(first: Level | None, last: Level | None) -> Plan | NotUnderstood:
    """``L5S1``: two neighbours and nothing else."""
    if first is None or last is None:
        return NotUnderstood(Unclear.NO_SUCH_LEVEL)
    joined = _disc_or_range(first, last) if first < last else None
    return joined if joined and joined.kind is Kind.DISC else NotUnderstood(Unclear.UNKNOWN_WORD)


def _level(region: str, number: str) -> Level | None:
    try:
        return Level.parse(region + number)
    except ValueError:
        return None


def _disc_or_range(first: Level, last: Level) -> Plan:
    """A disc where the usual spine, or one that has a T13 or L6 named here, has one there; else a range.

    L4-S1 and T11-L1 are ranges, although spines exist in which they are discs.
    """
    variant = next(one for one in VARIANTS if {first, last} <= set(one.levels()))
    levels = levels_between(first, last, variant)
    return Plan(Kind.DISC if _is_disc(first, last, variant) else Kind.RANGE, levels)


def _is_disc(first: Level, last: Level, variant: Variant) -> bool:
    return any((disc.upper, disc.lower) == (first, last) for disc in variant.discs())


def _with_words(plan: Plan, words: Sequence[str]) -> Plan | NotUnderstood:
    sides = [word for word in words if word in SIDES]
    if len(sides) > 1:
        return NotUnderstood(Unclear.SEVERAL_SIDES)
    for word in words:
        if why := _objection(word, plan):
            return NotUnderstood(why)
    return Plan(plan.kind, plan.levels, SIDES[sides[0]] if sides else None)


def _objection(word: str, plan: Plan) -> Unclear | None:
    regions = {level.region for level in plan.levels}
    if word in SIDES:
        return None
    if word in REGION_WORDS:
        return None if REGION_WORDS[word] in regions else Unclear.WORD_DOES_NOT_FIT
    if word not in KINDS:
        return Unclear.UNKNOWN_WORD
    fits = plan.kind in KINDS[word] and not (word in ROOTS and "C" in regions)
    return None if fits else Unclear.WORD_DOES_NOT_FIT


def _codes() -> dict[tuple[str, str], Plan]:
    codes: dict[tuple[str, str], Plan] = {}
    for level in Level:
        key = ("SCT", VERTEBRAE[level]) if level in VERTEBRAE else ("99NUMBERING", str(level))
        codes[key] = Plan(Kind.VERTEBRA, (level,))
    for disc in {disc for variant in VARIANTS for disc in variant.discs()}:
        key = ("SCT", DISCS[str(disc)]) if str(disc) in DISCS else ("99NUMBERING", f"DISC-{disc}")
        codes[key] = Plan(Kind.DISC, (disc.upper, disc.lower))
    return codes


_CODES = _codes()
