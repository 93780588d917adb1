"""OpenVINO for every pipeline: a network's IR is compiled, or written, here and nowhere else; it never calls home."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numbering.weights import Entry

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # blocks the import: no telemetry


def compiled(entry: Entry, network: str, threads: int = 0, precision: str = "f32") -> tuple[Any, str]:
    """A network's IR ready to run on the CPU, in a stated precision, with so many threads (0: all); and the runtime.

    `TryAgainLater` when a file of it is missing or another.
    """
    import openvino

    description, weights = entry.intermediate(network)
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    core = openvino.Core()
    model = core.compile_model(core.read_model(entry.path(description), entry.path(weights)), "CPU", options)
    return model, f"OpenVINO {openvino.__version__.split('-')[0]} CPU {precision}"


def write(model: Any, example: Any, shape: Sequence[int], xml: Path) -> tuple[Path, Path]:
    """Convert a torch model to an IR in half precision (``xml`` and ``.bin`` beside it) for inputs of ``shape``.

    ``example`` is an input to trace with; -1 in ``shape`` is any length.
    """
    import openvino

    converted = openvino.convert_model(model, example_input=example)
    converted.reshape(list(shape))
    openvino.save_model(converted, xml, compress_to_fp16=True)
    return xml, xml.with_suffix(".bin")
