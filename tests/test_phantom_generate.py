"""Folders of simulated patients: the same seed gives the same bytes, runs are taken up again, names are checked."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import numpy as np
import pydicom
import pytest
from PIL import Image

from numbering.phantom.generate import generate
from numbering.phantom.truth import Truth, read
from numbering.pipelines.ap_xray.films import read_phantoms

SCHEMA = Path(__file__).parent.parent / "docs" / "schemas" / "truth-1.json"
SMALL = {"seed": 7, "count": 1, "anomaly": "L6", "film_pixels": 160}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient with six lumbar-type vertebrae, films of both views, small."""
    return generate(tmp_path_factory.mktemp("phantom"), views=("ap", "lateral"), **SMALL)[0]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_holds_films_truth_patient_and_pictures(made: Path) -> None:
    assert sorted(files(made)) == [
        "ap-lumbar.png",
        "ap/lumbar.dcm",
        "lateral-lumbar.png",
        "lateral/lumbar.dcm",
        "patient.json",
        "truth.json",
    ]


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = generate(tmp_path / "again", views=("ap",), **SMALL)[0]
    for name in ("ap/lumbar.dcm", "patient.json"):
        assert files(again)[name] == files(made)[name]


def test_the_truth_is_valid_by_its_published_schema_and_names_the_files(made: Path) -> None:
    truth = json.loads((made / "truth.json").read_text())
    jsonschema.validate(truth, json.loads(SCHEMA.read_text()))
    for image in truth["images"]:
        ds = pydicom.dcmread(made / image["file"])
        assert ds.SOPInstanceUID == image["sop_instance_uid"]
        assert (ds.Rows, ds.Columns) == (image["rows"], image["columns"])
        assert ds.StudyInstanceUID in {study["study_instance_uid"] for study in truth["studies"]}


def test_the_truth_is_refused_when_it_does_not_fit_its_schema(made: Path) -> None:
    text = (made / "truth.json").read_text()
    with pytest.raises(ValueError, match="schema"):
        Truth.model_validate_json(text.replace("numbering/truth/1", "numbering/truth/2"))


def test_a_series_that_is_there_is_kept_and_a_missing_one_is_made_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(made, tmp_path / "patient-0000")
    before = files(folder)
    done: list[tuple[int, int]] = []
    generate(tmp_path, views=("ap", "lateral"), **SMALL, progress=lambda n, of: done.append((n, of)))
    assert (files(folder), done) == (before, [(2, 2)])
    (folder / "lateral" / "lumbar.dcm").unlink()
    done.clear()
    generate(tmp_path, views=("ap", "lateral"), **SMALL, progress=lambda n, of: done.append((n, of)))
    assert (files(folder), done) == (before, [(1, 2), (2, 2)])


def test_a_folder_of_another_patient_is_never_overwritten(made: Path) -> None:
    with pytest.raises(ValueError, match=r"holds seed 7 \['L6'\].*not seed 9"):
        generate(made.parent, **{**SMALL, "seed": 9, "anomaly": "none"})
    with pytest.raises(ValueError, match="choose another folder"):
        generate(made.parent, flaws=("no-view",), **SMALL)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"views": ("oblique",)}, "no view 'oblique': expected one of ap, lateral, ct, axial-mr, sagittal-mr"),
        ({"anomaly": "L7"}, "no anomaly 'L7': expected one of none, .*L6"),
        ({"field_of_view": "skull"}, "no field of view 'skull': expected one of whole-spine, lumbar"),
        ({"shapes": "clay"}, "no shapes 'clay': expected procedural or atlas:DIR/NAME"),
        ({"shapes": "atlas:/nowhere/at-all"}, "there is no folder /nowhere"),
        ({"shapes": "atlas:/tmp/nobody"}, "no atlas is called 'nobody'; known are artisynth"),
        ({"style": "acme"}, "no style 'acme': expected one of fairhaven"),
        ({"flaws": ("no-head",)}, "no flaw 'no-head': expected one of no-body-part"),
        ({"ct_region": "foot"}, "no region of the CT 'foot': expected one of lumbar"),
        ({"film_pixels": 3}, "films of 3 pixels"),
    ],
)
def test_an_unknown_name_is_refused_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        generate(tmp_path / "out", **{**SMALL, **wrong})
    assert not (tmp_path / "out").exists()


def test_the_truth_of_six_lumbar_vertebrae_says_so_and_what_a_reader_would_think(made: Path) -> None:
    truth = read(made)
    assert (truth.variant.thoracic, truth.variant.lumbar) == (12, 6)
    assert [(one.level, one.ordinal) for one in truth.vertebrae if one.lowest_lumbar] == [("L6", 25)]
    assert truth.vertebrae[-1].disc_below == "L6-S1"
    frontal = next(image for image in truth.images if image.view == "AP")
    assert frontal.justified is not None
    assert frontal.justified.basis == "presumed-by-last-rib"
    assert frontal.justified.alternative is not None
    assert frontal.justified.alternative.levels[-1] == "L5"


def test_reserved_patients_are_refused_by_the_loader_that_trains(made: Path, tmp_path: Path) -> None:
    assert [film.name for film in read_phantoms(made.parent)] == ["patient-0000/ap/lumbar.dcm"]
    reserved = shutil.copytree(made, tmp_path / "patient-0000")
    text = (reserved / "truth.json").read_text()
    (reserved / "truth.json").write_text(text.replace('"seed": 7', '"seed": 900007'))
    with pytest.raises(ValueError, match="reserved for test"):
        read_phantoms(tmp_path)


def test_the_pictures_show_the_truth_over_the_film(made: Path) -> None:
    for name in ("ap-lumbar", "lateral-lumbar"):
        drawn = np.asarray(Image.open(made / f"{name}.png")).astype(int)
        assert (np.abs(drawn[..., 0] - drawn[..., 2]) > 60).sum() > 100


@pytest.mark.parametrize("view", ["ap", "lateral"])
def test_dciodvfy_finds_no_error(made: Path, view: str) -> None:
    tool = shutil.which("dciodvfy")
    assert tool, "dciodvfy is missing: install dicom3tools"
    said = subprocess.run([tool, made / view / "lumbar.dcm"], capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr + said.stdout, said.stderr
