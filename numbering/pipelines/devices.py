"""What a pipeline may run on here."""

from __future__ import annotations

from pathlib import Path


def gpu_present() -> bool:
    """Whether a CUDA device is there, without importing torch on machines that have none."""
    if not Path("/dev/nvidiactl").exists():
        return False
    import torch

    return bool(torch.cuda.is_available())
