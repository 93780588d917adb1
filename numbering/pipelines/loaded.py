"""The pipelines that a process has loaded: each once, when it is first needed."""

from __future__ import annotations

from functools import cached_property

from numbering.pipelines import Pipeline, card_named
from numbering.pipelines.view.use import Looker
from numbering.weights import registry


class Pipelines:
    """Loads by name, on this device, with so many CPU threads (0: all)."""

    def __init__(self, device: str = "auto", threads: int = 0) -> None:
        self._device, self._threads = device, threads
        self._loaded: dict[str, Pipeline] = {}

    def named(self, name: str) -> Pipeline:
        """The loaded pipeline of this card's name; `TryAgainLater` when its weights cannot be read."""
        if name not in self._loaded:
            self._loaded[name] = card_named(name).load(self._device, self._threads)
        return self._loaded[name]

    @cached_property
    def looker(self) -> Looker | None:
        """What sees the view of a film from its pixels; None where no weights for it are installed."""
        from numbering.pipelines.view.classifier import NAME, ViewClassifier

        return ViewClassifier(self._threads) if NAME in registry() else None
