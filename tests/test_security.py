"""Controls that belong to no one part, and the page that names a test for each (docs/security.md)."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.app import celery_app
from numbering.jobs.redis import redis_command
from numbering.settings import Settings
from numbering.web.keys import Scope
from tests.films import make_film
from tests.node import ROOT, running_node, wait_for
from tests.web import RunningWeb, running_web

PACKAGE = ROOT / "numbering"
PAGE = ROOT / "docs" / "security.md"
PASSWORD = "S3CRETPW"
HOSTILE = [
    "1'; DROP TABLE jobs; --",
    "1.2.3' OR '1'='1",
    "../../etc/passwd",
    "%00",
    "<script>alert(1)</script>",
    "\u202e1.2",
]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    with running_web(tmp_path_factory.mktemp("web"), web_requests_per_second=0) as web:
        yield web


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call, by the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


UNSAFE_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "yaml", "lxml", "xmlrpc"}
UNSAFE_CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "__import__", "jsonpickle.decode", "numpy.load"}
OWN_CHECKPOINT = "numbering/pipelines/ap_xray/training.py"
"""Training reads back what it has itself just written; serving never imports it (test_packaging)."""


def test_nothing_is_unpickled_and_nothing_that_was_received_is_run() -> None:
    found = []
    for path, tree in trees():
        found += [f"{path}: import {name}" for name in imported(tree) if name.split(".")[0] in UNSAFE_MODULES]
        for name, call in calls(tree):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if name in UNSAFE_CALLS or options.get("shell") == "True" or options.get("allow_pickle") == "True":
                found.append(f"{path}: {name}")
            if name == "torch.load" and options.get("weights_only") != "True":
                found.append(f"{path}: {name}")
    assert found == [f"{OWN_CHECKPOINT}: torch.load"]


def test_no_xml_is_parsed() -> None:
    """But our own audit trail, which nobody else may write: no entity of a stranger can be expanded."""
    parsing = re.compile(r"(^|\.)(parse|fromstring|fromstringlist|XML|iterparse|XMLParser|parseString)$")
    found = {
        f"{path}: {name}"
        for path, tree in trees()
        for name, _ in calls(tree)
        if parsing.search(name) and name.split(".")[0] in ("ET", "ElementTree", "xml", "minidom", "sax")
    }
    assert found == {"numbering/audit/reading.py: ET.fromstring"}


def test_sql_is_never_put_together_from_text() -> None:
    found = [
        f"{path}: {ast.unparse(call)[:80]}"
        for path, tree in trees()
        for name, call in calls(tree)
        if name.split(".")[-1] in ("text", "exec_driver_sql") and call.args and isinstance(call.args[0], ast.JoinedStr)
    ]
    assert found == []


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_finds_nothing_and_changes_nothing(web: RunningWeb, value: str) -> None:
    reader = web.client(Scope.READ, Scope.OPERATE)
    tables = inspect(web.node.engine).get_table_names()
    answers = [reader.get("/api/v1/jobs", params={name: value}) for name in ("state", "before", "limit", "study")]
    answers += [reader.get(f"/api/v1/jobs/{value}"), reader.post(f"/api/v1/jobs/{value}/restart")]
    assert {answer.status_code for answer in answers} <= {200, 400, 404, 405, 422}
    assert not any(answer.json().get("jobs") for answer in answers if answer.status_code == 200)
    spoken = {answer.headers["content-type"] for answer in answers if answer.content}
    assert spoken == {"application/json"}  # never HTML, whatever is quoted, and browsers may not guess (nosniff)
    assert inspect(web.node.engine).get_table_names() == tables


def test_a_page_of_another_site_can_neither_read_nor_send_with_somebodys_rights(web: RunningWeb) -> None:
    """Rights come from a key in a header that no browser sends by itself; no answer invites another origin."""
    client, other = web.client(Scope.READ), {"Origin": "https://evil.example"}
    preflight = client.options("/api/v1/jobs", headers={**other, "Access-Control-Request-Method": "GET"})
    answers = [preflight, client.get("/api/v1/jobs", headers=other), web.client().get("/health", headers=other)]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "set-cookie" not in answer.headers
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
    cookie = web.client().get("/api/v1/jobs", cookies={"Authorization": client.headers["Authorization"]})
    assert cookie.status_code == 401


def test_a_password_in_a_url_is_in_no_log_and_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERING_DATABASE_URL", f"postgresql://node:{PASSWORD}@127.0.0.1:1/node")
    monkeypatch.setenv("NUMBERING_BROKER_URL", f"redis://:{PASSWORD}@127.0.0.1:1/0")
    monkeypatch.setenv("NUMBERING_DATA", str(tmp_path))
    monkeypatch.setenv("NUMBERING_WEB_PORT", "0")
    for arguments in (["settings"], ["settings", "--json", "-"], ["doctor"]):
        assert PASSWORD not in CliRunner().invoke(app, arguments).output
    for room in ("assemble", "post"):
        log = tmp_path / f"{room}.log"
        with log.open("wb") as told:
            process = subprocess.Popen([sys.executable, "-m", "numbering.jobs.rooms", room], stderr=told, stdout=told)
        try:
            wait_for(lambda log=log: b'"error"' in log.read_bytes(), f"{room} to complain")  # type: ignore[misc]
        finally:
            process.kill()
            process.wait()
        assert PASSWORD.encode() not in log.read_bytes()


def test_what_a_node_writes_is_nobody_elses(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        with running_node(tmp_path) as node:
            node.send(make_film(tmp_path / "film.dcm"))
            node.wait_for_states("encoded")
            found = list(node.settings.data.rglob("*"))
    finally:
        os.umask(before)
    assert {"numbering.db", "spool", "objects", "redis"} <= {path.name for path in found}
    assert [path for path in found if path.exists() and path.stat().st_mode & stat.S_IRWXO] == []


def test_only_messages_of_plain_json_are_taken_from_the_broker(tmp_path: Path) -> None:
    configured = celery_app(Settings(data=tmp_path)).conf
    assert (configured.accept_content, configured.task_serializer) == (["json"], "json")
    assert configured.worker_enable_remote_control is False


def test_the_nodes_own_redis_is_on_no_network(tmp_path: Path) -> None:
    command = redis_command(tmp_path)
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert (options["--port"], options["--unixsocketperm"]) == ("0", "700")


def test_no_request_goes_where_an_answer_or_the_environment_sends_it() -> None:
    """Whom the node calls is in its settings: no redirect is followed and no proxy of the environment is asked."""
    asked, wrong = 0, []
    for path, tree in trees():
        for name, call in calls(tree):
            if name.startswith("httpx.") and name.split(".")[1] in ("Client", "AsyncClient", "get", "post", "request"):
                options = {f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in call.keywords}
                asked += 1
                if "trust_env=False" not in options or "follow_redirects=True" in options:
                    wrong.append(f"{path}: {ast.unparse(call)[:100]}")
    assert asked
    assert wrong == []


NAMED = re.compile(r"`(test_[a-z0-9_]+)::(test_[a-z0-9_]+)`")


def test_every_test_that_the_page_names_exists() -> None:
    named = set(NAMED.findall(PAGE.read_text()))
    assert len(named) > 60
    there = {
        (path.stem, node.name)
        for path in (ROOT / "tests").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert sorted(named - there) == []


def test_every_threat_of_the_page_has_a_control_and_a_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert rows
    for row in rows:
        threat, control, where, tests = (cell.strip() for cell in row.strip("|").split(" | "))
        assert all((threat, control, where)), row
        assert NAMED.search(tests), row
        places = re.findall(r"`([\w./]+)`", where)
        assert places, row
        assert all((ROOT / place).is_file() or (PACKAGE / place).is_file() for place in places), row
