"""What one film amounts to: named bodies, what raises doubts, or why there are no names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from numbering.anatomy import Level, Variant
from numbering.enumeration import LEVELS, Numbering
from numbering.enumeration.abstention import AMBIGUOUS
from numbering.errors import ReasonCode
from numbering.pipelines.sagittal_xray.bodies import Body
from numbering.pipelines.sagittal_xray.checks import Gap, doubts, gaps, long_steps
from numbering.pipelines.sagittal_xray.decode import Decoded, Decoder
from numbering.pipelines.sagittal_xray.eyes import Eyes
from numbering.pipelines.sagittal_xray.levels import LEVELS24
from numbering.pipelines.sagittal_xray.measure import Named
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.read import Reading, read
from numbering.pipelines.sagittal_xray.recover import below_sacrum, recovered
from numbering.result import StatedReason
from numbering.study import Radiograph

TINY_FILM = 64
"""Films with a side shorter than this many pixels hold nothing that could be numbered."""
FEWEST = 3
"""So many vertebrae must be named on a film (the paper trains on no fewer)."""
ROUNDS = 2
"""How often vertebrae that were missed are looked for."""


@dataclass(frozen=True, eq=False)
class Answer:
    """One film: what was seen on it, the names of its bodies (``decoded``), and what geometry says against them.

    ``recovered`` are the levels that step II found where step I had missed them; ``missing`` the gaps that are left.
    """

    reading: Reading
    decoded: Decoded
    doubts: Mapping[int, str]
    missing: tuple[Gap, ...]
    recovered: tuple[Level, ...]
    plate_deg: float
    refused: StatedReason | None

    @property
    def bodies(self) -> dict[Level, Body]:
        """The bodies that have a name, by it, head to foot."""
        pairs = zip(self.decoded.numbering.levels, self.reading.bodies, strict=True)
        return {level: body for level, body in pairs if level is not None}

    @property
    def probabilities(self) -> dict[Level, float]:
        """The probability of each name."""
        numbering = self.decoded.numbering
        pairs = zip(numbering.levels, numbering.probabilities, strict=True)
        return {level: probability for level, probability in pairs if level is not None}

    @property
    def confidence(self) -> float:
        """The probability of the least probable name: what `OperatingPoint.answer` asks for. 0 without names."""
        return min(self.probabilities.values(), default=0.0)

    @property
    def alternative(self) -> tuple[Level, ...] | None:
        """The likeliest other names, parallel to `bodies`."""
        names, other = self.decoded.numbering.levels, self.decoded.numbering.alternative
        if other is None:
            return None
        return tuple(two for one, two in zip(names, other, strict=True) if one is not None and two is not None)

    @property
    def named(self) -> Named:
        """What is measured from."""
        names = self.decoded.numbering.levels
        return Named(
            reading=self.reading,
            bodies=self.bodies,
            doubts={level: self.doubts[i] for i, level in enumerate(names) if level is not None and i in self.doubts},
            lowest=Level.parse(f"L{self.decoded.variant.lumbar}"),
            plate_deg=self.plate_deg,
        )


class Reader:
    """Reads films with some eyes at some operating point."""

    def __init__(self, eyes: Eyes, point: OperatingPoint, without: frozenset[str] = frozenset()) -> None:
        self.eyes, self.point, self.without = eyes, point, without
        self.decoder = Decoder(point)

    def answer(self, film: Radiograph) -> Answer | StatedReason:
        """Read, name, look for what was missed, check. A film that is too small for anything gives the reason."""
        if min(film.pixels.shape) < TINY_FILM:
            rows, columns = film.pixels.shape
            text = f"film {film.name}: {columns} by {rows} pixels, expected a side of at least {TINY_FILM}"
            return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
        reading = read(film, self.eyes, self.point, closer="step-two" not in self.without)
        decoded = self._decode(reading)
        found: tuple[Body, ...] = ()
        for _ in range(ROUNDS if "sequence" not in self.without else 0):
            fuller = recovered(reading, _unseen(reading, decoded), self.eyes, self.point)
            if fuller is reading:
                break
            found = (*found, *(body for body in fuller.bodies if body not in reading.bodies))
            reading, decoded = fuller, self._decode(fuller)
        names = decoded.numbering.levels
        return Answer(
            reading=reading,
            decoded=decoded,
            doubts=doubts(reading.bodies, reading.region),
            missing=tuple(_unseen(reading, decoded)),
            recovered=tuple(
                level for level, body in zip(names, reading.bodies, strict=True) if level is not None and body in found
            ),
            plate_deg=self.point.plate_deg,
            refused=self._refused(reading, decoded),
        )

    def _decode(self, reading: Reading) -> Decoded:
        if "sequence" in self.without:
            return _each_alone(reading)
        decoded = self.decoder.decode(reading)
        return replace(decoded, numbering=trimmed(decoded.numbering, self.point.answer))

    def _refused(self, reading: Reading, decoded: Decoded) -> StatedReason | None:
        film, numbering = reading.film.name, decoded.numbering
        named = [level for level in numbering.levels if level is not None]
        if len(named) < FEWEST:
            text = (
                f"film {film}: {len(named)} vertebrae were found, expected at least {FEWEST} in a row; check that "
                "this is a lateral film of the spine"
            )
            return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
        if refused := unsure(numbering, self.point.answer):
            return StatedReason(code=refused[0], text=f"film {film}: {refused[1]}")
        if "sequence" in self.without:
            return None
        if steps := [gap for gap in _unseen(reading, decoded) if not gap.missing]:
            above, below = numbering.levels[steps[0].upper], numbering.levels[steps[0].lower]
            text = (
                f"film {film}: from {above} to {below} is further than their neighbours allow, a vertebra may have "
                "been missed between them; decide by counting"
            )
            return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=text)
        if Level.S1 in numbering.levels and below_sacrum(reading, self.eyes, self.point):
            text = (
                f"film {film}: below what was taken for the sacrum lies what looks like one more vertebra or "
                "the sacrum itself, so every name may be off by one; decide by counting from C2 or the ribs"
            )
            return StatedReason(code=ReasonCode.AMBIGUOUS, text=text)
        if not anchors(numbering, reading):
            text = (
                f"film {film}: neither the sacrum nor the last rib nor C2 was found with {named[0]}–{named[-1]}, "
                "expected one to count from; take a film that shows one"
            )
            return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
        return None


def trimmed(numbering: Numbering, least: float) -> Numbering:
    """Without names at either end that may belong to no vertebra: names in between stay, or the film is refused."""
    levels = list(numbering.levels)
    for order in (range(len(levels)), range(len(levels) - 1, -1, -1)):
        for index in order:
            if levels[index] is None:
                continue
            if 1 - numbering.marginals[index].sum() <= 1 - least:
                break
            levels[index] = None
    return replace(numbering, levels=tuple(levels))


def unsure(numbering: Numbering, least: float) -> tuple[ReasonCode, str] | None:
    """Why the names are not sure enough, as a code and a sentence: the least probable decides, for all go together."""
    named = [(p, level) for p, level in zip(numbering.probabilities, numbering.levels, strict=True) if level]
    probability, level = min(named, key=lambda pair: pair[0])
    if probability >= least:
        return None
    sure = f"{level} has a probability of {probability:.2f}, expected {least:.2f}"
    if numbering.alternative is not None and numbering.alternative_probability >= AMBIGUOUS:
        pairs = zip(numbering.levels, numbering.alternative, strict=True)
        other = ", ".join(f"{two} for {one}" for one, two in pairs if one is not None and two not in (one, None))
        return ReasonCode.AMBIGUOUS, (
            f"{sure}; another numbering ({other}) is likely too ({numbering.alternative_probability:.2f}); "
            "decide by counting from C2, the ribs or the sacrum"
        )
    return ReasonCode.LOW_CONFIDENCE, f"{sure}; decide by counting from C2, the ribs or the sacrum"


def _unseen(reading: Reading, decoded: Decoded) -> list[Gap]:
    """Gaps in the names, and long steps between neighbours that have names without a gap."""
    named = gaps(decoded.numbering.levels, decoded.variant)
    known = {(gap.upper, gap.lower) for gap in named}
    return [*named, *(gap for gap in long_steps(reading.bodies) if (gap.upper, gap.lower) not in known)]


def anchors(numbering: Numbering, reading: Reading) -> tuple[str, ...]:
    """What a count can start from on this film: ``C2``, ``last rib``, ``sacrum``."""
    bodies = {level: body for level, body in zip(numbering.levels, reading.bodies, strict=True) if level is not None}
    thoracic = max((level for level in bodies if level.region == "T"), default=None)
    ribs = thoracic is not None and Level.L1 in bodies and bodies[thoracic].rib >= 0.5 > bodies[Level.L1].rib
    found = {"C2": Level.C2 in bodies, "last rib": ribs, "sacrum": Level.S1 in bodies}
    return tuple(name for name, there in found.items() if there)


def _each_alone(reading: Reading) -> Decoded:
    """Every level that is more likely in view than not, by its own: what the paper does, for comparison."""
    rows = [
        (LEVELS24[body.channel], body.presence) if body.presence >= 0.5 else (None, 1 - body.presence)
        for body in reading.bodies
    ]
    marginals = np.zeros((len(rows), len(LEVELS)))
    for row, (level, probability) in enumerate(rows):
        if level is not None:
            marginals[row, LEVELS.index(level)] = probability
    numbering = Numbering(
        levels=tuple(level for level, _ in rows),
        probabilities=tuple(probability for _, probability in rows),
        probability=float(np.prod([probability for _, probability in rows])),
        alternative=None,
        alternative_probability=0.0,
        marginals=marginals,
        variants={Variant(): 1.0},
        starts={},
    )
    return Decoded(numbering, {Variant(): 1.0}, "sacrum")
