"""YOLOv5 as ultralytics builds it, its boxes decoded, and its weights kept as safetensors.

ultralytics' ``yolov5*.yaml`` is YOLOv5u: the paper's backbone and neck with an anchor-free, objectness-free head and a
distribution-focal box regression. The paper trained the anchor-based original of 2022.
"""

from __future__ import annotations

import os
from pathlib import Path

from numbering.pipelines.cpu_torchvision import prepare_torchvision


def prepare_ultralytics() -> None:
    """Keep ultralytics off the network, off its own log sinks, and usable beside a CPU torch. Idempotent."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "true")
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    config = Path(os.environ.setdefault("YOLO_CONFIG_DIR", str(Path.home() / ".cache" / "numbering" / "ultralytics")))
    font = config / "Ultralytics" / "Arial.ttf"
    if not font.exists():  # any font: without one ultralytics waits 15 s for a download
        import PIL

        font.parent.mkdir(parents=True, exist_ok=True)
        candidates = [*Path("/usr/share/fonts").rglob("*.ttf"), *Path(PIL.__file__).parent.rglob("*.ttf")]
        font.write_bytes(candidates[0].read_bytes() if candidates else b"")
    prepare_torchvision()


def yaml_name(architecture: str) -> str:
    """``yolov5n`` → ``yolov5n.yaml``, the scale that ultralytics builds."""
    return f"{architecture}.yaml"
