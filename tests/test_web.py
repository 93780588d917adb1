"""Jobs and dead letters by REST, and a server that outlives rude clients: rates, connections, slow heads, TLS."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from numbering.jobs.models import Delivery, Job, Notice, ObjectRow, now
from numbering.jobs.redis import redis_url
from numbering.jobs.store import reading, writing
from numbering.neighbourhood import neighbourhood
from numbering.pipelines import CARDS
from numbering.result import Measurement
from numbering.web import health
from numbering.web.keys import Scope
from numbering.web.rates import Buckets
from tests.films import make_film
from tests.results import numbered, result_of
from tests.web import RunningWeb, free_port, running_web


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    with running_web(tmp_path_factory.mktemp("web"), archive="ARCHIVE@127.0.0.1:1") as web:
        yield web


@pytest.fixture(scope="module")
def reader(web: RunningWeb) -> httpx.Client:
    return web.client(Scope.READ)


@pytest.fixture(scope="module")
def operator(web: RunningWeb) -> httpx.Client:
    return web.client(Scope.OPERATE)


def job_row(series: str, state: str, **columns: object) -> Job:
    return Job(
        study_uid="1.2", series_uid=series, part="ap", modality="DX", state=state, input_digest="0" * 64, **columns
    )


@pytest.fixture(scope="module")
def jobs(web: RunningWeb, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Jobs of several states, a minute apart; the failed one was never inferred, the delivered one was."""
    film = make_film(tmp_path_factory.mktemp("film") / "film.dcm")
    slope = Measurement(name="sacral-slope", levels=("S1",), value=38.5, unit="deg", uncertainty=2.5)
    result = result_of([film], numbered("1.2.3.4", measurements=(slope,))).model_dump_json()
    reason = {"reason_code": "internal-error", "reason_text": "a sentence"}
    rows = [
        job_row("1.2.1", "failed", status="failed", attempts=3, **reason),
        job_row("1.2.2", "encoded", status="numbered", result=result),
        *(job_row(f"1.2.{number}", "queued", queue="ap-xray") for number in range(3, 8)),
    ]
    for age, row in enumerate(rows):
        row.created_at = now() - timedelta(minutes=age)
    with writing(web.node.engine) as session:
        session.add_all(rows)
        session.flush()
        failed, encoded = rows[0].id, rows[1].id
        session.add(
            ObjectRow(sop_uid="1.2.9", job_id=encoded, position=0, sop_class="1.2.8", kind="SR", digest="", path="x")
        )
        session.flush()
        delivery = Delivery(object_uid="1.2.9", job_id=encoded, destination="archive", state="failed", attempts=20)
        notice = Notice(webhook="ris", event="failed", job_id=failed, body="{}", state="failed", attempts=20)
        session.add_all([delivery, notice])
        session.flush()
        return {"failed": failed, "encoded": encoded, "delivery": delivery.id, "notice": notice.id}


def test_jobs_come_in_pages_newest_first(reader: httpx.Client, jobs: dict[str, str]) -> None:
    seen: list[str] = []
    before = ""
    while True:
        page = reader.get("/api/v1/jobs", params={"limit": 3, "before": before}).json()
        seen += [job["series_instance_uid"] for job in page["jobs"]]
        if page["next"] is None:
            break
        before = page["next"]
    assert seen == [f"1.2.{number}" for number in range(1, 8)]


def test_jobs_of_one_state_are_asked_for_by_name(reader: httpx.Client, jobs: dict[str, str]) -> None:
    page = reader.get("/api/v1/jobs", params={"state": "encoded"}).json()
    assert [job["job"] for job in page["jobs"]] == [jobs["encoded"]]
    assert reader.get("/api/v1/jobs", params={"state": "lost"}).status_code == 422


NUL = base64.urlsafe_b64encode(b"2026-01-01T00:00:00+00:00 \0").decode()
EARLY = base64.urlsafe_b64encode(b"0001-01-01T00:00:00+23:59 x").decode()


@pytest.mark.parametrize("before", ["x", "AAAA", "4pyT", "MjAyNg==", "'; drop table jobs", NUL, EARLY])
def test_a_cursor_that_is_none_is_refused(reader: httpx.Client, before: str) -> None:
    assert reader.get("/api/v1/jobs", params={"before": before}).status_code == 400


def test_one_job_is_told_with_what_was_found_written_and_sent(reader: httpx.Client, jobs: dict[str, str]) -> None:
    told = reader.get(f"/api/v1/jobs/{jobs['encoded']}").json()
    assert told["vertebrae"] == [{"level": "L5", "probability": 0.97}]
    measured = {"name": "sacral-slope", "levels": ["S1"], "value": 38.5, "unit": "deg", "uncertainty": 2.5}
    assert told["measurements"] == [measured | {"reason": None}]
    assert [each["sop_instance_uid"] for each in told["objects"]] == ["1.2.9"]
    assert [(each["destination"], each["state"]) for each in told["deliveries"]] == [("archive", "failed")]
    failed = reader.get(f"/api/v1/jobs/{jobs['failed']}").json()
    assert failed["reason"] == {"code": "internal-error", "text": "a sentence"}


@pytest.mark.parametrize("job", ["0" * 36, "../../etc/passwd", "x"])
def test_a_job_that_is_not_there_is_not_found(reader: httpx.Client, job: str) -> None:
    assert reader.get(f"/api/v1/jobs/{job}").status_code in (404, 422)


def test_a_failed_job_gets_another_round_and_another_does_not(web, reader, operator, jobs) -> None:
    assert operator.post(f"/api/v1/jobs/{jobs['failed']}/restart").json() == {"state": "queued"}
    with reading(web.node.engine) as session:
        job = session.get_one(Job, jobs["failed"])
        assert (job.state, job.attempts) == ("queued", 0)
    again = operator.post(f"/api/v1/jobs/{jobs['failed']}/restart")
    assert (again.status_code, "queued" in again.json()["detail"]) == (409, True)
    assert operator.post(f"/api/v1/jobs/{'0' * 36}/restart").status_code == 404


def test_dead_letters_are_listed_and_restarted(web, reader, operator, jobs) -> None:
    for what, table in (("deliveries", Delivery), ("notices", Notice)):
        one = what.removesuffix("ies").removesuffix("s") + ("y" if what == "deliveries" else "")
        listed = reader.get(f"/api/v1/{what}", params={"state": "failed"}).json()
        assert [row[one] for row in listed[what]] == [jobs[one]]
        assert operator.post(f"/api/v1/{what}/{jobs[one]}/restart").json() == {"state": "queued"}
        with reading(web.node.engine) as session:
            row = session.get_one(table, jobs[one])
            assert (row.state, row.attempts) == ("queued", 0)
        assert operator.post(f"/api/v1/{what}/{'0' * 36}/restart").status_code == 404


def test_destinations_and_models_are_told(reader: httpx.Client, jobs: dict[str, str]) -> None:
    (destination,) = reader.get("/api/v1/destinations").json()["destinations"]
    assert (destination["destination"], destination["configured"]) == ("archive", True)
    assert sum(destination["deliveries"].values()) == 1
    models = reader.get("/api/v1/models").json()["models"]
    assert [model["pipeline"] for model in models] == [card.name for card in CARDS]
    assert {len(model["weights_sha256"]) for model in models} == {64}


def test_the_description_that_is_served_is_the_one_in_the_docs(reader: httpx.Client) -> None:
    published = json.loads((Path(__file__).parent.parent / "docs" / "openapi.json").read_text())
    assert reader.get("/api/v1/openapi.json").json() == published


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/", "/api/v1/../../etc/passwd", "/dicom-web"])
def test_nothing_else_is_served(web: RunningWeb, path: str) -> None:
    answer = web.client().get(path)
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


def test_a_request_that_breaks_tells_its_number_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ArithmeticError("SECRET^NAME")

    with running_web(tmp_path) as web:
        monkeypatch.setattr("numbering.web.installed.registry", broken)
        answer = web.client(Scope.READ).get("/api/v1/models")
    assert (answer.status_code, answer.json()) == (500, {"detail": "a fault of this software"})
    assert len(answer.headers["x-request-id"]) == 16


def test_an_address_that_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with running_web(tmp_path, web_requests_per_second=1) as web:
        client = web.client()
        answers = [client.get("/health") for _ in range(20)]
        assert [answer.status_code for answer in answers[:10]] == [200] * 10
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1


def test_tokens_come_back_with_time_and_addresses_do_not_share_them() -> None:
    clock = [0.0]
    buckets = Buckets(per_second=2, burst=2, clock=lambda: clock[0])
    assert [buckets.take("10.0.0.1") for _ in range(3)] == [0, 0, 0.5]
    assert buckets.take("10.0.0.2") == 0
    clock[0] = 0.5
    assert buckets.take("10.0.0.1") == 0
    assert buckets.take("10.0.0.1") > 0


def test_a_stranger_with_a_network_of_addresses_counts_once_and_fills_no_memory() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff") != neighbourhood("2001:db8:0:1::1")
    buckets = Buckets(per_second=1, burst=1)
    for number in range(10_000):
        buckets.take(f"10.{number // 250}.{number % 250}.1")
    assert len(buckets._left) == 4096


def test_an_address_has_so_many_connections_and_gets_them_back(tmp_path: Path) -> None:
    with running_web(tmp_path, web_connections_per_address=3) as web:
        held = [web.connect() for _ in range(3)]
        held[0].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in held[0].recv(100)
        with web.connect() as refused:
            assert refused.recv(100) == b""
        for connection in held:
            connection.close()
        deadline = time.monotonic() + 10
        while True:
            with web.connect() as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                if b" 200 " in connection.recv(100):
                    break
            assert time.monotonic() < deadline


def test_more_connections_than_allowed_are_answered_503(tmp_path: Path) -> None:
    with running_web(tmp_path, web_connections=3) as web:
        held = [web.connect() for _ in range(3)]
        held[2].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 503 " in held[2].recv(100)
        for connection in held:
            connection.close()


@pytest.mark.parametrize("head", [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nX-Slow: "])
def test_a_head_that_never_ends_is_cut_off(tmp_path: Path, head: bytes) -> None:
    with running_web(tmp_path, web_idle_seconds=0.3) as web, web.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b""


def test_a_request_that_came_with_the_one_before_it_has_its_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(health, "examined", lambda web: time.sleep(1) or {})
    requests = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with running_web(tmp_path, web_idle_seconds=0.3) as web, web.connect() as connection:
        connection.sendall(requests)
        with connection.makefile("rb") as answers:
            assert answers.read().count(b"HTTP/1.1 200") == 2


def test_a_head_that_trickles_is_cut_off_too(tmp_path: Path) -> None:
    with running_web(tmp_path, web_idle_seconds=0.4) as web, web.connect() as connection:
        connection.settimeout(0.1)
        closed = False
        for byte in b"GET /health HTTP/1.1\r\nX-Slow: " + b"a" * 100:
            try:
                connection.sendall(bytes([byte]))
                closed = connection.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
            if closed:
                break
        assert closed


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    ],
    ids=["large header", "long line", "TLS to a plain port", "two lengths", "negative length"],
)
def test_what_is_no_proper_request_is_refused(web: RunningWeb, request_: bytes) -> None:
    with web.connect() as connection:
        connection.sendall(request_)
        assert connection.recv(100).split(b" ")[1:2] in ([b"400"], [b"401"], [b"431"])
    assert web.client().get("/health").status_code == 200


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningWeb, ssl.SSLContext]]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    files = {"web_certificate_file": folder / "certificate.pem", "web_key_file": folder / "key.pem"}
    with running_web(folder / "data", **{name: str(file) for name, file in files.items()}) as web:
        yield web, trusting


def test_with_a_certificate_the_port_speaks_tls_and_nothing_else(secure: tuple[RunningWeb, ssl.SSLContext]) -> None:
    web, trusting = secure
    assert web.client(verify=trusting).get("/health").status_code == 200
    with web.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in connection.recv(100)


def test_old_tls_is_refused(secure: tuple[RunningWeb, ssl.SSLContext]) -> None:
    web, _ = secure
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with web.connect() as connection, pytest.raises(ssl.SSLError):
        old.wrap_socket(connection)


def test_a_half_configured_certificate_stops_the_start(tmp_path: Path) -> None:
    from numbering.dicom.tls import TLSFileError
    from numbering.jobs.node import Node
    from numbering.settings import Settings
    from numbering.web.room import server_of

    node = Node.of(Settings(data=tmp_path, web_certificate_file=str(tmp_path / "missing.pem")))
    with pytest.raises(TLSFileError, match="a certificate needs its key"):
        server_of(node).config.load()


def test_the_web_room_runs_apart_and_stops_when_told(tmp_path: Path) -> None:
    port = free_port()
    ours = {
        "BROKER_URL": redis_url(tmp_path),
        "DATA": str(tmp_path),
        "DISK_MINIMUM_MIB": "0",
        "DISK_MINIMUM_PERCENT": "0",
    }
    environment = {**os.environ, **{f"NUMBERING_{name}": value for name, value in ours.items()}}
    command = [sys.executable, "-m", "numbering", "web", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        ready = _answer_of(f"http://127.0.0.1:{port}/ready", process)
        assert ready.json()["parts"] == {**dict.fromkeys(("database", "spool", "disk"), "ready"), "broker": NO_BROKER}
    finally:
        process.terminate()
        code = process.wait(20)
    assert code == 0


def _answer_of(url: str, process: subprocess.Popen[bytes]) -> httpx.Response:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None
        try:
            return httpx.get(url, trust_env=False)
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


NO_BROKER = "does not answer; rows wait in the database"
