from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from numbering.anatomy import Level, Variant
from numbering.phantom.imaging.ct.nifti import nifti
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.splits import ReservedPatient
from numbering.pipelines.ct import sizes
from numbering.pipelines.ct.learning import training
from numbering.pipelines.ct.learning.augment import flipped
from numbering.pipelines.ct.learning.dataset import SACRUM, Volume, bones, read_folder, read_volume
from numbering.pipelines.ct.learning.fields import scanned
from numbering.pipelines.ct.learning.patches import next_in, patch, visible
from numbering.pipelines.ct.learning.simulate import LAST_RIB, Drawn, draw, person, save, simulate
from numbering.pipelines.ct.learning.wholes import whole
from numbering.pipelines.ct.levels import place
from numbering.pipelines.ct.model.export import load_networks, stored_size
from tests.test_ct_networks import TINY

SPACING_MM = 8.0
LUMBAR = {"T12": 19, "L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24}


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """A simulated patient, coarse."""
    return draw(person(16, ["procedural"]), SPACING_MM)


@pytest.fixture(scope="module")
def folder(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same anatomy twice: one to train, one to watch."""
    out = tmp_path_factory.mktemp("volumes")
    save(out, "000016", drawn)
    save(out, "000017", replace(drawn, truth=drawn.truth | {"seed": 17}))
    return out


def spine(lowest: str = "L5") -> Volume:
    """T12 to L5 as blocks of 3×6×6 voxels one under the other, the sacrum below; off the middle in every direction."""
    labels = np.zeros((30, 26, 34), np.uint8)
    for number, label in enumerate(LUMBAR.values()):
        labels[3 + 4 * number : 6 + 4 * number, 12:18, 9:15] = label
    labels[27:30, 12:18, 9:15] = SACRUM
    truth = {
        "variant": {"thoracic": 12, "lumbar": 5},
        "vertebrae": [{"label": label, "rib_bearing": name == "T12"} for name, label in LUMBAR.items()],
    }
    hu = np.where(labels > 0, 400, -50).astype(np.int16)
    return Volume(hu=hu, labels=labels, bones=bones(truth, np.unique(labels).tolist()))


def middle(volume: Volume, name: str) -> np.ndarray:
    return np.argwhere(volume.labels == LUMBAR[name]).mean(0)


def test_a_simulated_volume_shows_each_vertebra_at_its_place(drawn: Drawn) -> None:
    inverse = np.linalg.inv(drawn.affine)
    slices = []
    for one in drawn.truth["vertebrae"]:
        index = np.rint(inverse @ [*one["centre_mm"], 1.0])[:3].astype(int)
        if (index < 0).any() or (index >= drawn.labels.shape).any():
            continue
        assert drawn.labels[tuple(index)] == one["label"], one["level"]
        slices.append(index[0])
    assert len(slices) > 10
    assert slices == sorted(slices), "slices go from head to foot"
    skin = np.argwhere(drawn.hu > -300)
    spinal = np.argwhere(drawn.labels == LUMBAR["L3"])
    assert spinal[:, 1].mean() > skin[:, 1].mean(), "rows go to the back"


def test_the_ribs_of_the_last_thoracic_vertebra_have_a_label_of_their_own(drawn: Drawn) -> None:
    ribs = np.argwhere(drawn.labels == LAST_RIB) * SPACING_MM
    above = np.argwhere(drawn.labels == LUMBAR["T12"]).mean(0) * SPACING_MM
    below = np.argwhere(drawn.labels == LUMBAR["L2"]).mean(0) * SPACING_MM
    assert len(ribs)
    assert np.linalg.norm(ribs - above, axis=1).min() < 45
    assert np.linalg.norm(ribs - above, axis=1).min() < np.linalg.norm(ribs - below, axis=1).min()
    assert (drawn.labels == LAST_RIB).sum() < ((drawn.labels == 90) | (drawn.labels == 91)).sum()


def test_simulating_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def watched(who: object, spacing_mm: float) -> Drawn:
        asked.append(who.seed)  # type: ignore[attr-defined]
        raise InterruptedError

    monkeypatch.setattr("numbering.pipelines.ct.learning.simulate.draw", watched)
    with pytest.raises(InterruptedError):
        simulate(folder, 3, 16, spacing_mm=SPACING_MM)
    assert asked == [18]


@pytest.mark.parametrize(("seed", "shapes"), [(900_001, "procedural"), (850_000, "procedural"), (5, "morphable")])
def test_reserved_patients_are_neither_simulated_nor_read(seed: int, shapes: str, drawn: Drawn, tmp_path: Path) -> None:
    with pytest.raises(ReservedPatient):
        person(seed, [shapes if shapes == "procedural" else f"atlas:/somewhere/{shapes}"])
    save(tmp_path, "other", replace(drawn, truth=drawn.truth | {"seed": seed, "shapes": shapes}))
    with pytest.raises(ReservedPatient):
        read_folder(tmp_path)


def test_a_volume_is_read_as_it_was_drawn(folder: Path, drawn: Drawn) -> None:
    volume = read_volume(read_folder(folder)[0], SPACING_MM)
    assert np.array_equal(volume.hu, drawn.hu)
    assert np.array_equal(volume.labels, drawn.labels)
    assert volume.first_lumbar == LUMBAR["L1"]


def test_a_volume_of_another_orientation_and_spacing_is_brought_to_the_working_grid(tmp_path: Path) -> None:
    labels = spine().labels
    affine = np.diag([8.0, 8.0, -8.0, 1.0])[:, [2, 1, 0, 3]]
    fine = labels.repeat(2, 0)[::-1, :, ::-1]
    turned = affine @ np.diag([-0.5, 1.0, -1.0, 1.0])
    for kind in ("ct", "seg"):
        (tmp_path / f"one_{kind}.nii.gz").write_bytes(nifti(np.ascontiguousarray(fine), turned))
    assert nibabel.load(tmp_path / "one_seg.nii.gz").header.get_zooms() == (8, 8, 4)  # type: ignore[attr-defined]
    volume = read_volume(read_folder(tmp_path)[0], SPACING_MM)
    assert np.array_equal(volume.labels, labels)
    assert [str(bone.level) for bone in volume.bones] == list(LUMBAR)
    assert volume.bones[0].rib_bearing is None


def test_labels_alone_tell_a_thirteenth_thoracic_and_a_sixth_lumbar_vertebra() -> None:
    names = ("T12", "T13", "L1", "L2", "L3", "L4", "L5", "L6")
    found = bones(None, [*(vertebra_label(Level.parse(name)) for name in names), SACRUM])
    assert [str(bone.level) for bone in found] == list(names)
    assert [bone.place for bone in found] == [place(Level.parse(name), Variant(13, 6)) for name in names]
    assert [bone.lowest for bone in found] == [False] * 7 + [True]


def test_the_next_vertebra_is_the_first_in_the_direction_that_is_not_remembered() -> None:
    volume, size = spine(), replace(TINY, side=16)
    at = middle(volume, "L2")

    def next_label(direction: str, *remembered: str) -> int | None:
        found = next_in(volume, direction, tuple(LUMBAR[name] for name in remembered), at, size)  # type: ignore[arg-type]
        return found and found.bone and found.bone.label

    assert next_label("down") == LUMBAR["T12"], "the highest of which enough lies in the patch"
    assert next_label("down", "T12") == LUMBAR["L1"]
    assert next_label("down", "T12", "L1") == LUMBAR["L2"]
    assert next_label("up") == LUMBAR["L4"]
    assert next_label("up", "L5", "L4", "L3") == LUMBAR["L2"]
    assert next_label("up", *LUMBAR) is None


def test_patches_are_of_the_vertebra_that_their_mask_level_and_signs_say() -> None:
    volume, size = spine(), TINY
    seen, rng = visible(volume, size), np.random.default_rng(3)
    samples = [patch(volume, seen, size, rng, augment=False) for _ in range(80)]
    places = {bone.place: bone for bone in volume.bones}
    empty = [one for one in samples if not one["mask"].any()]
    assert 0.15 <= len(empty) / len(samples) <= 0.4
    assert all(one["level"] == 0 and not one["judged"].any() for one in empty)
    for one in samples:
        if one["mask"].any():
            bone = places[float(one["level"])]
            assert one["signs"].tolist() == [1, bone.rib_bearing, bone.place == 24, 0]
            assert not (one["mask"][0].bool() & (one["image"][1] > 0)).any(), "what is sought is not remembered"
    assert {float(one["level"]) for one in samples} == {0, *places}
    assert {float(one["image"][2].mean()) for one in samples} == {1, -1}


def test_a_vertebra_at_the_border_is_not_complete_and_the_lowest_is_unknown_without_a_sacrum() -> None:
    volume = spine()
    part = replace(volume, hu=volume.hu[:25], labels=volume.labels[:25])
    seen, rng = visible(part, TINY), np.random.default_rng(0)
    samples = [patch(part, seen, TINY, rng, augment=False) for _ in range(60)]
    lowest = [one for one in samples if float(one["level"]) == 24]
    assert lowest
    for one in lowest:
        assert one["signs"][0] == 0
        assert one["judged"].tolist() == [True, True, False, True]


def test_turning_and_bending_keeps_image_and_mask_together() -> None:
    volume = spine()
    seen, rng = visible(volume, TINY), np.random.default_rng(1)
    for _ in range(6):
        one = patch(volume, seen, TINY, rng)
        inside = one["image"][0][one["mask"][0].bool()]
        outside = one["image"][0][(one["mask"][0] + one["image"][1]) == 0]
        if len(inside) > 20:
            assert inside.median() > outside.median() + 0.05


def test_a_volume_turned_head_over_feet_keeps_its_names_and_turns_the_direction() -> None:
    volume = spine()
    image, labels = (torch.from_numpy(one.astype(np.float32))[None] for one in (volume.hu, volume.labels))
    for seed in range(8):
        turned_image, turned, over = flipped(image, labels, (0,), np.random.default_rng(seed))
        heights = [float(np.argwhere(turned[0].numpy() == label)[:, 0].mean()) for label in LUMBAR.values()]
        assert heights == sorted(heights, reverse=over)
        assert (turned_image[turned == LUMBAR["L1"]] == 400).all()
        assert (turned == LUMBAR["L1"]).sum() == (labels == LUMBAR["L1"]).sum()
    assert 0 in sizes.SIZES["paper"].flips["direct"]
    assert not any(0 in axes for axes in sizes.SIZES["small"].flips.values())


def test_a_whole_volume_marks_the_first_lumbar_vertebra_and_the_one_above_it() -> None:
    volume, size = spine(), replace(TINY, direct_every=2)
    one = whole(volume, size, np.random.default_rng(0), augment=False)
    assert one["image"].shape[1:] == one["mask"].shape[1:]
    assert one["mask"].sum((1, 2, 3)).tolist() == [108 / 8, 108 / 8, 0]
    heights = [float(np.argwhere(mask.numpy() > 0)[:, 0].mean()) * 2 for mask in one["mask"][:2]]
    assert heights[1] < heights[0]


def test_scans_of_a_patient_differ_and_some_lack_the_first_lumbar_vertebra(folder: Path) -> None:
    volume = read_volume(read_folder(folder)[0], SPACING_MM)
    rng = np.random.default_rng(0)
    scans = [scanned(volume, SPACING_MM, rng) for _ in range(30)]
    with_l1 = sum(bool((scan.labels == LUMBAR["L1"]).any()) for scan in scans)
    assert 5 <= with_l1 <= 27
    assert len({scan.hu.shape for scan in scans}) > 20
    assert all(scan.hu.shape == scan.labels.shape for scan in scans)


def test_training_writes_both_networks_and_goes_on_where_it_stopped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sizes.SIZES, "small", TINY)  # type: ignore[arg-type]
    weights = training.train(folder, tmp_path / "weights.safetensors", steps=2)
    assert stored_size(weights).name == "small"
    assert set(load_networks(weights)) == {"direct", "instance"}
    last = tmp_path / "weights" / "instance" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 2
    training.train(folder, weights, steps=3, resume=True, network="instance")
    assert torch.load(last, weights_only=True)["global_step"] == 3


def test_unknown_sizes_networks_and_classes_are_refused(folder: Path, tmp_path: Path) -> None:
    for wrong in ({"size": "huge"}, {"network": "eyes"}, {"classes": "L2"}):
        with pytest.raises(ValueError, match="expected"):
            training.train(folder, tmp_path / "w.safetensors", **wrong)  # type: ignore[arg-type]
