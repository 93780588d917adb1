"""On what the names of a film rest, in coded words (`numbering.record.basis`) and as the sentence a surgeon reads."""

from __future__ import annotations

from numbering.anatomy import Disc, Level
from numbering.pipelines.numerical import COUNTS, numerical
from numbering.pipelines.sagittal_xray.measuring import angles
from numbering.pipelines.sagittal_xray.reading.answer import Answer
from numbering.pipelines.sagittal_xray.reading.checks import deformities
from numbering.pipelines.sagittal_xray.reading.names import anchors
from numbering.result import Lstv, Measurement, NumberingBasis

SLIPPED = 0.1
"""Slips from this share of the endplate are reported, if they are surely more than half of it."""


def basis(answer: Answer, count_from_c2: float) -> NumberingBasis:
    """What was counted from, what else was in view, and what had to be presumed.

    A count from C2 is stated only where every name is at least so probable and nothing is missing or doubtful; the last
    rib comes before the sacrum, as in docs/conventions.md.
    """
    found = anchors(answer.decoded.numbering, answer.reading)
    counted, assumptions = _counted(answer, found, count_from_c2)
    levels = list(answer.bodies)
    transition = _transition(answer)
    return NumberingBasis(
        counted_from=counted,
        anchors_in_view=found,
        assumptions=assumptions,
        lumbar_type_count=_lumbar(levels),
        last_rib=str(_lowest_thoracic(levels)) if "last rib" in found else None,
        lstv=Lstv.SUSPECTED if transition else Lstv.NOT_ASSESSED,
        lstv_evidence=transition,
        lowest_disc=_lowest_disc(levels),
        confidence=answer.confidence,
        statement=_sentence(answer, counted, assumptions),
    )


def _counted(answer: Answer, found: tuple[str, ...], count_from_c2: float) -> tuple[str, tuple[str, ...]]:
    if "C2" in found and answer.confidence >= count_from_c2 and not answer.missing and not answer.doubts:
        return "C2", ()
    lumbar = f"{COUNTS[answer.decoded.variant.lumbar]} lumbar-type vertebrae"
    if "last rib" in found:
        last = _lowest_thoracic(list(answer.bodies))
        both = (lumbar,) if "sacrum" in found else ()
        words = "lowest rib-bearing vertebra, presumed T12" if last is Level.T12 else "last rib"
        return words, (f"the last rib-bearing vertebra is {last}", *both)
    if "sacrum" in found:
        return "sacrum", (lumbar,)
    return "not stated", ("no vertebra was missed", "the usual number of vertebrae")


def _sentence(answer: Answer, counted: str, assumptions: tuple[str, ...]) -> str:
    levels = list(answer.bodies)
    parts = [f"Numbering basis: counted from {'the ' if counted != 'C2' else ''}{counted}."]
    if assumptions:
        parts.append(f"Assumed: {'; '.join(assumptions)}.")
    parts.append(f"{_lumbar(levels)} lumbar-type vertebrae in view.")
    if "last rib" in anchors(answer.decoded.numbering, answer.reading):
        parts.append(f"Last rib at {_lowest_thoracic(levels)}.")
    transition = _transition(answer)
    parts.append(
        f"LSTV: {'; '.join(transition) if transition else 'none suspected by number, not assessed otherwise'}."
    )
    if lowest := _lowest_disc(levels):
        parts.append(f"Lowest disc between named vertebrae: {lowest}.")
    parts.append(_other(answer))
    parts.append(f"Confidence {answer.confidence:.2f}. AI result, not verified. Research use only.")
    return " ".join(parts)


def _lumbar(levels: list[Level]) -> int:
    return sum(level.region == "L" for level in levels)


def _lowest_thoracic(levels: list[Level]) -> Level:
    return max(level for level in levels if level.region == "T")


def _transition(answer: Answer) -> tuple[str, ...]:
    """What speaks for a transitional vertebra: numbers of vertebrae alone, nothing else is looked at."""
    return tuple(words for words in numerical(answer.decoded.variants) if "lumbar" in words)


def _lowest_disc(levels: list[Level]) -> str | None:
    if len(levels) < 2:
        return None
    try:
        return str(Disc(levels[-2], levels[-1]))
    except ValueError:
        return None


def _other(answer: Answer) -> str:
    other = answer.alternative
    if not other:
        return "No alternative numbering was found."
    levels = list(answer.bodies)
    chance = answer.decoded.numbering.alternative_probability
    given = f"{levels[0]}–{levels[-1]}"
    return f"Alternative numbering (probability {chance:.2f}): {other[0]}–{other[-1]} in place of {given}."


def anomalies(answer: Answer, measured: tuple[Measurement, ...]) -> tuple[str, ...]:
    """What is unusual about this spine: its number of vertebrae, bodies of odd shape, slips."""
    doubted = answer.named.doubts
    sure = {level: body for level, body in answer.bodies.items() if level not in doubted}
    return (*numerical(answer.decoded.variants), *deformities(sure), *_slips(measured))


def _slips(measured: tuple[Measurement, ...]) -> list[str]:
    found = []
    for one in measured:
        if not one.name.startswith("anterolisthesis") or one.value is None or one.uncertainty is None:
            continue
        if abs(one.value) >= SLIPPED and abs(one.value) - one.uncertainty >= SLIPPED / 2:
            kind = "anterolisthesis" if one.value > 0 else "retrolisthesis"
            upper, lower = one.levels
            grade = angles.grade(one.value)
            found.append(f"{kind} of {upper} on {lower}: {abs(one.value):.0%} of the endplate, Meyerding grade {grade}")
    return found


def quality(answer: Answer) -> tuple[str, ...]:
    """What the reader should know of how the film was read."""
    film, reading = answer.reading.film, answer.reading
    found = []
    if reading.orientation.words:
        found.append(f"film {film.name}: {reading.orientation.words}; it was read, and is measured, set upright")
    for level in answer.recovered:
        found.append(f"film {film.name}: {level} was missed at first and found where its neighbours leave room for it")
    names = answer.decoded.numbering.levels
    for gap in answer.missing:
        missing = ", ".join(map(str, gap.missing)) or "a vertebra"
        found.append(f"film {film.name}: {missing} was not found between {names[gap.upper]} and {names[gap.lower]}")
    for level, reason in answer.named.doubts.items():
        found.append(f"film {film.name}: {level}: {reason}; nothing is measured from it")
    if film.spacing_mm is None or not film.calibrated:
        found.append(f"film {film.name}: not calibrated at the patient, so no length is given in mm")
    return tuple(found)
