"""Presentation states: the picture stays as it was, the names stand where the structures are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from numbering.dicom.objects.encode import encode, write_objects
from numbering.dicom.objects.grey_levels import lut_shape
from numbering.marks import marks_on
from numbering.result import Findings, NumberingBasis, Status, Vertebra
from tests.films import make_ct, make_film, uneven
from tests.results import BOX, abstained, numbered, result_of
from tests.tools import complaints, grey_levels, run


def state_of(film: Path, folder: Path, findings: Callable[[str], Findings] = numbered) -> Path:
    """The presentation state written for this film."""
    uid = str(dcmread(film, stop_before_pixels=True).SOPInstanceUID)
    written = write_objects(encode(result_of([film], findings(uid)), {uid: film}), folder)
    (path,) = [item.path for item in written if item.kind == "PR"]
    return path


def table(entries: list[int], first: int, **more: Any) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, 16])
    item.add_new("LUTData", "US", entries)
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return Sequence([item])


def curve(top: int) -> list[int]:
    return [int(65535 * (value / top) ** 2) for value in range(top + 1)]


NO_VOI: dict[str, Any] = {"WindowCenter": None, "WindowWidth": None}
PICTURES: dict[str, dict[str, Any]] = {
    "a window": {"WindowCenter": "1500", "WindowWidth": "1700"},
    "two windows": {"WindowCenter": ["1500", "900"], "WindowWidth": ["1700", "300"]},
    "a sigmoid window": {"WindowCenter": "1500", "WindowWidth": "1700", "VOILUTFunction": "SIGMOID"},
    "no VOI LUT": NO_VOI,
    "nothing at all": NO_VOI
    | {"modality": "CR", "RescaleIntercept": None, "RescaleSlope": None, "PresentationLUTShape": None},
    "a VOI LUT table": NO_VOI | {"VOILUTSequence": table(curve(4095), 0)},
    "a rescale": {"RescaleIntercept": "-1024", "RescaleSlope": "2", "WindowCenter": "1000", "WindowWidth": "5000"},
    "a modality LUT table": {
        "modality": "CR",
        "ModalityLUTSequence": table(curve(4095), 0, ModalityLUTType="OD"),
        "WindowCenter": "20000",
        "WindowWidth": "30000",
    },
    "MONOCHROME1": {"photometric": "MONOCHROME1", "WindowCenter": "1800", "WindowWidth": "2500"},
    "MONOCHROME1 without a shape": {
        "modality": "CR",
        "photometric": "MONOCHROME1",
        "WindowCenter": "1800",
        "WindowWidth": "2500",
    },
    "MONOCHROME1 with a table": NO_VOI | {"photometric": "MONOCHROME1", "VOILUTSequence": table(curve(4095), 0)},
    "signed pixels": {
        "modality": "CR",
        "pixels": uneven().astype(np.int16) - 1000,
        "WindowCenter": "300",
        "WindowWidth": "2000",
    },
    "a shutter": {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": "9",
        "ShutterRightVerticalEdge": "80",
        "ShutterUpperHorizontalEdge": "12",
        "ShutterLowerHorizontalEdge": "140",
    },
}


@pytest.mark.parametrize("elements", PICTURES.values(), ids=PICTURES)
def test_the_grey_levels_stay_as_they_were(elements: dict[str, Any], tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", **elements)
    before, after = grey_levels(film), grey_levels(film, state_of(film, tmp_path))
    assert before.shape == (157, 93)
    assert np.unique(before).size > 20
    np.testing.assert_array_equal(after, before)


def test_the_images_own_shutter_stays(tmp_path: Path) -> None:
    shutter = PICTURES["a shutter"]
    state = dcmread(state_of(make_film(tmp_path / "film.dcm", **shutter), tmp_path))
    assert {keyword: str(state.get(keyword)) for keyword in shutter} == shutter
    assert state.ShutterPresentationValue == 0


@pytest.mark.parametrize("encoding", [ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=["implicit", "big endian"])
def test_a_table_survives_the_encoding_of_its_source(encoding: str, tmp_path: Path) -> None:
    lut = {"VOILUTSequence": table(curve(4095), 0), **NO_VOI}
    plain = state_of(make_film(tmp_path / "a.dcm", **lut), tmp_path / "a")
    film = make_film(tmp_path / "b.dcm", transfer_syntax=ImplicitVRLittleEndian, **lut)
    if encoding == ExplicitVRBigEndian:
        film = big_endian(film, tmp_path / "c.dcm")
    (expected,), (found,) = (
        dcmread(path).SoftcopyVOILUTSequence[0].VOILUTSequence for path in (plain, state_of(film, tmp_path / "b"))
    )
    assert found.LUTDescriptor == expected.LUTDescriptor == [4096, 0, 16]
    assert found.LUTData == expected.LUTData == np.array(curve(4095), "<u2").tobytes()
    assert complaints(plain) == []


def big_endian(film: Path, path: Path) -> Path:
    """The film's header in big-endian encoding, its table as OW; pixels are of no interest here."""
    header = dcmread(film, stop_before_pixels=True)
    ds = Dataset()
    for element in header:
        ds.add(element)
    ds.VOILUTSequence = table(curve(4095), 0)
    ds.VOILUTSequence[0].add_new("LUTData", "OW", np.array(curve(4095), ">u2").tobytes())
    ds.file_meta = header.file_meta
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.save_as(path, enforce_file_format=True)
    return path


def test_a_table_of_65536_entries_is_written_whole(tmp_path: Path) -> None:
    entries = np.linspace(0, 65535, 65536).astype("<u2")
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [0, 0, 16])
    item.add_new("LUTData", "OW", entries.tobytes())
    film = make_film(tmp_path / "film.dcm", pixels=uneven(top=65535), VOILUTSequence=Sequence([item]), **NO_VOI)
    state = state_of(film, tmp_path)
    assert dcmread(state).SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTData == entries.tobytes()
    np.testing.assert_array_equal(grey_levels(film, state), grey_levels(film))


def test_the_images_own_overlay_stays_visible(tmp_path: Path) -> None:
    film = make_film(tmp_path / "plain.dcm")
    ds = dcmread(film)
    for element, vr, value in (
        (0x0010, "US", 157),
        (0x0011, "US", 93),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", b"\x0f" * (157 * 93 // 16 * 2 + 2)),
    ):
        ds.add_new((0x6000, element), vr, value)
    ds.save_as(tmp_path / "film.dcm")
    state = state_of(tmp_path / "film.dcm", tmp_path / "out")
    activated, layers = dcmread(state)[0x6000, 0x1001].value, dcmread(state).GraphicLayerSequence
    assert activated in [layer.GraphicLayer for layer in layers]
    np.testing.assert_array_equal(grey_levels(tmp_path / "film.dcm", state), grey_levels(tmp_path / "film.dcm"))
    assert complaints(state) == []


@pytest.mark.parametrize("elements", PICTURES.values(), ids=PICTURES)
def test_validators_find_nothing(elements: dict[str, Any], tmp_path: Path) -> None:
    state = state_of(make_film(tmp_path / "film.dcm", **elements), tmp_path)
    assert complaints(state) == []
    checked = run("dcmpschk", state)
    assert "Test passed" in checked.stdout + checked.stderr, checked.stdout + checked.stderr


def test_the_outline_is_half_a_pixel_from_the_image_coordinates(tmp_path: Path) -> None:
    state = dcmread(state_of(make_film(tmp_path / "film.dcm"), tmp_path))
    (outline,) = state.GraphicAnnotationSequence[0].GraphicObjectSequence
    x0, y0, x1, y1 = (value + 0.5 for value in BOX)
    assert (outline.GraphicType, outline.GraphicAnnotationUnits) == ("POLYLINE", "PIXEL")
    assert list(outline.GraphicData) == [x0, y0, x1, y0, x1, y1, x0, y1, x0, y0]
    assert outline.NumberOfGraphicPoints == 5


def test_the_name_stands_beside_its_vertebra_and_the_notice_in_the_corner(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", rows=3000, columns=1200)
    state = dcmread(state_of(film, tmp_path, lambda uid: numbered(uid, box=(500.0, 2000.0, 700.0, 2150.0))))
    names, notice = state.GraphicAnnotationSequence[1:]
    (name,) = names.TextObjectSequence
    assert name.UnformattedTextValue == "L5 presumed 0.97"
    left, top = name.BoundingBoxTopLeftHandCorner
    right, bottom = name.BoundingBoxBottomRightHandCorner
    assert 700.5 < left < right <= 1200
    assert top < 2075.5 < bottom
    assert 40 < bottom - top <= 50  # a sixtieth of the film's height where there is room
    (text,) = notice.TextObjectSequence
    assert text.UnformattedTextValue == "AI result, not verified. Research use only."
    assert text.BoundingBoxAnnotationUnits == "DISPLAY"


def test_a_name_at_the_right_edge_goes_to_the_left(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", rows=600, columns=1200)
    state = dcmread(state_of(film, tmp_path, lambda uid: numbered(uid, box=(1000.0, 200.0, 1150.0, 290.0))))
    (name,) = state.GraphicAnnotationSequence[1].TextObjectSequence
    assert 0 <= name.BoundingBoxTopLeftHandCorner[0] < name.BoundingBoxBottomRightHandCorner[0] < 1000


def test_a_name_shrinks_to_stay_right_of_its_vertebra(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", rows=3000, columns=1200)
    state = dcmread(state_of(film, tmp_path, lambda uid: numbered(uid, box=(450.0, 2680.0, 848.0, 2836.0))))
    (name,) = state.GraphicAnnotationSequence[1].TextObjectSequence
    (left, top), (right, bottom) = name.BoundingBoxTopLeftHandCorner, name.BoundingBoxBottomRightHandCorner
    assert 848.5 < left < right <= 1200.5
    assert 30 <= bottom - top < 50


def test_a_name_stands_above_a_vertebra_as_wide_as_the_film(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", rows=600, columns=400)
    state = dcmread(state_of(film, tmp_path, lambda uid: numbered(uid, box=(30.0, 300.0, 370.0, 420.0))))
    (name,) = state.GraphicAnnotationSequence[1].TextObjectSequence
    assert name.BoundingBoxBottomRightHandCorner[1] < 300
    assert name.BoundingBoxTopLeftHandCorner[0] == 30.5


def test_a_name_never_leaves_a_narrow_film(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", rows=900, columns=60)
    state = dcmread(state_of(film, tmp_path, lambda uid: numbered(uid, box=(5.0, 870.0, 55.0, 899.0))))
    (name,) = state.GraphicAnnotationSequence[1].TextObjectSequence
    for x, y in (name.BoundingBoxTopLeftHandCorner, name.BoundingBoxBottomRightHandCorner, name.AnchorPoint):
        assert 0 <= x <= 60
        assert 0 <= y <= 900


def test_probability_is_never_rounded_up_to_certainty(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    basis = NumberingBasis(counted_from="C2", statement="Counted from C2.")
    uid = str(dcmread(film).SOPInstanceUID)
    sure = Vertebra(level="L4", probability=0.999, sop_instance_uid=uid, box=BOX)
    findings = Findings(status=Status.NUMBERED, vertebrae=(sure,), basis=basis)
    assert [mark.name for mark in marks_on(findings, uid)] == ["L4 0.99"]


def test_candidates_of_an_abstention_are_marked_as_not_numbered(tmp_path: Path) -> None:
    boxes = [(10.0, 20.0, 50.0, 60.0), (10.0, 70.0, 50.0, 100.0)]
    state = state_of(make_film(tmp_path / "film.dcm"), tmp_path, lambda uid: abstained(uid, boxes))
    outlines, names, _ = dcmread(state).GraphicAnnotationSequence
    assert len(outlines.GraphicObjectSequence) == 2
    texts = [item.UnformattedTextValue for item in names.TextObjectSequence]
    assert texts == ["not numbered 0.60", "not numbered 0.50"]
    assert complaints(state) == []


def test_an_abstention_without_candidates_has_no_presentation_state(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    uid = str(dcmread(film).SOPInstanceUID)
    assert [ds.Modality for ds in encode(result_of([film], abstained(uid)), {uid: film})] == ["SR"]


def test_a_film_without_findings_gets_no_presentation_state(tmp_path: Path) -> None:
    films = [make_film(tmp_path / f"{n}.dcm", study_uid="1.2.3", series_uid="1.2.3.4") for n in range(2)]
    uids = [str(dcmread(film).SOPInstanceUID) for film in films]
    _, state = encode(result_of(films, numbered(uids[1])), dict(zip(uids, films, strict=True)))
    (series,) = state.ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedImageSequence] == [uids[1]]


def test_marks_on_a_frame_refer_to_that_frame(tmp_path: Path) -> None:
    frames = np.stack([uneven(), uneven() // 2, uneven() // 3])
    film = make_film(
        tmp_path / "film.dcm",
        modality="OT",
        pixels=frames,
        SOPClassUID=MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    )
    state = state_of(film, tmp_path, lambda uid: numbered(uid, frame=2))
    outlines, names, notice = dcmread(state).GraphicAnnotationSequence
    assert outlines.ReferencedImageSequence[0].ReferencedFrameNumber == 2
    assert names.ReferencedImageSequence[0].ReferencedFrameNumber == 2
    assert "ReferencedFrameNumber" not in notice.ReferencedImageSequence[0]
    assert complaints(state) == []
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(grey_levels(film, state, frame), grey_levels(film, frame=frame))


def test_a_ct_slice_keeps_its_window(tmp_path: Path) -> None:
    slice_ = make_ct(tmp_path / "ct.dcm", WindowCenter="40", WindowWidth="400")
    state = state_of(slice_, tmp_path, lambda uid: numbered(uid, box=(3.0, 4.0, 20.0, 25.0)))
    np.testing.assert_array_equal(grey_levels(slice_, state), grey_levels(slice_))
    assert complaints(state) == []


def test_the_whole_image_is_displayed_with_its_own_pixel_shape(tmp_path: Path) -> None:
    (area,) = dcmread(state_of(make_film(tmp_path / "film.dcm"), tmp_path / "a")).DisplayedAreaSelectionSequence
    assert list(area.DisplayedAreaTopLeftHandCorner) == [1, 1]
    assert list(area.DisplayedAreaBottomRightHandCorner) == [93, 157]
    assert area.PresentationSizeMode == "SCALE TO FIT"
    assert list(area.PresentationPixelSpacing) == [0.5, 0.25]
    bare = make_film(tmp_path / "bare.dcm", modality="CR", ImagerPixelSpacing=None)
    state = state_of(bare, tmp_path / "b")
    assert list(dcmread(state).DisplayedAreaSelectionSequence[0].PresentationPixelAspectRatio) == [1, 1]
    assert complaints(state) == []


def test_an_images_own_shape_goes_before_its_photometric_interpretation() -> None:
    image = Dataset()
    image.PhotometricInterpretation = "MONOCHROME1"
    assert lut_shape(image) == "INVERSE"
    image.PresentationLUTShape = "IDENTITY"
    assert lut_shape(image) == "IDENTITY"
