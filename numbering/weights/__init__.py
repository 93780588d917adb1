"""Registry of model weights: which files belong to a model, where they come from, what they may be used for.

``registry.json`` holds one entry a model. Every file is checked against its sha256 before it is loaded, and nothing is
ever unpickled: weights are safetensors (torch) or an OpenVINO IR made from it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from numbering.errors import ReasonCode, TryAgainLater

FOLDER = Path(__file__).parent
REGISTRY = FOLDER / "registry.json"
LICENCE = "AGPL-3.0-or-later"
"""Of the weights that this project trains."""


class WeightsFile(BaseModel):
    """One file of a model, with what a user must know before using it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    licence: str
    trained_on: str

    @classmethod
    def of(cls, path: Path, trained_on: str) -> WeightsFile:
        """A file of ours in the registry's folder."""
        return cls(file=path.name, sha256=sha256_of(path), licence=LICENCE, trained_on=trained_on)

    @classmethod
    def elsewhere(cls, path: Path, trained_on: str = "") -> WeightsFile:
        """A file of ours that is not installed."""
        return cls(file=str(path.resolve()), sha256=sha256_of(path), licence=LICENCE, trained_on=trained_on)


class Entry(BaseModel):
    """One model. ``torch`` is the safetensors file with all its networks; ``openvino`` by the network's name the IR's
    description and its weights (None: not made).

    ``operating_point`` holds the thresholds and the calibration fixed on validation data; ``figures`` holds
    under ``evaluations`` what ``numbering evaluate`` printed for these very files, with its command, data, seed, date.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    architecture: str
    classes: tuple[str, ...]
    torch: WeightsFile
    openvino: dict[str, tuple[WeightsFile, WeightsFile]] | None
    trained_on: str
    training_command: str
    intended_use: str
    limitations: tuple[str, ...]
    operating_point: dict[str, float]
    figures: dict[str, Any]

    @property
    def files(self) -> tuple[WeightsFile, ...]:
        """Every file of the model, the safetensors first."""
        return (self.torch, *(file for pair in (self.openvino or {}).values() for file in pair))

    def intermediate(self, network: str) -> tuple[WeightsFile, WeightsFile]:
        """Description and weights of a network's IR; `TryAgainLater` when there is none."""
        if self.openvino is None or network not in self.openvino:
            raise TryAgainLater(
                ReasonCode.MODEL_UNAVAILABLE,
                f"{self.name}: no OpenVINO IR of {network}, expected one for a CPU; make it with "
                "`numbering models install`",
            )
        return self.openvino[network]

    def path(self, file: WeightsFile) -> Path:
        """Where the file lies, after its sha256 was checked; `TryAgainLater` when it is missing or another."""
        path = FOLDER / file.file
        found = sha256_of(path) if path.is_file() else "no file"
        if found != file.sha256:
            raise TryAgainLater(
                ReasonCode.MODEL_UNAVAILABLE,
                f"weights {path}: found {found}, expected sha256 {file.sha256}; install the package again",
            )
        return path


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@cache
def registry() -> dict[str, Entry]:
    """All entries by name; `TryAgainLater` when the package came without them."""
    if not REGISTRY.is_file():
        raise TryAgainLater(
            ReasonCode.MODEL_UNAVAILABLE,
            f"{REGISTRY}: not found, expected the list of models; install the package again",
        )
    return {name: Entry(name=name, **entry) for name, entry in json.loads(REGISTRY.read_text()).items()}


def shelve(weights: Path, name: str) -> Path:
    """Copy a model's safetensors file to the registry's folder, under the model's name; where it is then."""
    kept = FOLDER / f"{name}.safetensors"
    if weights.resolve() != kept.resolve():
        shutil.copyfile(weights, kept)
    return kept


def save_entry(entry: Entry) -> None:
    """Write or replace one entry of ``registry.json``."""
    entries = json.loads(REGISTRY.read_text()) if REGISTRY.exists() else {}
    entries[entry.name] = entry.model_dump(mode="json", exclude={"name"})
    temporary = REGISTRY.with_suffix(".tmp")
    temporary.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    temporary.replace(REGISTRY)
    registry.cache_clear()
