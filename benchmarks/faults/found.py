"""What a fuzzing target met: one folder for each different failure, with its smallest input and its traceback."""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def record(folder: Path, target: str, data: bytes, error: BaseException) -> None:
    """Keep this failure, unless a smaller input of the same kind (type and innermost place) is kept."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(CHECKOUT / "numbering")]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], *frames[-1:])]
    kind = hashlib.sha256(" ".join([type(error).__name__, *places]).encode()).hexdigest()[:10]
    kept = folder / f"{target}-{type(error).__name__}-{kind}"
    kept.mkdir(parents=True, exist_ok=True)
    smallest = kept / "input"
    if not smallest.exists() or len(data) < smallest.stat().st_size:
        smallest.write_bytes(data)
        (kept / "traceback.txt").write_text("".join(traceback.format_exception(error, limit=12)))
