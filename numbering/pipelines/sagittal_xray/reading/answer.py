"""What one film amounts to: named bodies, what raises doubts, or why there are no names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from numbering.anatomy import Level
from numbering.errors import ReasonCode
from numbering.pipelines.sagittal_xray.measuring.measure import Named
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.reading.bodies import Body
from numbering.pipelines.sagittal_xray.reading.checks import Gap, doubts, gaps, long_steps
from numbering.pipelines.sagittal_xray.reading.decode import Decoded, Decoder, each_alone
from numbering.pipelines.sagittal_xray.reading.eyes import Eyes
from numbering.pipelines.sagittal_xray.reading.names import anchors, trimmed, unsure
from numbering.pipelines.sagittal_xray.reading.read import Reading, read
from numbering.pipelines.sagittal_xray.reading.recover import below_sacrum, recovered
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
            return each_alone(reading)
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


def _unseen(reading: Reading, decoded: Decoded) -> list[Gap]:
    """Gaps in the names, and long steps between neighbours that have names without a gap."""
    named = gaps(decoded.numbering.levels, decoded.variant)
    known = {(gap.upper, gap.lower) for gap in named}
    return [*named, *(gap for gap in long_steps(reading.bodies) if (gap.upper, gap.lower) not in known)]
