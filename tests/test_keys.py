"""API keys: shown once, kept as digests, with a scope each; and what happens to those who have none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from numbering import durable
from numbering.audit.journal import Journal
from numbering.cli import app
from numbering.web.keys import Keys, NoSuchName, Scope
from tests.web import RunningWeb, running_web


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    with running_web(tmp_path_factory.mktemp("web")) as web:
        yield web


def test_a_key_is_known_by_its_name_and_scopes(tmp_path: Path) -> None:
    key = Keys(tmp_path).add("ct-1", [Scope.STORE])
    found = Keys(tmp_path).who(key)
    assert found is not None
    assert (found.name, found.may) == ("ct-1", ("store",))


def test_the_file_of_keys_is_for_the_node_alone_and_holds_no_key(tmp_path: Path) -> None:
    key = Keys(tmp_path).add("ct-1", [Scope.STORE])
    file = tmp_path / "keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    secret = key.split("_", 2)[2]
    assert secret not in file.read_text()
    assert len(secret) == 43  # 256 bits


def test_two_keys_of_one_secret_would_have_different_digests(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("a", [Scope.READ])
    keys.add("b", [Scope.READ])
    assert len({key.salt for key in keys.all()}) == 2


@pytest.mark.parametrize("change", [str.upper, lambda key: key[:-1], lambda key: key + "A", lambda key: ""])
def test_a_key_that_differs_is_nobodys(tmp_path: Path, change) -> None:
    key = Keys(tmp_path).add("ct-1", [Scope.STORE])
    assert Keys(tmp_path).who(change(key)) is None


def test_the_secret_of_another_key_opens_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    one, other = keys.add("one", [Scope.READ]), keys.add("other", [Scope.OPERATE])
    mixed = "_".join([*one.split("_", 2)[:2], other.split("_", 2)[2]])
    assert keys.who(mixed) is None


def test_a_revoked_key_ends_at_once_in_a_process_that_runs(tmp_path: Path) -> None:
    running = Keys(tmp_path)
    key = running.add("ct-1", [Scope.STORE])
    assert running.who(key)
    Keys(tmp_path).revoke("ct-1")
    assert running.who(key) is None
    with pytest.raises(NoSuchName, match="no key called ct-1"):
        Keys(tmp_path).revoke("ct-1")


def test_a_power_cut_brings_no_revoked_key_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(tmp_path)
    keys.add("ct-1", [Scope.STORE])
    left: list[list[str]] = []
    monkeypatch.setattr(durable, "sync_folder", lambda folder: left.append([key.name for key in Keys(folder).all()]))
    keys.revoke("ct-1")
    assert left == [[]]


@pytest.mark.parametrize("name", ["", "a b", "../x", "ä", "a" * 33, "ct\n1"])
def test_a_name_that_could_be_mistaken_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NoSuchName):
        Keys(tmp_path).add(name, [Scope.READ])


def test_a_name_is_given_once(tmp_path: Path) -> None:
    Keys(tmp_path).add("ct-1", [Scope.READ])
    with pytest.raises(NoSuchName, match="revoke it first"):
        Keys(tmp_path).add("ct-1", [Scope.READ])


def test_the_command_makes_lists_and_revokes_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERING_DATA", str(tmp_path))
    monkeypatch.setattr("numbering.cli.logs.configure", lambda level: None)  # the runner's streams end with it
    made = CliRunner().invoke(app, ["keys", "add", "ct-1", "--may", "store,read"])
    assert made.exit_code == 0
    found = Keys(tmp_path).who(made.stdout.strip())
    assert found is not None
    assert found.may == ("read", "store")
    listed = CliRunner().invoke(app, ["keys", "list", "--json", "-"])
    assert [row["name"] for row in json.loads(listed.stdout)] == ["ct-1"]
    assert made.stdout.strip() not in listed.stdout
    assert CliRunner().invoke(app, ["keys", "revoke", "ct-1"]).exit_code == 0
    assert Keys(tmp_path).all() == []
    assert CliRunner().invoke(app, ["keys", "revoke", "ct-1"]).exit_code == 2
    assert CliRunner().invoke(app, ["keys", "add", "x", "--may", "everything"]).exit_code == 2


ROUTES = [
    ("GET", "/metrics", Scope.READ),
    ("GET", "/api/v1/jobs", Scope.READ),
    ("GET", f"/api/v1/jobs/{'0' * 36}", Scope.READ),
    ("GET", "/api/v1/deliveries", Scope.READ),
    ("GET", "/api/v1/notices", Scope.READ),
    ("GET", "/api/v1/destinations", Scope.READ),
    ("GET", "/api/v1/models", Scope.READ),
    ("GET", "/api/v1/openapi.json", Scope.READ),
    ("POST", f"/api/v1/jobs/{'0' * 36}/restart", Scope.OPERATE),
    ("POST", f"/api/v1/deliveries/{'0' * 36}/restart", Scope.OPERATE),
    ("POST", f"/api/v1/notices/{'0' * 36}/restart", Scope.OPERATE),
    ("POST", "/api/v1/corrections", Scope.CORRECT),
    ("GET", "/api/v1/corrections", Scope.CORRECT),
    ("POST", "/api/v1/corrections/1.2.3/withdraw", Scope.CORRECT),
    ("POST", "/api/v1/patients/merge", Scope.OPERATE),
    ("POST", "/api/v1/checks", Scope.CHECK),
    ("GET", "/api/v1/checks?study=1.2.3", Scope.CHECK),
    ("GET", "/api/v1/checks/1.2.3", Scope.CHECK),
    ("GET", "/api/v1/checks/1.2.3/images/1", Scope.CHECK),
    ("POST", "/dicom-web/studies", Scope.STORE),
    ("POST", "/dicom-web/studies/1.2.3", Scope.STORE),
]


def test_every_route_is_in_the_table_of_this_test(web: RunningWeb) -> None:
    app = web.server.config.app
    described = app.openapi()["paths"]  # type: ignore[union-attr]
    told = {(method.upper(), path) for path, methods in described.items() for method in methods}
    free = {("GET", "/health"), ("GET", "/ready")}
    assert len(told - free) == len(ROUTES)


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_route_wants_a_key_of_its_scope(web: RunningWeb, method: str, path: str, scope: Scope) -> None:
    without = web.client().request(method, path)
    assert without.status_code == 401
    assert without.headers["www-authenticate"].startswith("Bearer")
    others = [each for each in Scope if each is not scope]
    assert web.client(*others).request(method, path).status_code == 403
    assert web.client(scope).request(method, path).status_code not in (401, 403)


@pytest.mark.parametrize("header", ["Basic dGVzdDp0ZXN0", "Bearer", "nmb_0_0", "Token x"])
def test_other_credentials_are_none(web: RunningWeb, header: str) -> None:
    answer = web.client().get("/api/v1/jobs", headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_key_in_the_url_is_no_key(web: RunningWeb) -> None:
    key = web.key(Scope.READ, name="in-the-url")
    assert web.client().get("/api/v1/jobs", params={"key": key, "access_token": key}).status_code == 401


def test_wrong_keys_are_throttled_and_audited_and_right_ones_still_work(tmp_path: Path) -> None:
    with running_web(tmp_path) as web:
        wrong = {"Authorization": f"Bearer nmb_{'0' * 12}_{'A' * 43}"}
        client = web.client()
        statuses = [client.get("/api/v1/jobs", headers=wrong).status_code for _ in range(15)]
        assert statuses[:10] == [401] * 10
        assert statuses[-1] == 429
        assert int(client.get("/api/v1/jobs", headers=wrong).headers["retry-after"]) > 0
        assert web.client(Scope.READ).get("/api/v1/jobs").status_code == 200
        messages = [record.message for record in Journal(web.node.settings.audit).records()]
        failed = [message for message in messages if "unknown key" in message and "110114" in message]
        assert len(failed) == 10
        assert not any("A" * 43 in message for message in messages)
