"""Who answered, and about what: the same words and digests for every pipeline of several networks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from numbering.result import Findings, ModelIdentity, StatedReason
from numbering.stack import Stack
from numbering.weights import Entry


def identity(entry: Entry, weights: Mapping[str, str], runtime: str) -> ModelIdentity:
    """The model of a registry's entry as it was loaded: ``weights`` are the sha256 of its files by name."""
    return ModelIdentity(
        name=entry.name,
        version=entry.version,
        weights_file=", ".join(sorted(weights)),
        weights_sha256=digest(weights),
        trained_on=entry.trained_on,
        runtime=runtime,
    )


def digest(weights: Mapping[str, str]) -> str:
    """One sha256 for all files that decide the answer: of the only one, or of the list of them by name."""
    if len(weights) == 1:
        return next(iter(weights.values()))
    lines = "".join(f"{name} {each}\n" for name, each in sorted(weights.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def of_series(findings: Findings, stack: Stack) -> Findings:
    """The same, an abstention with the first image of the series that it is about."""
    if findings.reason is None:
        return findings
    text = f"series of image {stack.planes[0].name}: {findings.reason.text}"
    return findings.model_copy(update={"reason": StatedReason(code=findings.reason.code, text=text)})
