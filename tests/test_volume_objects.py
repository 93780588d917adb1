"""What is written of a CT or an axial MR series, made from the truth of simulated patients: for every reader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import nibabel
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ParametricMapStorage

from numbering.dicom.objects.encode import Written, encode, object_bytes, write_objects
from numbering.heat import over_image
from numbering.packed import HeatMap
from numbering.result import Findings, NumberingResult, RetiredObject
from numbering.study import View
from tests.results import result_of
from tests.simulated_stacks import (
    SimulatedCt,
    SimulatedMr,
    ct_findings,
    mr_findings,
    not_in_view,
    simulated_ct,
    simulated_mr,
    written,
)
from tests.tools import complaints, dumped, grey_levels, run, tid1500

KINDS = ("ct", "ct enhanced", "mr", "mr enhanced")


@dataclass(frozen=True, eq=False)
class Answer:
    """A series, what was found, and what was written of it."""

    simulated: SimulatedCt | SimulatedMr
    paths: dict[str, Path]
    result: NumberingResult
    objects: list[Written]

    def files(self, kind: str) -> list[Path]:
        return [one.path for one in self.objects if one.kind == kind]

    @property
    def report(self) -> Path:
        return self.files("SR")[0]


def answer(kind: str, folder: Path, findings: Callable[[], Findings] | None = None) -> Answer:
    modality, _, enhanced = kind.partition(" ")
    if modality == "ct":
        simulated: SimulatedCt | SimulatedMr = simulated_ct(enhanced=bool(enhanced))
        found = ct_findings(simulated)  # type: ignore[arg-type]
    else:
        simulated = simulated_mr(enhanced=bool(enhanced))
        found = mr_findings(simulated)  # type: ignore[arg-type]
    paths = written(simulated.files, folder / "series")
    result = result_of(paths, findings() if findings else found, view=View.AXIAL, pipeline=PIPELINES[modality])
    sources = {one.sop_instance_uid: path for one, path in zip(result.sources, paths, strict=True)}
    return Answer(simulated, sources, result, write_objects(encode(result, sources, mapped=True), folder / "objects"))


PIPELINES = {"ct": "ct", "mr": "axial-mr"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    return {kind: answer(kind, tmp_path_factory.mktemp(kind.replace(" ", "-"))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_taken_by_every_validator(kind: str, answers: dict[str, Answer]) -> None:
    given = answers[kind]
    assert {path: complaints(path) for path in (one.path for one in given.objects)} == {
        one.path: [] for one in given.objects
    }
    assert dumped(given.report)
    for path in given.files("KO"):
        assert dumped(path)
    assert tid1500(given.report)["Measurements"]


def test_a_volume_gets_a_report_in_space_a_segmentation_and_its_key_image(answers: dict[str, Answer]) -> None:
    kinds = [one.kind for one in answers["ct"].objects]
    assert kinds == ["SR", *["PR"] * 6, "SEG", "KO"]
    assert dcmread(answers["ct"].report).SOPClassUID == Comprehensive3DSRStorage
    assert {one.kind for one in answers["mr"].objects} == {"SR", "PR", "OT", "KO"}


# Segmentation


@pytest.mark.parametrize("kind", ["ct", "ct enhanced"])
def test_each_vertebra_is_a_segment_of_exactly_its_voxels_on_the_source_frames(
    kind: str, answers: dict[str, Answer]
) -> None:
    given = answers[kind]
    ct = given.simulated
    assert isinstance(ct, SimulatedCt)
    segmentation = hd.seg.segread(given.files("SEG")[0])
    stored = given.result.findings.segmentation
    assert stored is not None
    planes = dict(stored.labels())
    assert list(segmentation.segment_numbers) == list(range(1, len(stored.levels) + 1))
    frames = _frames(segmentation)
    assert len(frames) == sum(len(set(np.unique(values)) - {0}) for values in planes.values())
    levels = {item.SegmentNumber: item.TrackingID for item in segmentation.SegmentSequence}
    for pixels, (number, place, position, orientation) in zip(segmentation.pixel_array, frames, strict=True):
        value = stored.value_of(levels[number])
        np.testing.assert_array_equal(pixels.astype(bool), planes[place] == value)
        index = ct.places.index(place)
        affine = np.array(ct.truth.affine)
        np.testing.assert_allclose(position, affine[:3, 3] + index * affine[:3, 0], atol=1e-3)
        np.testing.assert_allclose(orientation[:3], affine[:3, 2] / np.linalg.norm(affine[:3, 2]), atol=1e-6)


def test_dcmqi_reads_every_segment_back_where_the_vertebra_was_simulated(
    answers: dict[str, Answer], tmp_path: Path
) -> None:
    given = answers["ct"]
    ct = given.simulated
    assert isinstance(ct, SimulatedCt)
    segmentation = given.files("SEG")[0]
    ran = run("segimage2itkimage", "--inputDICOM", segmentation, "--outputDirectory", tmp_path, "-t", "nii", "-p", "s")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    centres = {one.level: np.array(one.centre_mm) for one in ct.truth.vertebrae}
    levels = [item.TrackingID for item in dcmread(segmentation).SegmentSequence]
    assert levels == sorted(levels, key=lambda level: -centres[level][2])
    for number, level in enumerate(levels, start=1):
        image = nibabel.load(tmp_path / f"s-{number}.nii.gz")
        voxels = np.argwhere(np.asarray(image.dataobj) > 0)
        assert len(voxels) == int((_labels(given) == _value(given, level)).sum())
        places = voxels @ image.affine[:3, :3].T + image.affine[:3, 3]
        middle = places.mean(0) * [-1, -1, 1]  # RAS to LPS
        assert np.linalg.norm(middle - centres[level]) < 30, level
        own = np.argwhere(_labels(given) == _value(given, level))
        expected = np.c_[own, np.ones(len(own))] @ np.array(ct.truth.affine).T
        np.testing.assert_allclose(middle, expected[:, :3].mean(0), atol=0.05)


def test_a_segment_is_tracked_as_its_group_in_the_report(answers: dict[str, Answer]) -> None:
    given = answers["ct"]
    in_report = {_text(group, "112039"): _item(group, "112040").UID for group in _groups(given.report)[:6]}
    segments = dcmread(given.files("SEG")[0]).SegmentSequence
    assert {item.TrackingID: item.TrackingUID for item in segments} == in_report
    types = [item.SegmentedPropertyTypeCodeSequence[0].CodeMeaning for item in segments]
    assert types == [f"{item.TrackingID} vertebra" for item in segments]


def test_l1_alone_is_segmented_when_only_that_is_given(answers: dict[str, Answer], tmp_path: Path) -> None:
    given = answers["ct"]
    whole = given.result.findings
    assert whole.segmentation is not None
    only = whole.model_copy(update={"segmentation": whole.segmentation.renamed({"L1": "L1"})})
    objects = encode(given.result.model_copy(update={"findings": only}), given.paths)
    (segmentation,) = [one for one in objects if one.Modality == "SEG"]
    assert [item.TrackingID for item in segmentation.SegmentSequence] == ["L1"]
    assert complaints(write_objects([segmentation], tmp_path)[0].path) == []


# The report


def test_a_vertebra_stands_with_its_outline_its_centre_and_what_was_measured(answers: dict[str, Answer]) -> None:
    given = answers["ct"]
    found = {one.level: one for one in given.result.findings.vertebrae}
    uid = str(dcmread(next(iter(given.paths.values()))).FrameOfReferenceUID)
    for group in _groups(given.report)[:6]:
        vertebra = found[_text(group, "112039")]
        kinds = [item.ValueType for item in group.ContentSequence]
        assert kinds.count("SCOORD") == 1  # OHIF draws the first
        centre = _item(group, "111010")
        assert (centre.GraphicType, centre.ReferencedFrameOfReferenceUID) == ("POINT", uid)
        np.testing.assert_allclose(centre.GraphicData, vertebra.centre_mm, atol=1e-3)
    text = dumped(given.report)
    attenuation, volume, height = given.result.findings.measurements
    assert f'Mean attenuation of trabecular bone of vertebral body")="{attenuation.value:.6g}"' in text
    assert f'Volume of the region that was measured")="{attenuation.volume_mm3:.6g}" (mm3,UCUM' in text
    assert f'Volume of the segmented vertebra")="{volume.value:.6g}" (cm3,UCUM' in text
    assert f'Craniocaudal position of the vertebral body\'s middle")="{height.value:.6g}" (mm,UCUM' in text


def test_a_numbered_slice_is_coded_as_the_level_of_its_disc_with_its_probability(answers: dict[str, Answer]) -> None:
    given = answers["mr"]
    groups = _groups(given.report)
    assert len(groups) == len(given.result.findings.discs) == 9
    sites = [_item(group, "363698007").ConceptCodeSequence[0] for group in groups]
    levels = {"L3-L4": "243922006", "L4-L5": "243923001", "L5-S1": "243927000"}
    assert [site.CodeValue for site in sites] == [levels[one.level] for one in given.result.findings.discs]
    for group, disc in zip(groups, given.result.findings.discs, strict=True):
        assert float(_item(group, "122157").MeasuredValueSequence[0].NumericValue) == disc.probability
        assert _item(group, "121112").ReferencedSOPSequence[0].ReferencedSOPInstanceUID == disc.sop_instance_uid
        assert _item(group, "ALT-LEVEL").ConceptCodeSequence[0].CodeMeaning.endswith("disc")


def test_a_disc_whose_place_is_known_has_a_region_on_its_slice(tmp_path: Path) -> None:
    given = answer("mr", tmp_path, lambda: mr_findings(simulated_mr(), boxes=True))
    groups = hd.sr.srread(given.report).content.get_planar_roi_measurement_groups()
    assert len(groups) == 9
    x0, y0, x1, y1 = given.result.findings.discs[0].box or (0, 0, 0, 0)
    np.testing.assert_allclose(groups[0].roi.value[[0, 2]] - 0.5, [(x0, y0), (x1, y1)], atol=1e-3)
    assert complaints(given.report) == []


def test_what_all_images_have_alike_is_said_once_in_the_image_library(answers: dict[str, Answer]) -> None:
    given = answers["ct"]
    (library,) = [item for item in dcmread(given.report).ContentSequence if item.ValueType == "CONTAINER"][:1]
    group = library.ContentSequence[0].ContentSequence
    images = [item for item in group if item.ValueType == "IMAGE"]
    assert len(images) == len(given.paths)
    assert not any("ContentSequence" in item for item in images)
    assert len(group) - len(images) == 6


@pytest.mark.parametrize("kind", ["ct", "mr"])
def test_an_abstention_is_a_report_that_says_which_region_was_seen(kind: str, tmp_path: Path) -> None:
    given = answer(kind, tmp_path, not_in_view)
    assert [one.kind for one in given.objects] == ["SR"]
    assert complaints(given.report) == []
    text = dumped(given.report)
    assert "(R-NOT-IN-VIEW,99NUMBERING" in text
    assert "the volume shows the cervical spine, from C2 to C7" in text


# Presentation states


@pytest.mark.parametrize("kind", ["mr", "mr enhanced", "ct enhanced"])
def test_a_name_stands_on_each_numbered_slice_and_the_picture_stays_as_it_was(
    kind: str, answers: dict[str, Answer]
) -> None:
    given = answers[kind]
    findings = given.result.findings
    numbered = {(one.sop_instance_uid, one.frame): one for one in (*findings.vertebrae, *findings.discs)}
    drawn = {}
    for path in given.files("PR"):
        state = dcmread(path)
        for annotation in state.GraphicAnnotationSequence:
            image = annotation.ReferencedImageSequence[0]
            place = str(image.ReferencedSOPInstanceUID), image.get("ReferencedFrameNumber")
            words = [item.UnformattedTextValue for item in annotation.get("TextObjectSequence", [])]
            drawn.setdefault(place, []).extend(words)
        source = given.paths[str(image.ReferencedSOPInstanceUID)]
        for frame in {place[1] or 1 for place in numbered if place[0] == image.ReferencedSOPInstanceUID}:
            _assert_same_picture(source, path, frame)
    for place, one in numbered.items():
        assert any(word.startswith(one.level) for word in drawn[place])
    assert all("AI result" in words[-1] or place in numbered for place, words in drawn.items())


# Key images


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_images_are_those_of_the_result(kind: str, answers: dict[str, Answer]) -> None:
    given = answers[kind]
    document = dcmread(given.files("KO")[0])
    assert document.ConceptNameCodeSequence[0].CodeValue == "113000"
    items = [item.ReferencedSOPSequence[0] for item in document.ContentSequence if item.ValueType == "IMAGE"]
    places = [(str(item.ReferencedSOPInstanceUID), item.get("ReferencedFrameNumber")) for item in items]
    assert places == [(one.sop_instance_uid, one.frame) for one in given.result.findings.key_images]
    words = _item(document, "113012").TextValue
    assert all(f"{one.level}: {one.shows}" in words for one in given.result.findings.key_images)
    assert words.endswith("AI result, not verified. Research use only.")


def test_what_a_later_revision_retires_stands_beside_its_own_key_images(
    answers: dict[str, Answer], tmp_path: Path
) -> None:
    given = answers["ct"]
    retired = tuple(
        RetiredObject(sop_instance_uid=one.sop_instance_uid, sop_class_uid=one.sop_class_uid, modality=one.kind)
        for one in given.objects
    )
    later = given.result.model_copy(
        update={"revision": 2, "predecessor_sr_uid": retired[0].sop_instance_uid, "retires": retired}
    )
    objects = [one for one in encode(later, given.paths) if one.Modality == "KO"]
    assert [one.InstanceNumber for one in objects] == [1, 2]
    assert len({(one.SeriesInstanceUID, one.SeriesDescription) for one in objects}) == 1
    gone = {
        (str(series.SeriesInstanceUID), str(item.ReferencedSOPInstanceUID))
        for study in objects[1].CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert gone == {(str(dcmread(one.path).SeriesInstanceUID), one.sop_instance_uid) for one in given.objects}
    assert all(complaints(one.path) == [] for one in write_objects(objects, tmp_path))


# Heat maps


@pytest.mark.parametrize("kind", ["mr", "mr enhanced"])
def test_a_parametric_map_has_each_slices_heat_on_its_own_pixels(kind: str, answers: dict[str, Answer]) -> None:
    given = answers[kind]
    maps = {(one.sop_instance_uid, one.frame): one for one in given.result.findings.heat_maps}
    seen = {}
    for path in given.files("OT"):
        ds = dcmread(path)
        assert ds.SOPClassUID == ParametricMapStorage
        quantity = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].QuantityDefinitionSequence[0]
        assert quantity.ConceptCodeSequence[0].CodeValue == "130403"
        values = np.frombuffer(ds.FloatPixelData, "<f4").reshape(ds.NumberOfFrames, ds.Rows, ds.Columns)
        for pixels, frame in zip(values, ds.PerFrameFunctionalGroupsSequence, strict=True):
            image = frame.DerivationImageSequence[0].SourceImageSequence[0]
            seen[str(image.ReferencedSOPInstanceUID), image.get("ReferencedFrameNumber")] = pixels
    assert seen.keys() == maps.keys()
    truth = given.simulated.truth
    for one in truth.slices:  # type: ignore[union-attr]
        pixels = seen[one.sop_instance_uid, one.frame]
        np.testing.assert_array_equal(pixels, over_image(maps[one.sop_instance_uid, one.frame], 72, 72))
        y, x = np.unravel_index(pixels.argmax(), pixels.shape)
        assert np.hypot(x - one.spine[0], y - one.spine[1]) < 9


def test_a_slice_at_no_disc_has_a_frame_of_zeros_so_that_viewers_keep_the_order_of_slices(tmp_path: Path) -> None:
    mr = simulated_mr()
    found = mr_findings(mr)
    without = found.model_copy(
        update={"discs": found.discs[:-1], "heat_maps": found.heat_maps[:-1], "alternative": None}
    )
    given = answer("mr", tmp_path, lambda: without)
    last = dcmread(given.files("OT")[-1])
    values = np.frombuffer(last.FloatPixelData, "<f4").reshape(last.NumberOfFrames, last.Rows, last.Columns)
    assert [frame.any() for frame in values] == [True, True, False]
    places = [frame.PlanePositionSequence[0].ImagePositionPatient[2] for frame in last.PerFrameFunctionalGroupsSequence]
    assert places == sorted(places, reverse=True)
    assert complaints(given.files("OT")[-1]) == []


def test_maps_are_written_only_where_they_are_asked_for(answers: dict[str, Answer]) -> None:
    given = answers["mr"]
    assert "OT" not in {one.Modality for one in encode(given.result, given.paths)}


def test_a_map_is_nothing_beyond_its_box_and_linear_between_its_cells() -> None:
    heat = HeatMap.of("L4-L5", ("1.2", None), (1.5, -0.5, 5.5, 3.5), np.array([[0.0, 1.0]]))
    pixels = over_image(heat, 4, 8)
    np.testing.assert_allclose(pixels[0], [0, 0, 0, 0.25, 0.75, 1, 0, 0], atol=1e-6)
    assert (pixels == pixels[0]).all()


# Identity


@pytest.mark.parametrize("kind", ["ct", "mr enhanced"])
def test_the_same_stored_result_is_the_same_bytes(kind: str, answers: dict[str, Answer]) -> None:
    given = answers[kind]
    again = NumberingResult.model_validate_json(given.result.model_dump_json())
    objects = encode(again, given.paths, mapped=True)
    digests = [hashlib.sha256(object_bytes(one)).hexdigest() for one in objects]
    assert digests == [hashlib.sha256(one.path.read_bytes()).hexdigest() for one in given.objects]
    assert len({one.SOPInstanceUID for one in objects}) == len(objects)


def _assert_same_picture(source: Path, state: Path, frame: int) -> None:
    """DCMTK knows no functional groups: without a state it shows an enhanced object as if it had no window."""
    shown = grey_levels(source, state, frame).astype(int)
    ds = dcmread(source)
    if "PerFrameFunctionalGroupsSequence" not in ds:
        np.testing.assert_array_equal(shown, grey_levels(source, frame=frame))
        return
    groups = [ds.PerFrameFunctionalGroupsSequence[frame - 1], ds.SharedFunctionalGroupsSequence[0]]
    voi, rescale = (
        next(group[name][0] for group in groups if name in group)
        for name in ("FrameVOILUTSequence", "PixelValueTransformationSequence")
    )
    values = ds.pixel_array[frame - 1] * float(rescale.RescaleSlope) + float(rescale.RescaleIntercept)
    centre, width = float(voi.WindowCenter), float(voi.WindowWidth)
    expected = np.clip(((values - (centre - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)  # PS3.3 C.11.2.1.2.1
    assert np.abs(shown - expected).max() <= 1.01


def _frames(segmentation: Dataset) -> list[tuple[int, tuple[str, int | None], np.ndarray, np.ndarray]]:
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    found = []
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        place = str(image.ReferencedSOPInstanceUID), image.get("ReferencedFrameNumber")
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        found.append((number, place, position, orientation))
    return found


def _labels(given: Answer) -> np.ndarray:
    ct, stored = given.simulated, given.result.findings.segmentation
    assert isinstance(ct, SimulatedCt)
    assert stored is not None
    planes = dict(stored.labels())
    empty = np.zeros(ct.hu.shape[1:], np.uint8)
    return np.stack([planes.get(place, empty) for place in ct.places])


def _value(given: Answer, level: str) -> int:
    assert given.result.findings.segmentation is not None
    return given.result.findings.segmentation.value_of(level)


def _groups(report: Path) -> list[Dataset]:
    return list(_item(dcmread(report), "126010").ContentSequence)


def _item(item: Dataset, name: str) -> Dataset:
    return next(one for one in item.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == name)


def _text(item: Dataset, name: str) -> str:
    return str(_item(item, name).TextValue)
