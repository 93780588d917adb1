"""The AP radiograph pipeline: films in, the lowest lumbar-type vertebra out (seed: YOLOv5x on AP lumbar films)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numbering.errors import ReasonCode
from numbering.pipelines.ap_xray.card import CARD
from numbering.pipelines.ap_xray.decide import Evidence, Look, OperatingPoint, closer_regions, gather
from numbering.pipelines.ap_xray.detector import Detections, Detector, open_network
from numbering.pipelines.ap_xray.lowest import Lowest, lowest
from numbering.pipelines.films import collimated_region, window_to_grey
from numbering.result import (
    Alternative,
    Candidate,
    Findings,
    Lstv,
    ModelIdentity,
    NumberingBasis,
    StatedReason,
    Status,
    Vertebra,
)
from numbering.study import Radiograph
from numbering.weights import Entry, registry

STATEMENT = (
    "Numbering basis: lowest lumbar-type vertebra by appearance, presumed L5. Assumed five lumbar-type vertebrae; no "
    "rib, C2 or other anchor was counted from. LSTV: not assessed on this film. Alternative numbering, if there are "
    "six lumbar-type vertebrae: L6. Confidence {probability:.2f}. AI result, not verified. Research use only."
)
TINY_FILM = 64
"""Films with a side shorter than this many pixels hold nothing that could be numbered."""
MOST_CANDIDATES = 5
"""So many bodies, the likeliest ones, are kept with a result."""


@dataclass(frozen=True)
class Read:
    """What was found on one film: candidates, best first, and how likely each is the lowest lumbar-type vertebra."""

    film: Radiograph
    evidence: tuple[Evidence, ...]
    lowest: Lowest

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Probability of each candidate to be the lowest lumbar-type vertebra, whatever its name."""
        return self.lowest.either


class ApXray:
    """Finds L5 on frontal spine films. Answers for each film; a series is numbered when at least one film is."""

    def __init__(self, device: str = "auto", threads: int = 0, entry: Entry | None = None) -> None:
        entry = entry or registry()[CARD.weights]
        network = open_network(entry, device, threads)
        self.detector = Detector(network, entry.classes)
        self.point = OperatingPoint(**entry.operating_point)
        self.identity = ModelIdentity(
            name=entry.name,
            version=entry.version,
            weights_file=network.weights_file,
            weights_sha256=network.weights_sha256,
            trained_on=entry.trained_on,
            runtime=network.runtime,
        )
        self.settings = {key: f"{value:g}" for key, value in entry.operating_point.items()}

    def number(self, images: Sequence[Radiograph]) -> Findings:
        """Findings for the films of one series (see `Pipeline.number`)."""
        return self.conclude([self.read(film) for film in images])

    def conclude(self, reads: Sequence[Read]) -> Findings:
        """What the reads of one series' films amount to."""
        sure = [read for read in reads if self._refusal(read) is None]
        refusals = {read.film.name: refusal for read in reads if (refusal := self._refusal(read))}
        if not sure:
            return _abstention(reads, next(iter(refusals.values())))
        best = max(sure, key=lambda read: read.probabilities[0])
        weakest = min(read.lowest.l5[0] for read in sure)
        return Findings(
            status=Status.NUMBERED,
            vertebrae=tuple(_vertebra(read) for read in sure),
            basis=NumberingBasis(
                counted_from="L5 by appearance",
                assumptions=("five lumbar-type vertebrae", "the lowest lumbar-type vertebra is L5"),
                lstv=Lstv.NOT_ASSESSED,
                confidence=weakest,
                statement=STATEMENT.format(probability=weakest),
            ),
            alternative=Alternative(probability=best.lowest.l6[0], levels=("L6",) * len(sure)),
            quality=tuple(f"film {name} abstained: {reason.text}" for name, reason in refusals.items()),
            candidates=tuple(candidate for read in sure for candidate in _candidates(read)[1:]),
        )

    def read(self, film: Radiograph) -> Read:
        """What is seen on one film, and how likely each body is the lowest lumbar-type vertebra."""
        evidence = self.evidence(film)
        found = lowest([self.point.probability(one) for one in evidence])
        order = np.argsort(-np.array(found.either), kind="stable")[:MOST_CANDIDATES]
        return Read(film, tuple(evidence[i] for i in order), found.of(order.tolist()))

    def evidence(self, film: Radiograph) -> list[Evidence]:
        """Every body seen in all looks at one film."""
        if min(film.pixels.shape) < TINY_FILM:
            return []
        left, top, right, bottom = collimated_region(film.pixels)
        whole = self._look(film, (left, top, right, bottom))
        closer = [self._look(film, region, closer=True) for region in closer_regions(whole, left, top, right, bottom)]
        return gather([whole, *closer], bottom - 0.5)

    def _look(self, film: Radiograph, region: tuple[int, int, int, int], *, closer: bool = False) -> Look:
        left, top, right, bottom = region
        grey = window_to_grey(film.pixels[top:bottom, left:right])
        size = self.point.image_size if closer else self.point.whole_size
        found = self.detector.detect(grey, int(size), (left, top), mirrored=bool(self.point.mirrored))
        nothing = Detections(np.zeros((0, 4)), np.zeros(0))
        return Look(found["L5"], found.get("vertebra", nothing), closer)

    def _refusal(self, read: Read) -> StatedReason | None:
        """Why this film is not numbered, or None."""
        first, second = (*read.probabilities, 0.0, 0.0)[:2]
        if first >= self.point.answer and second < self.point.ambiguous:
            return None
        if second >= self.point.ambiguous:
            text = (
                f"film {read.film.name}: two bodies look like the lowest lumbar-type vertebra (probabilities "
                f"{first:.2f} and {second:.2f}), expected one; both are shown, decide by counting from C2 or the ribs"
            )
            return StatedReason(code=ReasonCode.AMBIGUOUS, text=text)
        if read.lowest.none >= 0.5:
            text = (
                f"film {read.film.name}: no lowest lumbar-type vertebra was found (best candidate {first:.2f}), "
                f"expected one with at least {self.point.answer:.2f}; check that the lumbosacral junction is in view"
            )
            return StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text)
        text = (
            f"film {read.film.name}: the best candidate has probability {first:.2f}, expected at least "
            f"{self.point.answer:.2f}; it is shown, decide by counting from C2 or the ribs"
        )
        return StatedReason(code=ReasonCode.LOW_CONFIDENCE, text=text)


def _vertebra(read: Read) -> Vertebra:
    return Vertebra(
        level="L5",
        probability=read.lowest.l5[0],
        sop_instance_uid=read.film.sop_instance_uid,
        frame=read.film.frame,
        box=read.evidence[0].box,
    )


def _candidates(read: Read) -> list[Candidate]:
    return [
        Candidate(
            sop_instance_uid=read.film.sop_instance_uid,
            frame=read.film.frame,
            box=one.box,
            score=min(1.0, one.score),
            log_likelihood={"L5": float(np.log(max(probability, 1e-9)))},
        )
        for one, probability in zip(read.evidence, read.probabilities, strict=True)
        if probability >= 0.01
    ]


def _abstention(reads: Sequence[Read], reason: StatedReason) -> Findings:
    return Findings(
        status=Status.ABSTAINED,
        reason=reason,
        candidates=tuple(candidate for read in reads for candidate in _candidates(read)),
    )
