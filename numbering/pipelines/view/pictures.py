"""Pictures to train and judge with, in folders ``SPLIT/KIND/NAME.png`` (``train``, ``val``, ``test``).

``python -m numbering.pipelines.view.pictures --out DIR --aasce FILMS --lateral FILMS --simulate 120 --others FOLDER …``
Real frontal films go to the split that the AP pipeline has them in, simulated ones to that of their seed. What is none
of both: slices and pictures of whatever DICOM lies below a folder (a study is whole in one split), and patches of films
so small that nobody could tell the view.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.phantom.splits import split_of
from numbering.pipelines.films import window_to_grey
from numbering.pipelines.view.kinds import SMALLEST, Kind

SPLITS = ("train", "val", "test")
LONGEST = 288
"""Pixels of a kept picture's longer side."""
PATCH_SHARE = 0.12
"""Side of a patch that shows no view, as a share of the film's."""
SLICES = 60
"""Of one study at most so many pictures are kept, evenly."""
FIRST_SEED = {"train": 700_000, "val": 870_000, "test": 970_000}
"""Of the patients that are simulated for this network alone; the last two lie where ``splits.json`` reserves them."""
_SPLIT_NAMES = {"train": "train", "validation": "val", "test": "test"}


def keep(out: Path, split: str, kind: Kind, name: str, pixels: NDArray[np.float32]) -> None:
    """Write one picture, grey and small."""
    if min(pixels.shape) < 16:
        return
    grey = Image.fromarray(window_to_grey(pixels))
    grey.thumbnail((LONGEST, LONGEST))
    if min(grey.size) < SMALLEST:
        return
    folder = out / split / kind
    folder.mkdir(parents=True, exist_ok=True)
    grey.save(folder / f"{name}.png")


def patch(pixels: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A piece of a film so small that its view cannot be told."""
    side = max(16, int(PATCH_SHARE * max(pixels.shape)))
    row, column = (int(rng.integers(max(1, length - side))) for length in pixels.shape)
    return pixels[row : row + side, column : column + side].repeat(4, 0).repeat(4, 1)


def real_frontal(out: Path, data: Path) -> None:
    """AASCE films and crops of them; a patch of every third."""
    from numbering.pipelines.ap_xray.films import crop_without_l5, films_for, lumbar_crop, read_aasce

    every = read_aasce(data)[0]
    for split in SPLITS:
        for number, film in enumerate(films_for(split, every)):
            rng = np.random.default_rng([number, 71])
            pixels = film.pixels()
            name = f"aasce-{zlib.crc32(film.name.encode()):08x}"
            keep(out, split, Kind.FRONTAL, f"{name}-whole", pixels)
            for what, maker in (("lumbar", lumbar_crop), ("above", crop_without_l5)):
                keep(out, split, Kind.FRONTAL, f"{name}-{what}", maker(film, pixels.shape, rng).of(pixels))
            if number % 3 == 0:
                keep(out, split, Kind.OTHER, f"{name}-patch", patch(pixels, rng))


def simulated_lateral(out: Path, folder: Path) -> None:
    """Films of the lateral pipeline's layout; a patch of every third."""
    for number, label in enumerate(sorted(folder.glob("*.json"))):
        truth = json.loads(label.read_text())
        split = _SPLIT_NAMES[split_of(truth["seed"], truth["shapes"])]
        with Image.open(folder / "images" / f"{label.stem}.png") as image:
            pixels = np.asarray(image.convert("L"), np.float32)
        keep(out, split, Kind.LATERAL, f"lateral-{label.stem}", pixels)
        if number % 3 == 0:
            keep(out, split, Kind.OTHER, f"lateral-{label.stem}-patch", patch(pixels, np.random.default_rng(number)))


def simulate(out: Path, patients: int) -> None:
    """Small frontal films of new patients: most train, an eighth each validates and tests."""
    from numbering.phantom.anatomy.sample import sample
    from numbering.phantom.imaging.film import expose
    from numbering.phantom.imaging.film.position import FIELDS_OF_VIEW
    from numbering.phantom.pose import pose
    from numbering.phantom.produce.stage import shape_source
    from numbering.phantom.scene.build import scene

    for number in range(patients):
        split = {6: "val", 7: "test"}.get(number % 8, "train")
        seed = FIRST_SEED[split] + number
        if (out / split / Kind.FRONTAL / f"simulated-{seed}-{FIELDS_OF_VIEW[-1]}.png").exists():
            continue
        skeleton = pose(sample(seed))
        structures = scene(skeleton, shape_source("procedural"), seed)
        for index, field in enumerate(FIELDS_OF_VIEW):
            rng = np.random.default_rng([seed, 72, index])
            beyond = float(rng.uniform(0, 1)) if split == "train" else 0.0
            film = expose(skeleton, structures, "AP", field, rng, longest=LONGEST, beyond=beyond)
            keep(out, split, Kind.FRONTAL, f"simulated-{seed}-{field}", film.pixels.astype(np.float32))
        sys.stderr.write(f"{number + 1}/{patients} patients\n")


def others(out: Path, folder: Path) -> None:
    """Slices and pictures of DICOM files and of volumes in .mat files."""
    for study, pixels in _pictures(folder):
        members = pixels[:: max(1, -(-len(pixels) // SLICES))]
        code = zlib.crc32(study.encode())
        split = {0: "val", 1: "test"}.get(code % 6, "train")
        for number, one in enumerate(members):
            keep(out, split, Kind.OTHER, f"other-{code:08x}-{number:03d}", one)


def _pictures(folder: Path) -> Iterator[tuple[str, list[NDArray[np.float32]]]]:
    """Pictures by study. Scouts are left out: they are views."""
    from scipy.io import loadmat

    from numbering.dicom.pixels import radiographs
    from numbering.dicom.read import read_folder
    from numbering.errors import NumberingError

    for path in sorted(folder.rglob("*.mat")):
        volume = np.asarray(loadmat(path)["I"], np.float32)
        sagittal = [volume[:, :, index] for index in range(4, volume.shape[2] - 4, 6)]
        axial = [volume[index] for index in range(20, volume.shape[0] - 20, 30)]
        yield path.name, [*sagittal, *axial]
    found: dict[str, list[NDArray[np.float32]]] = {}
    for series in read_folder([folder])[0]:
        for image in series.images:
            if {"LOCALIZER", "SCOUT"} & set(image.image_type) or not image.has_pixels:
                continue
            try:
                frames = radiographs(series.only([image]))
            except NumberingError:
                continue
            found.setdefault(series.study_instance_uid, []).extend(frame.pixels for frame in frames)
    yield from found.items()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="numbering.pipelines.view.pictures", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--aasce", type=Path, help="real frontal films, AASCE layout")
    parser.add_argument("--lateral", type=Path, nargs="*", default=[], help="folders of simulated lateral films")
    parser.add_argument("--simulate", type=int, default=0, help="patients to simulate frontal films of")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="folders of anything else")
    asked = parser.parse_args(arguments)
    if asked.aasce:
        real_frontal(asked.out, asked.aasce)
    for folder in asked.lateral:
        simulated_lateral(asked.out, folder)
    for folder in asked.others:
        others(asked.out, folder)
    simulate(asked.out, asked.simulate)


if __name__ == "__main__":
    main()
