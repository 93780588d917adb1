"""Serve OHIF and an archive's DICOMweb on one origin, for viewing only.

    python deploy/ohif/serve.py --archive http://127.0.0.1:8042 [--port 3000]

The viewer's files come from the npm package that `fetch` keeps; ``/dicom-web/`` goes on to the archive by GET alone, so
nothing can be stored or deleted through here. It listens on loopback and has no users: put a reverse proxy with
authentication and TLS before it, or use it only on the machine where it runs.
"""

from __future__ import annotations

import argparse
import http.client
import mimetypes
import posixpath
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from deploy.ohif.fetch import OHIF, fetch

CONFIGURATION = Path(__file__).with_name("app-config.js")
SERVICE = "/dicom-web"
HEADERS = {
    # The viewer decodes in web workers that share memory, which browsers allow only to isolated pages.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # The viewer reaches this origin and nothing else, whatever its configuration says.
    "Content-Security-Policy": "default-src 'self' blob: data: 'unsafe-inline' 'unsafe-eval'",
    "X-Content-Type-Options": "nosniff",
}
mimetypes.add_type("application/wasm", ".wasm")
mimetypes.add_type("text/javascript", ".js")


class Viewer(BaseHTTPRequestHandler):
    """One request: a file of the viewer, or a question to the archive."""

    protocol_version = "HTTP/1.1"
    files: Path
    archive: str

    def do_GET(self) -> None:
        """Answer from the archive below ``/dicom-web``, else from the viewer's files."""
        path = posixpath.normpath(unquote(urlsplit(self.path).path))
        if path.startswith(f"{SERVICE}/"):
            self._ask_archive()
        elif path == "/app-config.js":
            self._send_file(CONFIGURATION)
        else:
            found = (self.files / path.lstrip("/")).resolve()
            inside = found.is_relative_to(self.files) and found.is_file()
            # A path that is no file is a page of the single-page viewer.
            self._send_file(found if inside else self.files / "index.html")

    def _send_headers(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_file(self, path: Path) -> None:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._send_headers(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(path.stat().st_size)})
        with path.open("rb") as file:
            shutil.copyfileobj(file, self.wfile)

    def _ask_archive(self) -> None:
        connection = http.client.HTTPConnection(self.archive, timeout=60)
        try:
            connection.request("GET", self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
            answer = connection.getresponse()
            body = answer.read()
        except OSError as error:
            self.send_error(HTTPStatus.BAD_GATEWAY, f"the archive at {self.archive} does not answer: {error}")
            return
        finally:
            connection.close()
        kind = {"Content-Type": answer.headers.get("Content-Type", "application/octet-stream")}
        self._send_headers(answer.status, {**kind, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: a QIDO query names patients."""


def server(archive: str, port: int, files: Path | None = None) -> ThreadingHTTPServer:
    """The viewer's server on loopback, not yet serving.

    `archive` is the root of Orthanc's HTTP server (``http://HOST:PORT``),
    `files` the viewer's folder (default: OHIF's).
    """
    place = urlsplit(archive)
    if place.scheme != "http" or not place.netloc:
        raise ValueError(f"the archive is {archive!r}: expected http://HOST:PORT")
    bound = type(
        "BoundViewer", (Viewer,), {"files": (files or fetch(OHIF) / "dist").resolve(), "archive": place.netloc}
    )
    return ThreadingHTTPServer(("127.0.0.1", port), bound)


@contextmanager
def viewer(archive: str, files: Path | None = None) -> Iterator[str]:
    """Serve beside the caller on a free port; gives the viewer's URL."""
    serving = server(archive, 0, files)
    thread = Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serving.server_address[1]}"
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description="OHIF beside Orthanc, on one origin, for viewing only.")
    options.add_argument("--archive", default="http://127.0.0.1:8042", help="root of Orthanc's HTTP server")
    options.add_argument("--port", type=int, default=3000)
    chosen = options.parse_args()
    serving = server(chosen.archive, chosen.port)
    sys.stdout.write(f"http://127.0.0.1:{serving.server_address[1]}\n")
    sys.stdout.flush()
    try:
        serving.serve_forever()
    except KeyboardInterrupt:
        serving.server_close()


if __name__ == "__main__":
    main()
