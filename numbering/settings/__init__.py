"""Settings: typed, documented in place, from ``NUMBERING_*`` variables or a TOML file; a wrong value stops the start.

The table in ``docs/settings.md`` is generated from this module.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from numbering.settings.checking import Checking
from numbering.settings.delivering import Delivering
from numbering.settings.priors import Priors
from numbering.settings.receiving import Completion, Receiving
from numbering.settings.recording import Recording
from numbering.settings.telling import Telling
from numbering.settings.web import Web
from numbering.settings.working import Working


def default_data() -> Path:
    """Where a node keeps its files when nothing else is said."""
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "numbering"


class Settings(Telling, Working, Recording, Checking, Priors, Web, Delivering, Completion, Receiving, BaseSettings):
    """All settings of a node. Sources, strongest first: command line, environment, TOML file, defaults.

    Each group has a module of its own beside this one. A secret is never a value here, only the path of its file.
    """

    # An address may have been given with a password in it: errors do not repeat what was given.
    model_config = SettingsConfigDict(env_prefix="NUMBERING_", extra="forbid", frozen=True, hide_input_in_errors=True)

    data: Path = Field(default_factory=default_data, description="Folder for everything the node keeps.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder.")
    broker_url: str = Field("", description="Redis URL; empty: a Redis of the node's own on a Unix socket.")

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

    @property
    def metrics(self) -> Path:
        """Files in which processes count together."""
        return self.data / "metrics"

    @property
    def commitments(self) -> Path:
        """Answers to storage commitment that were not yet taken note of."""
        return self.data / "commitments"

    @property
    def checks(self) -> Path:
        """Key images of level checks."""
        return self.data / "checks"

    @property
    def audit(self) -> Path:
        """The audit trail."""
        return self.data / "audit"

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
