"""On what the names of a series rest, in coded words (`numbering.record.basis`) and as the sentence a surgeon reads."""

from __future__ import annotations

from itertools import pairwise

from numbering.anatomy import Disc, Level
from numbering.pipelines.ct.reading.answer import Answer
from numbering.pipelines.ct.reading.names import usual
from numbering.pipelines.numerical import COUNTS, numerical
from numbering.result import Lstv, NumberingBasis


def basis(answer: Answer, count_from_c2: float) -> NumberingBasis:
    """What was counted from, what else was in view, and what had to be presumed.

    A count from C2 is stated only where every name is at least so probable and no level was passed over; the last rib
    comes before the sacrum, as in docs/conventions.md.
    """
    counted, assumptions = _counted(answer, count_from_c2)
    transition = _transition(answer)
    return NumberingBasis(
        counted_from=counted,
        anchors_in_view=answer.anchors,
        assumptions=assumptions,
        lumbar_type_count=_lumbar(answer),
        last_rib=str(_lowest_thoracic(answer)) if "last rib" in answer.anchors else None,
        lstv=Lstv.SUSPECTED if transition else Lstv.NOT_ASSESSED,
        lstv_evidence=transition,
        lowest_disc=_lowest_disc(answer),
        confidence=answer.confidence,
        statement=_sentence(answer, counted, assumptions),
    )


def _counted(answer: Answer, count_from_c2: float) -> tuple[str, tuple[str, ...]]:
    assert answer.numbering is not None
    found = answer.anchors
    if "C2" in found and answer.confidence >= count_from_c2 and not answer.gaps:
        return "C2", ()
    lumbar = f"{COUNTS[usual(answer.numbering).lumbar]} lumbar-type vertebrae"
    if "last rib" in found:
        last = _lowest_thoracic(answer)
        both = (lumbar,) if "sacrum" in found else ()
        words = "lowest rib-bearing vertebra, presumed T12" if last is Level.T12 else "last rib"
        return words, (f"the last rib-bearing vertebra is {last}", *both)
    if "sacrum" in found:
        return "sacrum", (lumbar,)
    return "not stated", ("no vertebra was missed", "the usual number of vertebrae")


def _sentence(answer: Answer, counted: str, assumptions: tuple[str, ...]) -> str:
    parts = [f"Numbering basis: counted from {'the ' if counted != 'C2' else ''}{counted}."]
    if assumptions:
        parts.append(f"Assumed: {'; '.join(assumptions)}.")
    parts.append(f"{_lumbar(answer)} lumbar-type vertebrae in view.")
    ribs, sacrum = "last rib" in answer.anchors, "sacrum" in answer.anchors
    parts.append(f"Last rib at {_lowest_thoracic(answer)}." if ribs else "Last rib not seen.")
    parts.append(f"Sacrum {'' if sacrum else 'not '}seen.")
    transition = _transition(answer)
    parts.append(
        f"LSTV: {'; '.join(transition) if transition else 'none suspected by number, not assessed otherwise'}."
    )
    if lowest := _lowest_disc(answer):
        parts.append(f"Lowest disc between named vertebrae: {lowest}.")
    parts.append(_other(answer))
    parts.append(f"Confidence {answer.confidence:.2f}. AI result, not verified. Research use only.")
    return " ".join(parts)


def _lumbar(answer: Answer) -> int:
    return sum(level.region == "L" for level in answer.named)


def _lowest_thoracic(answer: Answer) -> Level:
    return max(level for level in answer.named if level.region == "T")


def _transition(answer: Answer) -> tuple[str, ...]:
    """Numbers of lumbar-type vertebrae that a transitional vertebra may stand behind."""
    assert answer.numbering is not None
    return tuple(words for words in numerical(answer.numbering.variants) if "lumbar-type" in words)


def _lowest_disc(answer: Answer) -> str | None:
    """Above the sacrum where that is seen, else between the last two that have names."""
    levels = list(answer.named)
    if "sacrum" in answer.anchors and levels[-1].region == "L":
        levels.append(Level.S1)
    upper, lower = levels[-2:]
    try:
        return str(Disc(upper, lower))
    except ValueError:
        return None


def _other(answer: Answer) -> str:
    other = answer.alternative
    if not other or answer.numbering is None:
        return "No alternative numbering was found."
    levels = list(answer.named)
    chance = answer.numbering.alternative_probability
    given = f"{levels[0]}–{levels[-1]}"
    return f"Alternative numbering (probability {chance:.2f}): {other[0]}–{other[-1]} in place of {given}."


def anomalies(answer: Answer) -> tuple[str, ...]:
    """What is unusual about this spine's number of vertebrae."""
    return () if answer.numbering is None else tuple(numerical(answer.numbering.variants))


def quality(answer: Answer) -> tuple[str, ...]:
    """What the reader should know of how the series was read."""
    reading = answer.reading
    found = list(_of_stack(answer))
    if answer.disagreement:
        found.append(f"{answer.disagreement}; the names follow all evidence together, and their probability is lower")
    if reading.torn:
        found.append(f"{reading.torn} pieces were left out that one walk along the spine cut otherwise than the other")
    if answer.numbering is not None:
        levels = answer.numbering.levels
        for gap in answer.gaps:
            if gap.missing:
                missing = ", ".join(map(str, gap.missing))
                found.append(f"{missing} was not found between {levels[gap.upper]} and {levels[gap.lower]}")
        nameless = sum(level is None for level in levels)
        if nameless:
            found.append(f"{nameless} more that look like vertebrae have no name: they are not sure enough")
    cut = [str(level) for level, place in answer.named.items() if reading.bodies[place].cut]
    if cut:
        found.append(f"cut by the end of the scan: {', '.join(cut)}; only a part is segmented")
    return tuple(found)


def _of_stack(answer: Answer) -> list[str]:
    stack, slices = answer.reading.stack, answer.reading.slices
    found = []
    left = len(stack) - len(slices)
    if left:
        found.append(f"{left} of {len(stack)} slices are not parallel to the others and were left out")
    if stack.gaps:
        found.append(f"{len(stack.gaps)} gaps between slices, up to {max(gap.mm for gap in stack.gaps):.0f} mm")
    steps = [float(b - a) for a, b in pairwise(slices.heights)]
    if steps and sorted(steps)[len(steps) // 2] > 3.5:
        found.append(f"slices are {sorted(steps)[len(steps) // 2]:.1f} mm apart: outlines are coarse")
    if stack.facts.contrast_agent:
        found.append("a contrast medium was given: attenuation of bone may be higher than without")
    return found
