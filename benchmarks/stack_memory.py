"""What a CT of many slices takes before and while it is read: headers, order, and one pass over all pixels.

    python benchmarks/stack_memory.py [--slices 2000] [--enhanced]

Writes slices of 512 × 512 to a temporary folder (a gigabyte for 2,000), reads them as the node does, and prints seconds
and peak memory after each step.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from numbering.dicom.read import read_series
from numbering.dicom.stacks import stack
from numbering.route import route
from numbering.stack import Stack
from numbering.study import View
from tests.volumes import affine, write_enhanced, write_slice

ROWS = 512


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slices", type=int, default=2000)
    options.add_argument("--enhanced", action="store_true", help="one multi-frame object instead of a file a slice")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = written(Path(folder), asked.slices, enhanced=asked.enhanced)
        started = time.perf_counter()
        tell("imports", started)
        (series,) = read_series(paths)
        tell("headers read", started)
        route(series)
        tell("routed", started)
        found = stack(series, View.AXIAL)
        tell(f"stack of {len(found)}, uniform: {found.uniform}", started)
        found.pixels(len(found) // 2)
        tell("one slice", started)
        for index in range(len(found)):
            found.pixels(index)
        tell("every slice", started)


def written(folder: Path, count: int, *, enhanced: bool) -> list[Path]:
    """The files: planes from an array that takes no memory, pixels of one slice again and again."""
    flat = np.broadcast_to(np.int16(0), (count, ROWS, ROWS))
    planes = Stack.of_array(flat, affine(step=(0, 0, -0.5)), multi_frame=enhanced).planes
    pixels = np.random.default_rng(0).integers(-1000, 1500, (ROWS, ROWS))
    if enhanced:
        from multiprocessing import get_context

        process = get_context("fork").Process(target=write_whole, args=(folder / "ct.dcm", planes, pixels))
        process.start()
        process.join()
        return [folder / "ct.dcm"]
    return [
        write_slice(folder / f"{number:04}.dcm", plane, pixels, InstanceNumber=number)
        for number, plane in enumerate(planes, 1)
    ]


def write_whole(path: Path, planes: list, pixels: np.ndarray) -> None:
    """In a process of its own: it needs the whole object in memory, and that must not count."""
    write_enhanced(path, planes, np.broadcast_to((pixels + 1024).astype("<i2"), (len(planes), ROWS, ROWS)))


def tell(what: str, started: float) -> None:
    """A line of the table."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:32} {time.perf_counter() - started:7.1f} s   peak {peak:7.0f} MiB")


if __name__ == "__main__":
    main()
