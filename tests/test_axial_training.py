"""Training slices of axial MR: simulated, labelled, augmented, and learnt from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from numbering.anatomy import Variant
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.dicom.header import instance_uid
from numbering.phantom.dicom.mr import encode, header
from numbering.phantom.imaging.mr.acquire import MrSlice, acquire_together
from numbering.phantom.imaging.mr.levels import discs, level_of
from numbering.phantom.imaging.mr.planes import block
from numbering.phantom.imaging.mr.protocol import sample as protocol
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.shapes.discs import discs as disc_shapes
from numbering.phantom.splits import ReservedPatient
from numbering.phantom.truth.mr import describe
from numbering.phantom.visits import record
from numbering.pipelines import lightning_run
from numbering.pipelines.axial_mr.canvas import lay
from numbering.pipelines.axial_mr.classes import CLASSES, NONE, class_of
from numbering.pipelines.axial_mr.learning import augment, labelled, simulate, task, training
from numbering.pipelines.axial_mr.learning.dataset import Pictures
from numbering.pipelines.axial_mr.learning.labelled import read_slices
from numbering.pipelines.axial_mr.model.export import load_networks, stored_size
from numbering.pipelines.axial_mr.sizes import NETWORK, SIZES

SEED = 3
TINY = replace(SIZES["small"], name="tiny", backbone="xception", width=0.02, pixels=48, batch=8, learning_rate=5e-3)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One patient in coarse slices of discs alone; simulations stay as coarse."""
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "PIXEL_MM", 4.0)
        patch.setattr(simulate, "SAMPLED_MM", (4.0, 5.0))
        patch.setattr(simulate, "scene", lambda skeleton, source, seed: disc_shapes(skeleton))
        simulate.simulate(folder, 1, SEED)
        yield folder


def truth_and_strip(folder: Path, name: str) -> tuple[dict[str, Any], np.ndarray]:
    truth = json.loads((folder / f"{name}.json").read_text())
    with Image.open(folder / "images" / f"{name}.png") as image:
        strip = np.asarray(image)
    return truth, strip.reshape(len(truth["slices"]), -1, strip.shape[1])


def test_both_contrasts_of_a_stack_share_their_slices(simulated: Path) -> None:
    first, one = truth_and_strip(simulated, f"{SEED:06d}-stacks-a")
    second, other = truth_and_strip(simulated, f"{SEED:06d}-stacks-b")
    assert first["slices"] == second["slices"]
    assert first["weighting"] != second["weighting"]
    assert one.shape == other.shape
    assert not np.array_equal(one, other)
    shown = [one["class"] for one in first["slices"]]
    discs = [one for one in shown if one != NONE]
    assert discs == sorted(discs)
    assert set(discs) >= {2, 3, 4}
    in_the_middle = [one for one in first["slices"] if one["class"] != NONE and abs(one["offset_mm"]) < 1]
    assert in_the_middle
    assert all(one["share"] == 1 and one["nearest"] == one["class"] for one in in_the_middle)


def test_a_simulation_that_was_broken_off_goes_on_and_writes_the_same(simulated: Path) -> None:
    kept = {path: path.read_bytes() for path in simulated.rglob("*.*")}
    written = {path: path.stat().st_mtime_ns for path in kept}
    assert len(kept) == 2 * sum(simulate.CONTRASTS.values())
    (simulated / f"{SEED:06d}-elsewhere-a.json").unlink()
    simulate.simulate(simulated, 1, SEED)
    assert {path: path.read_bytes() for path in simulated.rglob("*.*")} == kept
    again = {path.stem for path, time in written.items() if path.stat().st_mtime_ns != time}
    assert again == {f"{SEED:06d}-elsewhere-a"}


def test_slices_from_elsewhere_are_none_of_the_discs(mr_skeleton: Skeleton) -> None:
    planes = set()
    for seed in range(60):
        contrasts, planned = simulate.ordered(mr_skeleton, "elsewhere", np.random.default_rng(seed))
        planes.add(contrasts[0].plane)
        shown = {level_of(mr_skeleton, planned[0].centre, planned[0].normal).disc}
        assert {class_of(disc, mr_skeleton.patient.variant) for disc in shown} == {NONE}
    assert planes == {"axial", "sagittal", "coronal"}


@pytest.mark.parametrize(
    ("seed", "shapes"), [(800000, "procedural"), (999999, "procedural"), (1, "atlas:/x/morphable")]
)
def test_a_reserved_patient_is_never_simulated_for_training(seed: int, shapes: str) -> None:
    with pytest.raises(ReservedPatient, match="reserved for"):
        simulate.person(seed, [shapes])


def test_contrasts_painted_together_are_those_painted_alone(mr_skeleton: Skeleton) -> None:
    rng = np.random.default_rng(1)
    first = replace(
        protocol(rng, "axial", "T2", style="armor", layout="block"), matrix=(40, 32), reconstructed=48, slices=2
    )
    second = replace(first, repetition_ms=500, echo_ms=10, weighting="T1")
    structures = disc_shapes(mr_skeleton)
    planned = block(first, discs(mr_skeleton)[-3], rng)
    both = acquire_together(mr_skeleton, structures, [first, second], planned, 5)
    alone = acquire_together(mr_skeleton, structures, [first], planned, 5)
    for one, other in zip(both[0].slices, alone[0].slices, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
    assert not np.array_equal(both[0].slices[0].pixels, both[1].slices[0].pixels)
    with pytest.raises(ValueError, match="expected one lattice"):
        acquire_together(mr_skeleton, structures, [first, replace(first, fov_mm=first.fov_mm + 20)], planned, 5)


@pytest.fixture(scope="module")
def mr_skeleton() -> Skeleton:
    return pose(sample(SEED), "supine")


def write_series(folder: Path, number: int, shows: list[tuple[int, float]], **changed: Any) -> None:
    """A series of noise; a slice of class c has a bright band at the height of that class."""
    rng = np.random.default_rng(number)
    strip = rng.integers(0, 90, (len(shows), 60, 50)).astype(np.uint8)
    for image, (nearest, share) in zip(strip, shows, strict=True):
        if share > 0.5:
            image[6 + 9 * nearest : 12 + 9 * nearest, 8:42] = 250
    slices = [
        {"class": nearest if share > 0.5 else NONE, "nearest": nearest, "share": share} for nearest, share in shows
    ]
    truth: Mapping[str, Any] = {
        "seed": number, "shapes": "procedural", "style": "armor", "spacing_mm": [4.0, 4.0], "slices": slices,
    } | changed  # fmt: skip
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.fromarray(strip.reshape(-1, 50)).save(folder / "images" / f"{number:06d}.png")
    (folder / f"{number:06d}.json").write_text(json.dumps(truth))


def test_a_slice_at_an_endplate_is_a_disc_for_its_share(tmp_path: Path) -> None:
    write_series(tmp_path, 5, [(2, 0.25), (4, 1.0), (NONE, 0.0)])
    found = read_slices(tmp_path)
    assert [one.true for one in found] == [NONE, 4, NONE]
    assert found[0].likely == (0, 0, 0.25, 0, 0, 0.75)
    assert found[1].likely == (0, 0, 0, 0, 1, 0)
    assert found[2].likely == (0, 0, 0, 0, 0, 1)


def test_training_sees_a_slice_as_serving_does(tmp_path: Path) -> None:
    write_series(tmp_path, 5, [(2, 0.25), (4, 1.0)])
    found = read_slices(tmp_path)
    second = found[1].read().pixels
    assert second[6 + 36 : 12 + 36, 8:42].min() == 250
    laid, _ = lay(second, (4.0, 4.0), TINY.pixels, TINY.field_mm)
    kept = Pictures(found, TINY)[1]["image"][0].numpy()
    assert np.allclose(kept / 255, laid, atol=0.003)


@pytest.mark.parametrize("changed", [{"seed": 812345}, {"shapes": "morphable"}, {"style": "fairhaven-2"}])
def test_a_reserved_patient_never_trains(tmp_path: Path, changed: dict[str, Any]) -> None:
    write_series(tmp_path, 5, [(2, 1.0)], **changed)
    with pytest.raises(ReservedPatient):
        read_slices(tmp_path)


def test_folders_named_by_level_are_read(tmp_path: Path) -> None:
    for level, name in (("L1-L2", "anna_1"), ("L1-L2", "bert_1"), ("none", "anna_2"), ("L5-S1", "bert_2")):
        (tmp_path / level).mkdir(exist_ok=True)
        Image.new("L", (30, 40), 77).save(tmp_path / level / f"{name}.png")
    found = read_slices(tmp_path)
    assert [CLASSES[one.true] for one in found] == ["L1-L2", "L1-L2", "L5-S1", "none"]
    assert [one.patient for one in found] == [0, 1, 1, 0]
    assert found[0].picture(TINY).shape == (48, 48)
    with pytest.raises(ValueError, match="no axial slice found"):
        read_slices(tmp_path / "none")


def test_simulated_patients_are_read_from_their_dicom(tmp_path: Path, mr_skeleton: Skeleton) -> None:
    slices = write_patient(tmp_path, mr_skeleton, "armor")
    found = read_slices(tmp_path)
    assert [one.true for one in found] == [class_of(one.level.disc, Variant()) for one in slices]
    assert {one.patient for one in found} == {SEED}
    for one, other in zip(found, slices, strict=True):
        assert np.array_equal(one.read().pixels, other.pixels)
        assert one.read().spacing_mm == pytest.approx((5.0, 5.0))
    level = tmp_path / "levels" / "L4-L5"
    level.mkdir(parents=True)
    (tmp_path / "mr" / "0001.dcm").rename(level / "anna_1.dcm")
    (alone,) = read_slices(tmp_path / "levels")
    assert CLASSES[alone.true] == "L4-L5"
    assert np.allclose(alone.picture(TINY), found[0].picture(TINY))


def test_a_reserved_simulated_patient_never_trains(tmp_path: Path, mr_skeleton: Skeleton) -> None:
    write_patient(tmp_path, mr_skeleton, "fairhaven-2")
    with pytest.raises(ReservedPatient):
        read_slices(tmp_path)


def write_patient(folder: Path, skeleton: Skeleton, style: str) -> tuple[MrSlice, ...]:
    """A folder as `numbering phantom` writes it, with one small axial series."""
    rng = np.random.default_rng(1)
    coarse = replace(
        protocol(rng, "axial", "T2", style="armor"), fov_mm=200.0, matrix=(32, 32), reconstructed=40, slices=3,
        gap_mm=6.0, thickness_mm=3.0,
    )  # fmt: skip
    planned = block(coarse, discs(skeleton)[-2], rng)
    (series,) = acquire_together(skeleton, disc_shapes(skeleton), [coarse], planned, 5)
    (visit,) = record(skeleton.patient, ["mr"], style=style)
    head = header(coarse, 1)
    uids = [instance_uid(visit, head, number + 1) for number in range(3)]
    (folder / "mr").mkdir()
    for number, content in enumerate(encode(visit, series, head), 1):
        (folder / "mr" / f"{number:04d}.dcm").write_bytes(content)
    true = describe(
        visit, skeleton, series, series_instance_uid="1.2", frame_of_reference_uid="1.3",
        sop_instance_uids=uids, folder="mr",
    )  # fmt: skip
    whole = {
        "seed": SEED, "shapes": "procedural", "studies": [{"style": style}],
        "variant": {"thoracic": 12, "lumbar": 5}, "mr": [true.model_dump(mode="json")],
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(whole))
    return series.slices


def blob(row: int, column: int) -> torch.Tensor:
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, row - 3 : row + 4, column - 3 : column + 4] = 1
    return image


def centre(image: torch.Tensor) -> tuple[float, float]:
    weight = image[0, 0] / image.sum()
    axis = torch.arange(64.0)
    return float(weight.sum(1) @ axis), float(weight.sum(0) @ axis)


def only(monkeypatch: pytest.MonkeyPatch, **ranges: Any) -> None:
    for name, value in ({"ZOOM": (1.0, 1.0), "DEGREES": 0.0, "SHIFT": 0.0} | ranges).items():
        monkeypatch.setattr(augment, name, value)


def test_a_zoomed_picture_grows_around_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, ZOOM=(1.5, 1.5))
    found = augment.moved(blob(21, 40), torch.Generator().manual_seed(0))
    assert centre(found) == pytest.approx((31.5 + 1.5 * (21 - 31.5), 31.5 + 1.5 * (40 - 31.5)), abs=0.3)
    assert float(found.sum()) == pytest.approx(49 * 1.5**2, rel=0.05)


def test_a_turned_or_shifted_picture_keeps_its_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    middle = torch.tensor([31.5, 31.5])
    before = torch.tensor([21.0, 40.0]) - middle
    chance = torch.Generator().manual_seed(0)
    only(monkeypatch, DEGREES=30.0)
    after = torch.tensor([centre(augment.moved(blob(21, 40), chance)) for _ in range(6)]) - middle
    assert torch.allclose(after.norm(dim=1), before.norm(), atol=0.4)
    assert float(after.std(0).max()) > 1
    only(monkeypatch, SHIFT=0.1)
    moved = torch.tensor([centre(augment.moved(blob(21, 40), chance)) for _ in range(40)]) - middle - before
    assert 4 < float(moved.abs().max()) <= 6.6


def test_augmented_pictures_stay_grey_and_follow_their_chances() -> None:
    images = torch.rand(6, 1, 64, 64)
    first, again, other = (augment.augmented(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [lightning_run.cosine(step, 1000, None) for step in (0, 99, 500, 1000, 1200)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[1] == pytest.approx(1, abs=0.05)
    assert rates[1] > rates[2] > rates[3] == rates[4] == lightning_run.FLOOR


def test_a_network_learns_and_training_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, TINY.name, TINY)
    monkeypatch.setattr(labelled, "WATCHED_EVERY", 4)
    monkeypatch.setattr(lightning_run, "AVERAGED", 0.8)
    data, out = tmp_path / "data", tmp_path / "trained.safetensors"
    for seed in range(12):
        write_series(data, seed, [(number, 1.0) for number in range(NONE)] * 2 + [(1, 0.0)] * 2)
    training.train(data, out, size="tiny", epochs=5)
    first = losses(out)
    assert first[-1] < first[0]
    training.train(data, out, size="tiny", epochs=7, resume=True)
    after = losses(out)
    assert len(after) == 2
    assert after[0] < first[0]
    assert after[-1] < first[-1]
    assert stored_size(out) == TINY
    network = load_networks(out)[NETWORK]
    watched = [one for one in read_slices(data) if one.watches]
    with torch.inference_mode():
        logits, _ = network(torch.stack([torch.from_numpy(one.picture(TINY))[None] for one in watched]))
    right = (logits.argmax(1).numpy() == np.array([one.true for one in watched])).mean()
    assert right > 0.5
    monkeypatch.setattr(labelled, "WATCHED_EVERY", 1)
    with pytest.raises(ValueError, match="expected some of each"):
        training.train(data, out, size="tiny", epochs=1)


def losses(out: Path) -> list[float]:
    """What was watched, epoch by epoch, of the last run."""
    header, *rows = (out.with_suffix("") / "metrics.csv").read_text().splitlines()
    at = header.split(",").index(lightning_run.WATCHED)
    return [float(row.split(",")[at]) for row in rows if row.split(",")[at]]


def test_an_unknown_size_and_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown size 'huge'"):
        training.train(tmp_path, tmp_path / "x.safetensors", size="huge")
    with pytest.raises(ValueError, match="tiny has none of it"):
        training.begin(task.Task(TINY), tmp_path / "lite0.pth")
