"""Fetch the OHIF viewer (prebuilt) and playwright-core from npm into a cache folder outside the checkout.

    python deploy/ohif/fetch.py        prints the folders

Both come as the very bytes named here: another tarball under the same version is refused. `NUMBERING_CACHE` moves the
folder (default ``$XDG_CACHE_HOME/numbering`` or ``~/.cache/numbering``).
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """An npm package by exact version and the SHA-512 of its tarball (npm's ``integrity``, in base64)."""

    name: str
    version: str
    sha512: str

    @property
    def folder(self) -> Path:
        """Where its unpacked files lie; the name holds the version, so an upgrade never mixes with the old one."""
        return cache() / f"{self.name.replace('@', '').replace('/', '-')}-{self.version}" / "package"


OHIF = Package(
    "@ohif/app",
    "3.13.2",
    "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==",
)
PLAYWRIGHT = Package(
    "playwright-core",
    "1.65.0",
    "vNSKgH6YqtN7cdT/L334zo0a+YwkrpicyrHJlWWPIm/Q+Nn2SWInil01oT0mbu96U4GgoRtCYQD9CzJQgju+lA==",
)


class FetchError(RuntimeError):
    """A package could not be fetched, or is not the one that was meant."""


def cache() -> Path:
    """The folder that holds fetched packages."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "numbering"
    return Path(os.environ.get("NUMBERING_CACHE", base))


def _packed(package: Package, into: Path) -> Path:
    command = ["npm", "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", str(into)]
    done = subprocess.run(command, capture_output=True, text=True)
    tarballs = list(into.glob("*.tgz"))
    if done.returncode or len(tarballs) != 1:
        raise FetchError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()}")
    return tarballs[0]


def fetch(package: Package) -> Path:
    """The package's folder, fetched on first use. Raises `FetchError`."""
    if package.folder.exists():
        return package.folder
    package.folder.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.folder.parent.parent) as scratch:
        tarball = _packed(package, Path(scratch))
        found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if found != package.sha512:
            raise FetchError(f"{package.name} {package.version}: SHA-512 is {found}, expected {package.sha512}")
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(tarball) as archive:
            archive.extractall(unpacked, filter="data")
        # Renaming is atomic: a folder that exists is complete.
        unpacked.rename(package.folder.parent)
    return package.folder


if __name__ == "__main__":
    for wanted in (OHIF, PLAYWRIGHT):
        sys.stdout.write(f"{fetch(wanted)}\n")
