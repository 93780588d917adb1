from pathlib import Path

import pytest
from pydantic import ValidationError

from numbering.jobs.app import celery_app
from numbering.settings import Settings, settings


def test_defaults_make_a_node_of_its_own(tmp_path):
    ours = Settings(data=tmp_path)
    assert ours.sqlalchemy_url == f"sqlite:///{tmp_path}/numbering.db"
    assert ours.spool == tmp_path / "spool"
    assert ours.objects == tmp_path / "objects"


def test_the_node_listens_on_this_machine_alone_unless_told_otherwise():
    assert Settings().host == "127.0.0.1"


def test_urls_replace_the_embedded_database_and_broker():
    ours = Settings(database_url="postgresql+psycopg://db/numbering", broker_url="redis://broker:6379/0")
    assert ours.sqlalchemy_url == "postgresql+psycopg://db/numbering"
    assert celery_app(ours).conf.broker_url == "redis://broker:6379/0"


def test_the_data_folder_follows_the_desktop_standard(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().data == tmp_path / "numbering"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("ae_title", ""),
        ("ae_title", "SEVENTEEN_LETTERS"),
        ("quiet_seconds", "-1"),
        ("lease_seconds", "0"),
        ("max_attempts", "0"),
        ("device", "tpu"),
        ("log_level", "LOUD"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"NUMBERING_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()


def test_an_unknown_setting_in_the_file_is_refused(monkeypatch, tmp_path):
    file = tmp_path / "numbering.toml"
    file.write_text("qiet_seconds = 3\n")
    monkeypatch.setenv("NUMBERING_SETTINGS", str(file))
    with pytest.raises(ValidationError, match="qiet_seconds"):
        Settings()


def test_command_line_beats_environment_beats_file(monkeypatch, tmp_path):
    file = tmp_path / "numbering.toml"
    file.write_text('port = 1\nae_title = "FILE"\nquiet_seconds = 7\n')
    monkeypatch.setenv("NUMBERING_SETTINGS", str(file))
    monkeypatch.setenv("NUMBERING_AE_TITLE", "ENVIRONMENT")
    monkeypatch.setenv("NUMBERING_PORT", "2")
    ours = Settings(port=3)
    assert (ours.port, ours.ae_title, ours.quiet_seconds) == (3, "ENVIRONMENT", 7)


def test_settings_cannot_change_once_read():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_the_process_reads_its_settings_once(monkeypatch):
    first = settings()
    monkeypatch.setenv("NUMBERING_DATA", "/elsewhere")
    assert settings() is first
    settings.cache_clear()
    assert settings().data == Path("/elsewhere")
