"""The server that puts OHIF and an archive on one origin: it shows, and changes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread

from deploy.ohif.serve import viewer
from tests.archive import Archive, running_archive
from tests.films import make_film


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with running_archive(tmp_path_factory.mktemp("archive")) as running:
        yield running


@pytest.fixture
def site(archive: Archive, tmp_path: Path) -> Iterator[httpx.Client]:
    files = tmp_path / "dist"
    files.mkdir()
    (files / "index.html").write_text("the viewer")
    (files / "decoder.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("not for the web")
    with viewer(archive.url, files) as url, httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client


def stored_film(archive: Archive, folder: Path) -> str:
    """A film in the archive; gives its StudyInstanceUID."""
    film = make_film(folder / "film.dcm")
    port = str(archive.dicom_port)
    subprocess.run(["storescu", "-aet", "NUMBERING", "-aec", "ARCHIVE", "127.0.0.1", port, str(film)], check=True)
    return str(dcmread(film, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)


def test_a_study_of_the_archive_is_found_on_the_viewers_own_origin(
    site: httpx.Client, archive: Archive, tmp_path: Path
) -> None:
    study_uid = stored_film(archive, tmp_path)
    answer = site.get("/dicom-web/studies", params={"StudyInstanceUID": study_uid})
    assert [study["0020000D"]["Value"] for study in answer.json()] == [[study_uid]]


def test_nothing_can_be_stored_through_the_viewer(site: httpx.Client, archive: Archive) -> None:
    before = archive.studies()
    assert site.post("/dicom-web/studies", content=b"").status_code == httpx.codes.NOT_IMPLEMENTED
    assert site.delete("/dicom-web/studies/1.2.3").status_code == httpx.codes.NOT_IMPLEMENTED
    assert archive.studies() == before


def test_only_dicomweb_is_passed_on(site: httpx.Client) -> None:
    assert site.get("/system").text == "the viewer"
    assert site.get("/dicom-web/../system").text == "the viewer"
    assert site.get("/dicom-web/%2e%2e/system").text == "the viewer"


def test_a_file_beside_the_viewers_folder_is_not_served(site: httpx.Client) -> None:
    assert site.get("/..%2fsecret.txt").text == "the viewer"


def test_the_page_may_reach_only_its_own_origin(site: httpx.Client) -> None:
    page = site.get("/viewer")
    assert page.text == "the viewer"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_decoders_are_served_as_webassembly(site: httpx.Client) -> None:
    assert site.get("/decoder.wasm").headers["Content-Type"] == "application/wasm"


def test_an_archive_that_is_away_is_a_bad_gateway(tmp_path: Path) -> None:
    with viewer("http://127.0.0.1:1", tmp_path) as url:
        assert httpx.get(f"{url}/dicom-web/studies", trust_env=False).status_code == httpx.codes.BAD_GATEWAY


def test_an_archive_without_a_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected http://HOST:PORT"), viewer("127.0.0.1:8042", tmp_path):
        pass
