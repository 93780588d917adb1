"""The numbering statement: what a surgeon reads, part by part from one catalogue, so that it can be translated.

Each part is one coded concept of the report and one sentence of the statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from numbering.record.model import BasisKind, Contradiction, OtherName, PatientRecord, SeriesEntry, Structure
from numbering.result import Frozen, Lstv

Catalogue = Mapping[str, str]


class Concept(StrEnum):
    """What one part of the statement is about."""

    BASIS = "basis"
    CARRIED = "carried"
    ASSUMPTION = "assumption"
    LUMBAR_COUNT = "lumbar-count"
    LAST_RIB = "last-rib"
    LSTV = "lstv"
    LOWEST_DISC = "lowest-disc"
    CONTRADICTION = "contradiction"
    ALTERNATIVE = "alternative"
    CONFIDENCE = "confidence"
    STATUS = "status"


class Part(Frozen):
    """One part: its concept, the bare value as coded or textual content, and its sentence."""

    concept: Concept
    value: str
    sentence: str


ENGLISH: Catalogue = {
    Concept.BASIS: "Numbering basis: {value}.",
    Concept.CARRIED: "Names carried over from series {value}.",
    Concept.ASSUMPTION: "Assumed: {value}.",
    Concept.LUMBAR_COUNT: "{value} lumbar-type vertebrae in view.",
    Concept.LAST_RIB: "Last rib at {value}.",
    Concept.LSTV: "LSTV: {value}.",
    Concept.LOWEST_DISC: "Lowest disc named: {value}.",
    Concept.CONTRADICTION: "Contradicted: {value}",
    Concept.ALTERNATIVE: "Alternative numbering: {value}.",
    Concept.CONFIDENCE: "Confidence {value}.",
    Concept.STATUS: "{value}",
    "suspected": "suspected ({evidence})",
    "none-suspected": "none suspected",
    "none-suspected-so-far": "none suspected; not measured: {missing}",
    "or": "{name} (probability {probability})",
    "confirmed": "{kind} ({counted_from}), confirmed",
    "presumed": "{kind} ({counted_from}), not confirmed",
    "nowhere": "The names have no place on an image that could be told.",
    "research": "AI result, not verified. Research use only.",
    "corrected": "A person named levels here; the rest is an AI result. Research use only.",
    BasisKind.COUNTED_FROM_C2: "counted from C2",
    BasisKind.HUMAN_CORRECTION: "named by a person, verified",
    BasisKind.INTERRUPTED_COUNT: "counted from C2 with a gap",
    BasisKind.UNVERIFIED_CORRECTION: "named by a person, not verified",
    BasisKind.LAST_RIB: "counted from the lowest rib-bearing vertebra, presumed T12",
    BasisKind.SACRUM: "counted from the sacrum",
    BasisKind.APPEARANCE: "lowest lumbar-type vertebra by appearance, presumed L5",
    BasisKind.PRIOR: "carried over from another examination",
    BasisKind.UNKNOWN: "not stated",
}


def parts(entry: SeriesEntry, record: PatientRecord, words: Catalogue = ENGLISH) -> tuple[Part, ...]:
    """The statement of one numbered series, in the order in which it is read; empty without names."""
    if not entry.structures:
        return ()
    values = _values(entry, record, words)
    return tuple(
        Part(concept=concept, value=value, sentence=words[concept].format(value=value)) for concept, value in values
    )


def coded_parts(entry: SeriesEntry, record: PatientRecord, words: Catalogue = ENGLISH) -> dict[str, object]:
    """What `NumberingBasis` holds of these parts: names, numbers and the suspicion of an LSTV."""
    said = {part.concept: part.value for part in parts(entry, record, words)}
    if not said:
        return {}
    found = record.transition
    settled = Lstv.NOT_ASSESSED if found.unassessed else Lstv.NONE_SUSPECTED
    return {
        "lumbar_type_count": int(said[Concept.LUMBAR_COUNT]),
        "last_rib": said.get(Concept.LAST_RIB),
        "lstv": Lstv.SUSPECTED if found.suspected else settled,
        "lstv_evidence": found.evidence,
        "lowest_disc": said.get(Concept.LOWEST_DISC),
        "confidence": min(one.probability for one in entry.structures),
    }


def statement(entry: SeriesEntry, record: PatientRecord, words: Catalogue = ENGLISH) -> str:
    """The sentences of all parts."""
    return " ".join(part.sentence for part in parts(entry, record, words)) or words["nowhere"]


def _values(entry: SeriesEntry, record: PatientRecord, words: Catalogue) -> Iterator[tuple[Concept, str]]:
    named = entry.structures
    for basis in dict.fromkeys(one.basis for one in named):
        words_of = "confirmed" if basis.confirmed else "presumed"
        yield Concept.BASIS, words[words_of].format(kind=words[basis.kind], counted_from=basis.counted_from)
    for source in dict.fromkeys(one.carried_from for one in named if one.carried_from):
        yield Concept.CARRIED, source
    for assumption in dict.fromkeys(text for one in named for text in one.basis.assumptions):
        yield Concept.ASSUMPTION, assumption
    levels = {level for one in named for level in one.levels}
    yield Concept.LUMBAR_COUNT, str(sum(level.region == "L" for level in levels))
    if {"T", "L"} <= {level.region for level in levels}:
        yield Concept.LAST_RIB, str(max(level for level in levels if level.region == "T"))
    yield Concept.LSTV, _lstv(record, words)
    if discs := sorted((one.levels, one.name) for one in named if one.is_disc):
        yield Concept.LOWEST_DISC, discs[-1][1]
    for contradiction in _about(entry, record):
        yield Concept.CONTRADICTION, contradiction.text
    lowest = max(named, key=lambda one: one.levels)
    if lowest.alternative:
        yield Concept.ALTERNATIVE, _other(lowest.alternative, words)
    yield Concept.CONFIDENCE, f"{min(one.probability for one in named):.2f}"
    yield Concept.STATUS, words["corrected" if any(map(_by_person, named)) else "research"]


def _lstv(record: PatientRecord, words: Catalogue) -> str:
    found = record.transition
    if found.suspected:
        return words["suspected"].format(evidence="; ".join(found.evidence))
    key = "none-suspected-so-far" if found.unassessed else "none-suspected"
    return words[key].format(missing=", ".join(found.unassessed))


def _about(entry: SeriesEntry, record: PatientRecord) -> Iterator[Contradiction]:
    return (one for one in record.contradictions if entry.series_instance_uid in one.series)


def _other(other: OtherName, words: Catalogue) -> str:
    return words["or"].format(name=other.name, probability=f"{other.probability:.2f}")


def _by_person(one: Structure) -> bool:
    return one.basis.kind in (BasisKind.HUMAN_CORRECTION, BasisKind.UNVERIFIED_CORRECTION)
