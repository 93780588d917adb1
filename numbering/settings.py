"""Settings: typed, documented in place, from ``NUMBERING_*`` variables or a TOML file; a wrong value stops the start.

The table in ``docs/settings.md`` is generated from this module.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0)]


def default_data() -> Path:
    """Where a node keeps its files when nothing else is said."""
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "numbering"


class Settings(BaseSettings):
    """All settings of a node. Sources, strongest first: command line, environment, TOML file, defaults."""

    model_config = SettingsConfigDict(env_prefix="NUMBERING_", extra="forbid", frozen=True)

    data: Path = Field(default_factory=default_data, description="Folder for everything the node keeps.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder.")
    broker_url: str = Field("", description="Redis URL; empty: a Redis of the node's own on a Unix socket.")

    ae_title: Annotated[str, Field(min_length=1, max_length=16)] = Field(
        "NUMBERING", description="Our application entity title, called by modalities and calling the archive."
    )
    host: str = Field("127.0.0.1", description="Address the DICOM port listens on; 0.0.0.0 for all interfaces.")
    port: Port = Field(11112, description="DICOM port; 0 takes any free one.")
    archive: str = Field(
        "", description="Where results go, as AET@HOST:PORT; empty: results stay in the data folder's `objects`."
    )

    quiet_seconds: Seconds = Field(10.0, description="A series is complete when nothing arrived for this long.")
    hold_seconds: Seconds = Field(
        86400.0, description="A held series (view unknown) becomes unsuitable after this long without news."
    )
    lease_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0, description="A worker that has not finished a job for this long has lost it to the sweeper."
    )
    sweep_seconds: Annotated[float, Field(gt=0)] = Field(1.0, description="How often the sweeper looks for work.")
    max_attempts: Annotated[int, Field(ge=1)] = Field(3, description="Attempts at a job before it is given up.")
    delivery_attempts: Annotated[int, Field(ge=1)] = Field(
        20, description="Attempts at sending an object before it needs a person."
    )
    delivery_retry_seconds: Seconds = Field(
        5.0, description="Wait after the first failed delivery; doubled each time, at most an hour."
    )

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where networks run: OpenVINO on a CPU, torch on a GPU; auto takes a GPU if there is one."
    )
    inference_threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads a network may use; 0: all.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What goes to the log.")

    @property
    def sqlalchemy_url(self) -> str:
        """The database that is meant."""
        return self.database_url or f"sqlite:///{self.data / 'numbering.db'}"

    @property
    def spool(self) -> Path:
        """Received objects."""
        return self.data / "spool"

    @property
    def objects(self) -> Path:
        """Objects that we wrote."""
        return self.data / "objects"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line (init), environment, then the TOML file named by ``NUMBERING_SETTINGS``."""
        toml = os.environ.get("NUMBERING_SETTINGS")
        file = (TomlConfigSettingsSource(settings_cls, Path(toml)),) if toml else ()
        return (init_settings, env_settings, *file)


@cache
def settings() -> Settings:
    """The settings of this process, read once from environment and file."""
    return Settings()


def origins(current: Settings) -> dict[str, str]:
    """Where each value came from: ``command line or default`` of this process, a variable, a file or the default."""
    toml = os.environ.get("NUMBERING_SETTINGS")
    in_file = TomlConfigSettingsSource(Settings, Path(toml))() if toml else {}
    found = {}
    for name in Settings.model_fields:
        if f"NUMBERING_{name.upper()}" in {key.upper() for key in os.environ}:
            found[name] = "environment"
        elif name in in_file:
            found[name] = str(toml)
        else:
            found[name] = "default" if name not in current.model_fields_set else "command line"
    return found
