"""Lateral films in; levels, corners and measurements out (Cina et al. 2021, with a joint decision)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from numbering.anatomy import Level
from numbering.errors import ReasonCode
from numbering.pipelines.identity import identity
from numbering.pipelines.numerical import numerical
from numbering.pipelines.sagittal_xray.card import CARD
from numbering.pipelines.sagittal_xray.measuring.measure import measurements
from numbering.pipelines.sagittal_xray.model.runtime import open_networks
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.reading import statement
from numbering.pipelines.sagittal_xray.reading.answer import Answer, Reader
from numbering.pipelines.sagittal_xray.reading.bodies import Array, Body
from numbering.pipelines.sagittal_xray.reading.eyes import NetworkEyes
from numbering.pipelines.sagittal_xray.reading.read import Reading
from numbering.result import (
    Alternative,
    Box,
    Candidate,
    Findings,
    NumberingBasis,
    Point,
    StatedReason,
    Status,
    Vertebra,
)
from numbering.study import Radiograph
from numbering.weights import Entry, registry

WITHOUT = frozenset({"step-two", "sequence"})
"""Parts of the method that can be left out, to see what they are worth: CNN 3, and the joint decision on names."""
STRENGTH = ("C2", "lowest rib-bearing vertebra, presumed T12", "last rib", "sacrum", "not stated")
"""What a count may rest on, strongest first: a series states the weakest of its films."""


class SagittalXray:
    """Numbers and measures lateral spine films. Answers for each film; a series is numbered when at least one is."""

    def __init__(
        self,
        device: str = "auto",
        threads: int = 0,
        entry: Entry | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        if unknown := without - WITHOUT:
            raise ValueError(f"cannot leave out {', '.join(sorted(unknown))}: expected {', '.join(sorted(WITHOUT))}")
        entry = entry or registry()[CARD.weights]
        networks = open_networks(entry, device, threads)
        self.point = OperatingPoint(**entry.operating_point)
        self.reader = Reader(NetworkEyes(networks), self.point, without)
        self.identity = identity(entry, networks.weights, networks.runtime)
        self.settings = {key: f"{value:g}" for key, value in asdict(self.point).items()} | {
            f"without {part}": "yes" for part in sorted(without)
        }

    def number(self, images: Sequence[Radiograph]) -> Findings:
        """Findings for the films of one series (see `Pipeline.number`)."""
        return conclude([self.reader.answer(film) for film in images], self.point)


def conclude(answers: Sequence[Answer | StatedReason], point: OperatingPoint) -> Findings:
    """What the answers for one series' films amount to."""
    refusals = [one if isinstance(one, StatedReason) else one.refused for one in answers]
    sure = [one for one, refused in zip(answers, refusals, strict=True) if isinstance(one, Answer) and not refused]
    why_not = [one for one in refusals if one is not None]
    if not sure:
        return _abstention(answers, why_not[0])
    if contradiction := _contradiction(sure):
        return _abstention(answers, contradiction)
    measured = tuple(one for answer in sure for one in measurements(answer.named))
    return Findings(
        status=Status.NUMBERED,
        vertebrae=tuple(vertebra for answer in sure for vertebra in _vertebrae(answer)),
        measurements=measured,
        basis=_weakest([statement.basis(answer, point.count_from_c2) for answer in sure]),
        alternative=_alternative(sure),
        anomalies=tuple(
            dict.fromkeys(
                words
                for answer in sure
                for words in statement.anomalies(
                    answer,
                    tuple(one for one in measured if one.sop_instance_uid == answer.reading.film.sop_instance_uid),
                )
            )
        ),
        quality=(
            *(words for answer in sure for words in statement.quality(answer)),
            *(f"not numbered: {reason.text}" for reason in why_not),
        ),
    )


def _contradiction(answers: Sequence[Answer]) -> StatedReason | None:
    """Films of one patient that count another number of lumbar-type vertebrae cannot both be right."""
    counts = {answer.decoded.variant.lumbar: answer for answer in answers if Level.S1 in answer.bodies}
    if len(counts) < 2:
        return None
    found = " and ".join(f"{count} on {answer.reading.film.name}" for count, answer in sorted(counts.items()))
    text = f"lumbar-type vertebrae are counted differently: {found}; expected one number, decide by counting from C2"
    return StatedReason(code=ReasonCode.CONTRADICTORY, text=text)


def _weakest(bases: Sequence[NumberingBasis]) -> NumberingBasis:
    return max(bases, key=lambda basis: STRENGTH.index(basis.counted_from))


def _alternative(answers: Sequence[Answer]) -> Alternative | None:
    """The other names of every film; a film without any keeps its own."""
    if all(answer.alternative is None for answer in answers):
        return None
    return Alternative(
        probability=max(answer.decoded.numbering.alternative_probability for answer in answers),
        levels=tuple(str(level) for answer in answers for level in answer.alternative or answer.bodies),
    )


def _vertebrae(answer: Answer) -> list[Vertebra]:
    film = answer.reading.film
    found = []
    for level, body in answer.bodies.items():
        points = [_point(one) for one in answer.reading.to_stored(body.points)]
        found.append(
            Vertebra(
                level=str(level),
                probability=answer.probabilities[level],
                sop_instance_uid=film.sop_instance_uid,
                frame=film.frame,
                box=_box(answer.reading, body),
                corners=None if body.sacral else (points[0], points[1], points[2], points[3]),
                endplate=(points[0], points[1]) if body.sacral else None,
            )
        )
    return found


def _point(point: Array) -> Point:
    return float(point[0]), float(point[1])


def _box(reading: Reading, body: Body) -> Box:
    """Of its corners (of S1: of its endplate's ends), on the stored film."""
    points = reading.to_stored(body.points)
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    return float(x0), float(y0), float(x1), float(y1)


def _abstention(answers: Sequence[Answer | StatedReason], reason: StatedReason) -> Findings:
    found = [answer for answer in answers if isinstance(answer, Answer)]
    return Findings(
        status=Status.ABSTAINED,
        reason=reason,
        candidates=tuple(candidate for answer in found for candidate in _candidates(answer)),
        quality=tuple(words for answer in found for words in statement.quality(answer)),
        anomalies=tuple(words for answer in found for words in numerical(answer.decoded.variants)),
    )


def _candidates(answer: Answer) -> list[Candidate]:
    film = answer.reading.film
    return [
        Candidate(
            sop_instance_uid=film.sop_instance_uid,
            frame=film.frame,
            box=_box(answer.reading, body),
            score=min(1.0, body.body),
            log_likelihood={
                str(level): float(np.log(share)) for level, share in zip(Level, marginals, strict=True) if share > 0.01
            },
        )
        for body, marginals in zip(answer.reading.bodies, answer.decoded.numbering.marginals, strict=True)
    ]
