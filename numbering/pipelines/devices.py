"""What a pipeline may run on here."""

from __future__ import annotations

from pathlib import Path


def gpu_present() -> bool:
    """Whether a CUDA device is there, without importing torch on machines that have none."""
    if not Path("/dev/nvidiactl").exists():
        return False
    import torch

    return bool(torch.cuda.is_available())


def native_bfloat16() -> bool:
    """Whether this processor computes in bfloat16. Where it does not, torch emulates it, some sixty times slower."""
    from torch import cpu

    return bool(cpu._is_amx_tile_supported() or cpu._is_avx512_bf16_supported())
