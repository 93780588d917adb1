"""What a pipeline is: its protocol, and its card. Importing this loads neither torch nor OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from numbering.errors import Reason
from numbering.result import Findings, ModelIdentity
from numbering.study import Series, View

Images = Sequence[Any]
"""What a pipeline numbers, by its card: each `Radiograph` of a series; or the `Stack` of one, followed by the stacks of
its companions. Each pipeline names its own type."""


class Pipeline(Protocol):
    """A loaded model: pixels in, findings out. It knows nothing of DICOM, files or jobs."""

    identity: ModelIdentity
    settings: dict[str, str]
    """What besides the weights decides the answer (thresholds), as text: part of the result's identity."""

    def number(self, images: Images) -> Findings:
        """Number these images of one series; an input that cannot be numbered is an abstention, not an error."""
        ...


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the service knows of a pipeline before loading it.

    ``suits`` gets a series of one view and answers None, or the reason why this pipeline refuses it.
    """

    name: str
    version: str
    title: str
    path: str
    """``module:Class``, imported only by `load`; the class takes ``device`` and ``threads``."""
    queue: str
    modalities: frozenset[str]
    views: frozenset[View]
    suits: Callable[[Series], Reason | None]
    weights: str
    """Entry in the weights registry."""
    assumption: str
    """What its numbering presumes, in one sentence."""
    one_per_study: bool = False
    """Of several series that show the same only the best is numbered."""
    companions: frozenset[View] = frozenset()
    """Views of other series, of the same study and frame of reference, that it looks at besides."""

    def load(self, device: str = "auto", threads: int = 0) -> Pipeline:
        """Import the code and read the weights. ``TryAgainLater`` when the weights cannot be read."""
        module, _, name = self.path.partition(":")
        pipeline: Pipeline = getattr(import_module(module), name)(device=device, threads=threads)
        return pipeline
