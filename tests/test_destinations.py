"""Destinations as settings: what is a destination, what is none, and what goes where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from numbering.dicom.outgoing.destination import Destination, TLSFiles, WebDestination
from numbering.jobs.serve import environment_of
from numbering.settings import Settings
from numbering.settings.delivering import DestinationSettings


def destination(**given: Any) -> DestinationSettings:
    return DestinationSettings(**{"name": "archive", "address": "ARCHIVE@pacs.example.org:104", **given})


def test_archive_is_the_short_form_of_a_destination() -> None:
    settings = Settings(archive="ARCHIVE@pacs:104", destinations=[{"name": "web", "address": "https://pacs/dicom-web"}])
    assert [each.name for each in settings.every_destination] == ["archive", "web"]
    assert settings.every_destination[0].peer == Destination("ARCHIVE", "pacs", 104)
    assert settings.every_destination[1].peer == WebDestination("https://pacs/dicom-web")


def test_a_child_process_gets_the_very_same_destinations(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(destinations=[{"name": "web", "address": "https://pacs/dicom-web", "kinds": ["SR"]}])
    monkeypatch.setenv("NUMBERING_DESTINATIONS", environment_of(settings)["NUMBERING_DESTINATIONS"])
    assert Settings().destinations == settings.destinations


def test_destinations_are_tables_in_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "numbering.toml"
    file.write_text(
        '[[destinations]]\nname = "pacs"\naddress = "PACS@pacs:2762"\ntls = true\ncommitment = true\n'
        '[[destinations]]\nname = "research"\naddress = "https://vna/dicom-web"\nkinds = ["SR"]\n'
    )
    monkeypatch.setenv("NUMBERING_SETTINGS", str(file))
    pacs, research = Settings().every_destination
    assert pacs.peer == Destination("PACS", "pacs", 2762, TLSFiles())
    assert (pacs.commitment, research.kinds) == (True, ("SR",))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"address": "pacs:104"}, "expected AET@HOST:PORT"),
        ({"address": "ftp://pacs/x"}, "expected AET@HOST:PORT"),
        ({"address": "https://"}, "expected https://HOST"),
        ({"address": "http://pacs/dicom-web"}, "in the clear"),
        ({"address": "https://pacs/dicom-web?to=elsewhere"}, "without"),
        ({"address": "https://pacs:99999/dicom-web"}, "ort"),
        ({"address": "https://root:geheim@pacs/dicom-web"}, "no user or password"),
        ({"address": "https://pacs", "commitment": True}, "STOW-RS has none"),
        ({"address": "https://pacs", "token_file": "a", "basic_file": "b"}, "not both"),
        ({"address": "http://pacs", "plain_http": True, "token_file": "a"}, "never go over plain http"),
        ({"token_file": "a"}, "https addresses"),
        ({"authorities_file": "a"}, "`tls` is not set"),
        ({"tls": True, "key_file": "a"}, "its certificate"),
        ({"kinds": ["DX"]}, "SR"),
        ({"statuses": ["held"]}, "abstained"),
        ({"pipelines": ["axial-mri"]}, "there is ap-xray"),
        ({"name": "Archive!"}, "pattern"),
        ({"colour": "blue"}, "not permitted"),
    ],
)
def test_a_wrong_destination_stops_the_start_and_says_what_is_wrong(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as raised:
        destination(**given)
    assert "geheim" not in str(raised.value)


def test_two_destinations_of_one_name_are_refused() -> None:
    same = {"name": "pacs", "address": "A@b:1"}
    with pytest.raises(ValidationError, match="two destinations are called 'pacs'"):
        Settings(destinations=[same, same])
    with pytest.raises(ValidationError, match="two destinations are called 'archive'"):
        Settings(archive="A@b:1", destinations=[{**same, "name": "archive"}])


@pytest.mark.parametrize(
    ("rules", "taken"),
    [
        ({}, {("SR", "numbered"), ("PR", "numbered"), ("SR", "abstained"), ("PR", "abstained")}),
        ({"kinds": ["SR"]}, {("SR", "numbered"), ("SR", "abstained")}),
        ({"statuses": ["numbered"]}, {("SR", "numbered"), ("PR", "numbered")}),
        ({"kinds": ["PR"], "statuses": ["abstained"], "pipelines": ["ap-xray"]}, {("PR", "abstained")}),
    ],
)
def test_rules_say_what_goes_where(rules: dict[str, Any], taken: set[tuple[str, str]]) -> None:
    every = [(kind, status) for kind in ("SR", "PR") for status in ("numbered", "abstained")]
    ruled = destination(**rules)
    assert {each for each in every if ruled.wants(*each, "ap-xray")} == taken
    assert not destination(pipelines=["ap-xray"]).wants("SR", "numbered", "ct")


def test_the_address_of_a_web_destination_loses_only_its_last_slash() -> None:
    assert str(WebDestination.parse("https://pacs.example.org:8443/a/dicom-web/")) == (
        "https://pacs.example.org:8443/a/dicom-web"
    )


def test_heat_maps_go_only_to_whom_asks_for_them_and_are_else_not_written() -> None:
    plain = DestinationSettings(name="pacs", address="PACS@host:104")
    asked = DestinationSettings(name="viewer", address="VIEWER@host:104", kinds=("SR", "OT"))
    assert [one.wants("OT", "numbered", "axial-mr") for one in (plain, asked)] == [False, True]
    assert [one.wants("SEG", "numbered", "ct") for one in (plain, asked)] == [True, False]
    assert not Settings(destinations=(plain,)).heat_maps
    assert Settings(destinations=(plain, asked)).heat_maps
