"""The numbering statement in codes and numbers, part by part, beside the sentence that a surgeon reads.

What was counted from, anchors, assumptions, lumbar-type vertebrae, last rib, LSTV, lowest disc, confidence. A part of
which nothing is said has no content item.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.anatomy import Disc, Level
from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import CONTAINS, HAS_PROPERTIES
from numbering.record.basis import COUNTED_FROM
from numbering.record.model import BasisKind
from numbering.result import Alternative, NumberingBasis

BY_WORDS = {**COUNTED_FROM, **{str(kind).casefold(): kind for kind in BasisKind}}


def statement(basis: NumberingBasis) -> Iterator[Dataset]:
    """The sentence, then its parts in its own order."""
    yield content.text(CONTAINS, codes.STATEMENT, basis.statement)
    yield from counted_from(basis.counted_from)
    yield from (_anchor(words) for words in basis.anchors_in_view)
    yield from (content.text(CONTAINS, codes.ASSUMPTION, assumption) for assumption in basis.assumptions)
    if basis.lumbar_type_count is not None:
        yield content.num(CONTAINS, codes.LUMBAR_COUNT, basis.lumbar_type_count)
    if basis.last_rib is not None:
        yield content.code(CONTAINS, codes.LAST_RIB, codes.vertebra(Level.parse(basis.last_rib)))
    if basis.lstv is not None:
        evidence = [content.text(HAS_PROPERTIES, codes.LSTV_EVIDENCE, words) for words in basis.lstv_evidence]
        yield content.code(CONTAINS, codes.LSTV, codes.LSTVS[basis.lstv], evidence)
    if basis.lowest_disc is not None:
        yield content.code(CONTAINS, codes.LOWEST_DISC, codes.disc(Disc.parse(basis.lowest_disc)))
    if basis.confidence is not None:
        yield content.num(CONTAINS, codes.CONFIDENCE, basis.confidence)


def counted_from(words: str) -> Iterator[Dataset]:
    """A code for each known basis among the words (joined by ``;`` where names rest on several), text for the rest."""
    for each in words.split("; "):
        code = codes.COUNTS.get(BY_WORDS.get(each.strip().casefold(), BasisKind.UNKNOWN))
        if code is None:
            yield content.text(CONTAINS, codes.COUNTED_FROM, each)
        else:
            yield content.code(CONTAINS, codes.COUNTED_FROM, code)


def alternative(other: Alternative) -> Iterator[Dataset]:
    """The best different numbering: its names as text, and its probability with each of them as a code."""
    names = ", ".join(other.levels)
    yield content.text(CONTAINS, codes.ALTERNATIVE, f"{names}, probability {other.probability:.2g}")
    levels = [content.code(HAS_PROPERTIES, codes.ALTERNATIVE_LEVEL, codes.structure(level)) for level in other.levels]
    yield content.num(CONTAINS, codes.ALTERNATIVE_PROBABILITY, other.probability, children=levels)


def _anchor(words: str) -> Dataset:
    code: Code | None = codes.ANCHORS.get(words)
    return content.text(CONTAINS, codes.ANCHOR, words) if code is None else content.code(CONTAINS, codes.ANCHOR, code)
