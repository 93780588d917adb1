"""A real archive for tests and benchmarks: Debian's Orthanc with DICOMweb, on free ports in a temporary folder.

It keeps to this machine as far as Orthanc 1.10 can: HTTP answers loopback callers only, and the DICOM port, which
listens on every interface, takes associations only from the titles *and* addresses in its list of modalities.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PROGRAM = "Orthanc"
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
RECOMMENDED = Path(__file__).resolve().parent.parent / "deploy" / "orthanc"
ARCHIVE_AE_TITLE = "ARCHIVE"
LOOPBACK = "127.0.0.1"
START_SECONDS = 30.0


class ArchiveError(RuntimeError):
    """Orthanc is not installed or did not start; the message says which and where its log is."""


def free_port() -> int:
    """A TCP port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def configuration(
    folder: Path,
    *,
    dicom_port: int,
    http_port: int,
    modalities: Mapping[str, int],
    routed: bool,
    scripts: Sequence[Path] = (),
) -> dict[str, Any]:
    """The configuration that ``docs/howto-orthanc.md`` recommends, with this archive's own places.

    `modalities` gives the port on this machine of each AE title that may call; with `routed`, the routing rule is on.
    """
    recommended = json.loads((RECOMMENDED / "orthanc.json").read_text())
    return {
        **recommended,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomModalities": {
            title: {"AET": title, "Host": LOOPBACK, "Port": port, "AllowStorageCommitment": True}
            for title, port in modalities.items()
        },
        "DicomWeb": {**recommended["DicomWeb"], "Host": f"{LOOPBACK}:{http_port}"},
        "LuaScripts": [*([str(RECOMMENDED / "route.lua")] if routed else []), *map(str, scripts)],
        # For speed of tests alone.
        "DicomAssociationCloseDelay": 0,
    }


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A running Orthanc: where it is, and what it holds, by DICOM UID."""

    folder: Path
    dicom_port: int
    http_port: int
    process: subprocess.Popen[bytes]
    client: httpx.Client
    """Kept open: a new one for each question would cost more than the question."""

    @property
    def url(self) -> str:
        """Root of the REST interface."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def dicomweb(self) -> str:
        """Root of the DICOMweb services."""
        return f"{self.url}/dicom-web"

    @property
    def destination(self) -> str:
        """The archive as ``AET@HOST:PORT``."""
        return f"{ARCHIVE_AE_TITLE}@{LOOPBACK}:{self.dicom_port}"

    def log(self) -> str:
        """What Orthanc has said so far."""
        return (self.folder / "orthanc.log").read_text(errors="replace")

    def _get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.client.get(f"{self.url}{path}", params=parameters).raise_for_status()

    def _expanded(self, level: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(f"/{level}", expand="true").json()
        return found

    def studies(self) -> list[str]:
        """StudyInstanceUIDs."""
        return [study["MainDicomTags"]["StudyInstanceUID"] for study in self._expanded("studies")]

    def series(self, study_uid: str) -> dict[str, str]:
        """Modality of each SeriesInstanceUID of a study."""
        tags = self._query(f"/studies/{study_uid}/series")
        return {_text(series, "0020000E"): _text(series, "00080060") for series in tags}

    def instances(self, study_uid: str) -> dict[str, str]:
        """SOPClassUID of each SOPInstanceUID of a study; empty when the archive does not know the study."""
        tags = self._query(f"/studies/{study_uid}/instances")
        return {_text(instance, "00080018"): _text(instance, "00080016") for instance in tags}

    def _query(self, path: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"{self.dicomweb}{path}", headers={"Accept": "application/dicom+json"})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json() if answer.content else []
        return found

    def download(self, sop_instance_uid: str, into: Path) -> Path:
        """The object as the archive holds it, written to ``<into>/<uid>.dcm``."""
        found = self.client.post(f"{self.url}/tools/lookup", content=sop_instance_uid).raise_for_status()
        ids = [match["ID"] for match in found.json() if match["Type"] == "Instance"]
        if not ids:
            raise KeyError(f"the archive holds no instance {sop_instance_uid}")
        path = into / f"{sop_instance_uid}.dcm"
        path.write_bytes(self._get(f"/instances/{ids[0]}/file").content)
        return path

    def forward(self, study_uid: str, to: str) -> None:
        """Have the archive C-STORE a study to one of its modalities, as a site's routing rule would."""
        self.client.post(
            f"{self.url}/modalities/{to}/store",
            json={"Resources": [self._study_id(study_uid)], "Synchronous": True, "LocalAet": ARCHIVE_AE_TITLE},
            timeout=120,
        ).raise_for_status()

    def _study_id(self, study_uid: str) -> str:
        for study in self._expanded("studies"):
            if study["MainDicomTags"]["StudyInstanceUID"] == study_uid:
                return str(study["ID"])
        raise KeyError(f"the archive holds no study {study_uid}")

    def wait_for(
        self, study_uid: str, enough: Callable[[Mapping[str, str]], bool], *, seconds: float
    ) -> dict[str, str]:
        """Poll the instances of a study until they are `enough`; `TimeoutError` names what was there instead."""
        deadline = time.monotonic() + seconds
        while not enough(held := self.instances(study_uid)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds} s the archive holds of study {study_uid} only {held}")
            time.sleep(0.02)
        return held


def _text(tags: Mapping[str, Any], tag: str) -> str:
    return str(tags[tag]["Value"][0])


def _missing() -> Sequence[str]:
    absent = [] if shutil.which(PROGRAM) else ["Orthanc (Debian package orthanc)"]
    return absent + ([] if DICOMWEB_PLUGIN.exists() else [f"{DICOMWEB_PLUGIN} (Debian package orthanc-dicomweb)"])


def _wait_until_up(archive: Archive) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and archive.process.poll() is None:
        try:
            archive._get("/dicom-web/studies", limit=1)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise ArchiveError(f"Orthanc did not answer on {archive.url}; its log ends:\n{archive.log()[-2000:]}")


@contextmanager
def running_archive(
    folder: Path,
    modalities: Mapping[str, int] | None = None,
    *,
    routed: bool = False,
    scripts: Sequence[Path] = (),
    ports: tuple[int, int] | None = None,
) -> Iterator[Archive]:
    """Start Orthanc in `folder`, and stop it at the end.

    `modalities` gives the port of each AE title that may call (and be called); by default NUMBERING on no particular
    port. With `routed` it sends radiographs on to NUMBERING; `scripts` are further Lua scripts. `ports` are its DICOM
    and HTTP port, by default any free ones. In a folder that it ran in before it holds what it held. Raises
    `ArchiveError` when Orthanc is missing or does not start.
    """
    if missing := _missing():
        raise ArchiveError(f"this needs {' and '.join(missing)}: apt-get install orthanc orthanc-dicomweb")
    folder.mkdir(parents=True, exist_ok=True)
    dicom_port, http_port = ports or (free_port(), free_port())
    places = modalities or {"NUMBERING": 11112}
    settings = configuration(
        folder, dicom_port=dicom_port, http_port=http_port, modalities=places, routed=routed, scripts=scripts
    )
    (folder / "orthanc.json").write_text(json.dumps(settings, indent=2))
    # Without TCP_NODELAY, Nagle against delayed ACK costs DCMTK (inside Orthanc) 48 ms for every object.
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, str(folder / "orthanc.json")],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TCP_NODELAY": "1"},
            cwd=folder,
        )
    client = httpx.Client(timeout=30, trust_env=False)
    archive = Archive(folder=folder, dicom_port=dicom_port, http_port=http_port, process=process, client=client)
    try:
        _wait_until_up(archive)
        yield archive
    finally:
        client.close()
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
