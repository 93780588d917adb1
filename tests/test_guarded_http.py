"""POST to a URL of the settings: to the address that was judged, and to no other, and never for long."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from numbering.guarded_http import ForbiddenAddress, NoAnswer, judged, post
from tests.receiver import Receiver, receiver

HERE = ("127.0.0.0/8",)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:0a00:0001::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(ForbiddenAddress, match="not public"):
        judged("hook.example", [address], ())


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(ForbiddenAddress):
        judged("hook.example", ["93.184.215.14", "10.0.0.1"], ())
    assert judged("hook.example", ["93.184.215.14", "2606:2800:21f::1"], ()) == "93.184.215.14"


def test_a_hospitals_own_receiver_is_allowed_by_name_address_or_network() -> None:
    assert judged("ris.hospital.lan", ["10.1.2.3"], ["RIS.hospital.lan."]) == "10.1.2.3"
    assert judged("ris.hospital.lan", ["10.1.2.3"], ["10.1.2.3"]) == "10.1.2.3"
    assert judged("ris.hospital.lan", ["10.1.2.3"], ["10.1.0.0/16"]) == "10.1.2.3"
    with pytest.raises(ForbiddenAddress):
        judged("ris.hospital.lan", ["10.2.2.3"], ["10.1.0.0/16", "other.hospital.lan"])


def test_a_name_does_not_allow_the_addresses_where_clouds_keep_their_secrets() -> None:
    with pytest.raises(ForbiddenAddress):
        judged("ris.hospital.lan", ["169.254.169.254"], ["ris.hospital.lan"])


def test_nothing_is_sent_to_a_forbidden_address() -> None:
    with receiver() as peer:
        with pytest.raises(ForbiddenAddress):
            post(f"http://localhost:{peer.port}/", b"{}", {})
        assert peer.told == []


def test_the_status_is_the_answer_and_redirects_are_not_followed() -> None:
    with receiver() as elsewhere, receiver(status=307, headers={"Location": ""}) as peer:
        peer.headers["Location"] = f"http://127.0.0.1:{elsewhere.port}/"
        assert post(f"http://127.0.0.1:{peer.port}/a?b=c", b"{}", {"x-one": "1"}, private_hosts=HERE) == 307
        assert elsewhere.told == []
    ((path, headers, body),) = peer.told
    assert (path, headers["x-one"], headers["host"], body) == ("/a?b=c", "1", f"127.0.0.1:{peer.port}", b"{}")


def test_a_name_that_changes_its_mind_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look-up would lead elsewhere; there is none."""
    answers = iter([("127.0.0.1",), ("10.9.9.9",)])
    asked = []

    def resolve(host: Any, port: int, *_: object, **__: object) -> list[Any]:
        text = host.decode() if isinstance(host, bytes) else host
        if text != "rebinding.example":
            return real(host, port, type=socket.SOCK_STREAM)
        asked.append(text)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers)[0], port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with receiver() as peer:
        assert post(f"http://rebinding.example:{peer.port}/", b"{}", {}, private_hosts=HERE) == 200
    assert asked == ["rebinding.example"]
    assert peer.told[0][1]["host"] == f"rebinding.example:{peer.port}"


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy, receiver() as peer:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert post(f"http://127.0.0.1:{peer.port}/", b"{}", {}, private_hosts=HERE) == 200
        assert (len(peer.told), proxy.told) == (1, [])


def test_a_peer_that_says_nothing_is_given_up() -> None:
    with receiver(status=0) as peer, pytest.raises(NoAnswer, match=r"within 0\.3 s"):
        post(f"http://127.0.0.1:{peer.port}/", b"{}", {}, private_hosts=HERE, seconds=0.3)


def test_a_name_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up, answered = threading.Event(), threading.Event()

    def resolve(*_: object, **__: object) -> list[Any]:
        given_up.wait(10)
        answered.set()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NoAnswer, match=r"within 0\.1 s"):
        post("http://slow.example/", b"{}", {}, seconds=0.1)
    assert not answered.is_set()
    given_up.set()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "http://a..b/", f"http://{'a' * 64}.example/"]
)
def test_a_peer_that_is_not_there_is_no_answer(url: str) -> None:
    with pytest.raises(NoAnswer):
        post(url, b"{}", {}, private_hosts=HERE)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Receiver, str]]:
    """A receiver with a certificate for localhost, and the file of its authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    with receiver(context) as peer:
        yield peer, str(file)


def test_a_certificate_is_checked_against_the_name_although_the_address_is_called(secure: tuple[Receiver, str]) -> None:
    peer, authority = secure
    assert post(f"https://localhost:{peer.port}/", b"{}", {}, private_hosts=HERE, ca_file=authority) == 200
    with pytest.raises(NoAnswer):
        post(f"https://127.0.0.1:{peer.port}/", b"{}", {}, private_hosts=HERE, ca_file=authority)
    with pytest.raises(NoAnswer):
        post(f"https://localhost:{peer.port}/", b"{}", {}, private_hosts=HERE)
    assert len(peer.told) == 1
