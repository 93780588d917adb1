"""How well each source of vertebral shape keeps to the sampled anatomy, and what it costs.

    python benchmarks/shapes.py --atlas ../shared/data/atlas --patients 6

For T9 to the lowest lumbar-type vertebra: how far the truth's landmarks (corners and lateral ends of the endplates)
lie from the surface, the volume that neighbours share, and the seconds to make a vertebra and look it up on a 1 mm
lattice (templates from the cache). Without ``--atlas``, the procedural source alone.
"""

from __future__ import annotations

import argparse
import datetime
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.pose import Placed, Skeleton, pose
from numbering.phantom.scene.structure import Grid, Structure
from numbering.phantom.shapes.atlas import ATLASES, Atlas
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.shapes.source import ShapeSource

HEADER = "source       vertebrae  own mesh  corners mm: median   95 %    max   shared mm3: median    max   s/vertebra"


def main() -> None:
    """Print one line for each source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atlas", type=Path, help="folder of the atlases' folders")
    parser.add_argument("--sources", nargs="*", default=list(ATLASES), help="names of atlases")
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0, help="of the first patient")
    parser.add_argument("--device", default="cpu")
    wanted = parser.parse_args()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    print(f"{today}  seeds {wanted.seed}..{wanted.seed + wanted.patients - 1}  {wanted.device}", end="  ")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(HEADER)
    sources: list[ShapeSource] = [Procedural()]
    if wanted.atlas:
        sources += [Atlas(wanted.atlas, name, device=wanted.device) for name in wanted.sources]
    for source in sources:
        print(line(source, range(wanted.seed, wanted.seed + wanted.patients), wanted.device), flush=True)


def line(source: ShapeSource, seeds: range, device: str) -> str:
    """The figures of one source."""
    off: list[float] = []
    shared: list[float] = []
    seconds: list[float] = []
    own = 0
    for seed in seeds:
        skeleton = pose(sample(seed))
        chosen = [p for p in skeleton.vertebrae if p.vertebra.ordinal >= 16]
        own += sum(isinstance(source, Atlas) and source.template_of(skeleton, placed) is not None for placed in chosen)
        warm(source, skeleton, chosen[0])
        bones = []
        for placed in chosen:
            began = time.perf_counter()
            bones.append(source.vertebra(skeleton, placed)[-1])
            inside(bones[-1], bones[-1].bounds, device)
            if device != "cpu":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
            landmarks = np.vstack([placed.sagittal_corners(), placed.coronal_corners()])
            points = torch.as_tensor(landmarks, dtype=torch.float32, device=device)
            off += bones[-1].signed_distance(points).abs().tolist()
        shared += [overlap(upper, lower, device) for upper, lower in pairwise(bones)]
    return (
        f"{source.name:12s} {len(seconds):9d} {own:9d} {np.median(off):20.2f} {np.percentile(off, 95):6.2f} "
        f"{max(off):6.2f} {np.median(shared):20.0f} {max(shared):6.0f} {np.median(seconds):12.3f}"
    )


def warm(source: ShapeSource, skeleton: Skeleton, placed: Placed) -> None:
    """Templates and kernels are loaded before the clock runs."""
    source.vertebra(skeleton, placed)[-1].signed_distance(torch.zeros(1, 3))


def inside(bone: Structure, bounds: np.ndarray, device: str) -> torch.Tensor:
    """Which points of a 1 mm lattice lie in the bone by more than 0.1 mm."""
    grid = Grid.upright(bounds, 1.0)
    return bone.signed_distance(grid.points(tuple(slice(0, n) for n in grid.shape), device)) < -0.1  # type: ignore[arg-type]


def overlap(upper: Structure, lower: Structure, device: str) -> float:
    """mm3 in both."""
    bounds = np.stack([np.maximum(upper.bounds[0], lower.bounds[0]), np.minimum(upper.bounds[1], lower.bounds[1])])
    if (bounds[1] <= bounds[0]).any():
        return 0.0
    return float((inside(upper, bounds, device) & inside(lower, bounds, device)).sum())


if __name__ == "__main__":
    main()
