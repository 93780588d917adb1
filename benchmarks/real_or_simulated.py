"""Can a small network tell real images from simulated ones? The area under its ROC curve, per view; 0.5 is a coin.

    numbering phantom --out /tmp/simulated --count 60 --views ap,ct,sagittal-mr …
    python benchmarks/real_or_simulated.py --view ap --real FILMS --simulated /tmp/simulated          AASCE layout
    python benchmarks/real_or_simulated.py --view ct --real SLICES --simulated /tmp/simulated         DICOM
    python benchmarks/real_or_simulated.py --view sagittal-mr --real VOLUMES --simulated /tmp/simulated    .mat
    python benchmarks/real_or_simulated.py --view sagittal-mr --real VOLUMES --draw 12

``--draw N`` simulates N healthy young adults there and then, acquired as the real images were: a water-excitation
gradient echo of 1 mm, which no lumbar examination orders, and CT slices of the chest and the upper abdomen.

Both kinds are cut to the same patches about the spine (the same rule, the same size in vertebrae or mm, the same
stretch of grey values), so that neither framing nor file format gives the answer. Five folds, whole patients on one
side of each; the interval is a bootstrap over patients. An AUC near 1 says that a giveaway is left, not which one:
``--look PNG`` draws patches of both kinds, the most tell-tale first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from scipy.io import loadmat
from scipy.ndimage import map_coordinates
from torch import nn

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.ct import acquire as ct_acquire
from numbering.phantom.imaging.ct import protocol as ct_protocol
from numbering.phantom.imaging.mr import acquire as mr_acquire
from numbering.phantom.imaging.mr import protocol as mr_protocol
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.build import scene
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.procedural import Procedural

SIDE = 96
"""Pixels of a patch along each side."""
AP_VERTEBRAE = 4.0
"""Height of an AP patch in vertebral spacings."""
AXIAL_MM, SAGITTAL_MM = 128.0, 120.0
FOLDS, EPOCHS = 5, 12
EXTENTS_OF_CHEST = ct_protocol.EXTENTS["chest"]
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """Grey values 0…1 ``(SIDE, SIDE)`` and whose they are."""

    pixels: Array
    patient: str


def patch(image: NDArray[np.generic], centre: tuple[float, float], side: tuple[float, float], patient: str) -> Patch:
    """The square about ``centre`` (row, column), ``side`` pixels (rows, columns) long, stretched to 0…1."""
    steps = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    rows, columns = np.meshgrid(centre[0] + steps * side[0], centre[1] + steps * side[1], indexing="ij")
    cut = map_coordinates(image.astype(np.float32), [rows, columns], order=1, mode="nearest")
    low, high = np.percentile(cut, [1, 99])
    return Patch(np.clip((cut - low) / max(high - low, 1e-6), 0, 1).astype(np.float32), patient)


def _between(bodies: NDArray[np.float64], at: int, image: NDArray[np.generic], patient: str) -> Patch:
    centres = bodies.mean(1)
    side = AP_VERTEBRAE * float(np.linalg.norm(centres[at + 1] - centres[at - 1])) / 2
    return patch(image, (centres[at][1], centres[at][0]), (side, side), patient)


def real_ap(data: Path) -> Iterator[Patch]:
    """One patch a film, about a vertebra from T8 to L3."""
    from numbering.pipelines.ap_xray.films import patient_groups, read_aasce

    films, _ = read_aasce(data)
    for number, (film, group) in enumerate(zip(films, patient_groups(films), strict=True)):
        yield _between(film.vertebrae, 7 + number % 8, film.pixels(), f"real {group}")


def simulated_ap(folder: Path) -> Iterator[Patch]:
    """One patch a film, about a vertebra from T8 to L3."""
    for number, (where, image) in enumerate(_films(folder)):
        seen = {one["level"]: one["corners"] for one in image["vertebrae"] if one["in_view"]}
        names = [name for name in seen if name[0] in "TL"]
        wanted = ("T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3")[number % 8]
        if wanted not in names or names.index(wanted) in (0, len(names) - 1):
            continue
        bodies = np.array([seen[name] for name in names])
        ds = dcmread(where / image["file"])
        yield _between(bodies, names.index(wanted), _upright(ds), f"simulated {where.name}")


def _films(folder: Path) -> Iterator[tuple[Path, dict]]:
    for truth in sorted(folder.rglob("truth.json")):
        for image in json.loads(truth.read_text()).get("images", ()):
            if image["view"] == "AP":
                yield truth.parent, image


def _upright(ds: Dataset) -> NDArray[np.generic]:
    pixels = ds.pixel_array
    return pixels.max() - pixels if ds.PhotometricInterpretation == "MONOCHROME1" else pixels


def axial(folder: Path) -> Iterator[Patch]:
    """Every third axial CT slice of a folder, about the bone of its spine, which real and simulated give alike."""
    for number, ds in enumerate(_axial_slices(folder)):
        if number % 3:
            continue
        hu = ds.pixel_array * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
        centre = spine_of(hu)
        if centre:
            side = AXIAL_MM / float(ds.PixelSpacing[0])
            yield patch(np.clip(hu, -250, 500), centre, (side, side), f"{folder.name} {ds.PatientID}")


def _axial_slices(folder: Path) -> Iterator[Dataset]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            ds = dcmread(path)
        except InvalidDicomError:
            continue
        if ds.get("Modality") == "CT" and "AXIAL" in ds.get("ImageType", []):
            yield ds


def spine_of(hu: NDArray[np.generic]) -> tuple[float, float] | None:
    """Row and column of the middle of the bone in the back half and middle third of the body; None without any."""
    body = np.argwhere(hu > -300)
    if len(body) < 0.1 * hu.size:
        return None
    (top, left), (bottom, right) = np.percentile(body, [2, 98], axis=0)
    row, column = (top + bottom) / 2, (left * 2 + right) / 3
    window = hu[int(row) : int(bottom), int(column) : int((left + 2 * right) / 3)]
    bone = np.argwhere(window > 180)
    return (row + bone[:, 0].mean(), column + bone[:, 1].mean()) if len(bone) > 50 else None


def real_sagittal(folder: Path) -> Iterator[Patch]:
    """Slices within 6 mm of the middle, about L3."""
    for path in sorted(folder.rglob("*.mat")):
        volume = loadmat(path)
        middle = np.argwhere(volume["GT"] == 3).mean(0)
        for away in (-6, -2, 2, 6):
            pixels = volume["I"][:, :, round(middle[2]) + away]
            yield patch(pixels, (middle[0], middle[1]), (SAGITTAL_MM, SAGITTAL_MM), f"real {path.stem}")


def simulated_sagittal(folder: Path) -> Iterator[Patch]:
    """Slices near the middle of L3 of T1- and T2-weighted sagittal series."""
    for truth in sorted(folder.rglob("truth.json")):
        for series in json.loads(truth.read_text()).get("mr", ()):
            found = next((v for v in series["vertebrae"] if v["level"] == "L3" and v.get("corners")), None)
            if series["plane"] != "sagittal" or found is None:
                continue
            x, y = np.mean(found["corners"], axis=0)
            for step in (-1, 0, 1):
                index = found["slice"] + step
                if not 0 <= index < len(series["slices"]):
                    continue
                uid = series["slices"][index]["sop_instance_uid"]
                ds = _by_uid(truth.parent / series["folder"])[uid]
                if "NumberOfFrames" in ds:
                    break
                side = SAGITTAL_MM / float(ds.PixelSpacing[0])
                yield patch(ds.pixel_array, (y, x), (side, side), f"simulated {truth.parent.name}")


def drawn_sagittal(seed: int) -> Iterator[Patch]:
    """Four slices about L3, as `real_sagittal` cuts them, of a water-excitation gradient echo."""
    skeleton, structures = _adult(seed, 22.0, 130.0)
    style = ("nordwind", "armor", "hoshi", "fairhaven")[seed % 4]
    drawn = mr_protocol.sample(np.random.default_rng(seed), "sagittal", "water GRE", style=style)
    series = mr_acquire.acquire(skeleton, structures, replace(drawn, slices=4, gap_mm=3.0), seed)
    for one in series.slices:
        _, y, x = np.linalg.inv(one.affine)[:3] @ np.append(skeleton.at(22.0), 1.0)
        side = SAGITTAL_MM / drawn.pixel_mm
        yield patch(one.pixels, (y, x), (side, side), f"simulated {seed}")


def drawn_axial(seed: int) -> Iterator[Patch]:
    """Three slices of 5 mm, 12.5 mm apart, between T5 and T12."""
    ordinal = 12.0 + seed * 3 % 8
    skeleton, structures = _adult(seed, ordinal, 240.0)
    usual = ct_protocol.sample_protocol(np.random.default_rng(seed), "chest")
    ends = [skeleton.height(EXTENTS_OF_CHEST.top), skeleton.height(EXTENTS_OF_CHEST.bottom)]
    beyond = (EXTENTS_OF_CHEST.above_mm, -EXTENTS_OF_CHEST.below_mm)
    middle = skeleton.height(ordinal)
    shifts = [middle + away - end - more for away, end, more in zip((12, -12), ends, beyond, strict=True)]
    protocol = replace(
        usual,
        shift_mm=(shifts[0], shifts[1]),
        slice_mm=5.0,
        increment_mm=12.5,
        tilt=0.0,
        oblique=(0.0, 0.0),
        field_mm=340.0,
        matrix=432,
        kernel=ct_protocol.KERNELS["standard"],
    )
    volume = ct_acquire.acquire(skeleton, structures, protocol, seed)
    for hu in volume.hu:
        centre = spine_of(hu)
        if centre:
            side = AXIAL_MM / (protocol.field_mm / protocol.matrix)
            yield patch(np.clip(hu, -250, 500), centre, (side, side), f"simulated {seed}")


def _adult(seed: int, ordinal: float, reach_mm: float) -> tuple[Skeleton, list[Structure]]:
    """A supine adult between 20 and 44 years without anomalies, and what lies about this ordinal."""
    skeleton = pose(replace(sample(seed, "none"), age=20 + seed % 25), "supine")
    middle = skeleton.at(ordinal)
    reach = np.array([reach_mm, reach_mm, min(reach_mm, 130.0)])
    return skeleton, scene(skeleton, Procedural(), seed, region=np.stack([middle - reach, middle + reach]))


_SERIES: dict[Path, dict[str, Dataset]] = {}


def _by_uid(folder: Path) -> dict[str, Dataset]:
    if folder not in _SERIES:
        _SERIES[folder] = {str(ds.SOPInstanceUID): ds for ds in map(dcmread, sorted(folder.glob("*.dcm")))}
    return _SERIES[folder]


VIEWS: dict[str, tuple[Callable[[Path], Iterator[Patch]], Callable[[Path], Iterator[Patch]]]] = {
    "ap": (real_ap, simulated_ap),
    "ct": (axial, axial),
    "sagittal-mr": (real_sagittal, simulated_sagittal),
}


DRAWN = {"ct": drawn_axial, "sagittal-mr": drawn_sagittal}
FIRST_DRAWN = 5000
"""Seed of the first patient of ``--draw``."""


class Judge(nn.Sequential):
    """Four convolutions and one answer: positive means real."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 48), (48, 64)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 1))


def judged(patches: list[Patch], real: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """For each patch the answer of a network that saw nothing of its patient; at least two patients of each kind."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    names = np.array([one.patient for one in patches])
    kinds = [rng.permutation(np.unique(names[real == kind])) for kind in (True, False)]
    order = {name: number % FOLDS for kind in kinds for number, name in enumerate(kind)}
    folds = np.array([order[name] for name in names])
    pixels = torch.tensor(np.stack([one.pixels for one in patches]))[:, None]
    answers = np.zeros(len(patches))
    for fold in np.unique(folds):
        network = _trained(pixels[folds != fold], torch.tensor(real[folds != fold]).float())
        with torch.inference_mode():
            answers[folds == fold] = network(pixels[folds == fold])[:, 0].numpy()
    return answers


def _trained(pixels: torch.Tensor, real: torch.Tensor) -> Judge:
    network = Judge()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    weight = (1 - real).sum() / real.sum()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pixels)).split(16):
            some = pixels[batch].flip(3) if torch.rand(1) < 0.5 else pixels[batch]
            some = some ** torch.empty(len(batch), 1, 1, 1).uniform_(0.7, 1.4)
            loss = nn.functional.binary_cross_entropy_with_logits(network(some)[:, 0], real[batch], pos_weight=weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def auc(answers: NDArray[np.float64], real: NDArray[np.bool_]) -> float:
    """Share of pairs in which the real one is taken for the more real (ties count half)."""
    more = np.sign(answers[real][:, None] - answers[~real][None, :])
    return float((more + 1).mean() / 2)


def interval(answers: NDArray[np.float64], real: NDArray[np.bool_], patients: list[str], seed: int) -> list[float]:
    """95 % interval of the AUC, patients drawn with replacement."""
    rng = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for index, name in enumerate(patients):
        members.setdefault(name, []).append(index)
    names, found = list(members), []
    for _ in range(300):
        drawn = np.concatenate([members[names[i]] for i in rng.integers(0, len(names), len(names))])
        if 0 < real[drawn].sum() < len(drawn):
            found.append(auc(answers[drawn], real[drawn]))
    return [round(float(value), 3) for value in np.percentile(found, [2.5, 97.5])]


def draw(patches: list[Patch], answers: NDArray[np.float64], real: NDArray[np.bool_], path: Path) -> None:
    """Above the real ones, below the simulated ones, the most surely recognised first."""
    rows = []
    for kind in (True, False):
        chosen = np.argsort(-answers if kind else answers)
        chosen = [index for index in chosen if real[index] == kind]
        picks = np.linspace(0, len(chosen) - 1, 12).astype(int)
        rows.append(np.hstack([patches[chosen[pick]].pixels for pick in picks]))
    Image.fromarray((np.vstack(rows) * 255).astype(np.uint8)).save(path)


def main() -> None:
    """Cut, train, judge, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--view", choices=VIEWS, required=True)
    parser.add_argument("--real", type=Path, required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--simulated", type=Path)
    source.add_argument("--draw", type=int, metavar="N", help="simulate so many patients now (ct, sagittal-mr)")
    parser.add_argument("--most", type=int, default=400, help="at most so many patches of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--look", type=Path, help="PNG of patches of both kinds")
    options = parser.parse_args()
    read_real, read_simulated = VIEWS[options.view]
    if options.draw and options.view not in DRAWN:
        parser.error(f"--draw knows {', '.join(DRAWN)}")
    if options.draw:
        seeds = range(FIRST_DRAWN, FIRST_DRAWN + options.draw)
        simulated = [one for seed in seeds for one in DRAWN[options.view](seed)]
    else:
        simulated = list(read_simulated(options.simulated))
    kinds = [list(read_real(options.real)), simulated]
    rng = np.random.default_rng(options.seed)
    kinds = [[kind[i] for i in sorted(rng.permutation(len(kind))[: options.most])] for kind in kinds]
    if not all(kinds):
        sys.exit(f"{len(kinds[0])} real and {len(kinds[1])} simulated patches: expected some of both")
    for kind, name in zip(kinds, ("real", "simulated"), strict=True):
        if len({one.patient for one in kind}) < 2:
            sys.exit(f"{name} patches of one patient: expected at least two, for each must be judged by the others")
    patches = kinds[0] + kinds[1]
    real = np.arange(len(patches)) < len(kinds[0])
    answers = judged(patches, real, options.seed)
    groups = zip(("real", "simulated"), kinds, strict=True)
    told = {
        "benchmark": "real_or_simulated",
        "view": options.view,
        "auc": round(auc(answers, real), 3),
        "interval": interval(answers, real, [one.patient for one in patches], options.seed),
        "patches": {"real": len(kinds[0]), "simulated": len(kinds[1])},
        "patients": {name: len({one.patient for one in kind}) for name, kind in groups},
        "seed": options.seed,
        "date": datetime.now(UTC).date().isoformat(),
    }
    if options.look:
        draw(patches, answers, real, options.look)
    low, high = told["interval"]
    print(f"{options.view}: AUC {told['auc']:.3f} ({low:.3f}–{high:.3f}), {told['patches']}")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
