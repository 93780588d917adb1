"""STOW-RS against a real server: kept byte for byte and durably, or refused with the right word; hostile bodies too."""

from __future__ import annotations

import errno
import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from numbering.audit.journal import Journal
from numbering.dicom.incoming.accept import (
    CANNOT_UNDERSTAND,
    DOES_NOT_MATCH,
    INVALID_IDENTIFIER,
    OTHER_PICTURE,
    OTHER_STUDY,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    TRANSFER_SYNTAX_NOT_SUPPORTED,
)
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.part10 import compose, split
from numbering.web.keys import Scope
from tests.films import SECRETS, make_ct, make_film, uneven
from tests.web import RunningWeb, running_web

TYPE = 'multipart/related; type="application/dicom"; boundary=BOUNDARY'
FAILED, KEPT, OTHER = "00081198", "00081199", "0008119A"
DEFLATED = "1.2.840.10008.1.2.1.99"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    with running_web(tmp_path_factory.mktemp("web"), web_requests_per_second=0) as web:
        yield web


@pytest.fixture(scope="module")
def sender(web: RunningWeb) -> httpx.Client:
    return web.client(Scope.STORE)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.dcm")


def body(*files: bytes, headers: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    parts = b"".join(b"\r\n--BOUNDARY\r\n" + headers + b"\r\n" + file for file in files)
    return parts + b"\r\n--BOUNDARY--\r\n"


def post(client: httpx.Client, content: Any, study: str = "", **headers: str) -> httpx.Response:
    path = f"/dicom-web/studies/{study}" if study else "/dicom-web/studies"
    return client.post(path, content=content, headers={"Content-Type": TYPE, **headers})


def stored(web: RunningWeb, path: Path) -> list[Path]:
    """The files of the spool under this file's UIDs."""
    ds = dcmread(path, stop_before_pixels=True)
    return web.node.spool.files(ds.StudyInstanceUID, ds.SeriesInstanceUID)


def reasons(answer: httpx.Response, sequence: str = FAILED) -> list[int]:
    tag = "00081196" if sequence == KEPT else "00081197"
    items = answer.json().get(sequence, {"Value": []})["Value"]
    return [item[tag]["Value"][0] for item in items if tag in item]


def test_a_film_is_kept_byte_for_byte_and_marked(web: RunningWeb, sender: httpx.Client, film: Path) -> None:
    answer = post(sender, body(film.read_bytes()))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    (kept,) = stored(web, film)
    assert kept.read_bytes() == film.read_bytes()
    uid = str(dcmread(film).SOPInstanceUID)
    assert uid in {arrival.sop_instance_uid for arrival in web.node.spool.arrivals()}
    (item,) = answer.json()[KEPT]["Value"]
    assert item["00081155"]["Value"] == [uid]
    assert item["00081190"] == {"vr": "UR"}  # nothing can be retrieved here, so no URL is promised


def test_several_studies_come_in_one_request(web: RunningWeb, sender: httpx.Client, tmp_path: Path) -> None:
    files = [make_film(tmp_path / f"{number}.dcm") for number in range(3)]
    answer = post(sender, body(*(file.read_bytes() for file in files)))
    assert answer.status_code == 200
    assert len(answer.json()[KEPT]["Value"]) == 3
    assert all(stored(web, file)[0].read_bytes() == file.read_bytes() for file in files)


def test_a_body_that_arrives_byte_by_byte_is_read_all_the_same(web: RunningWeb, sender: httpx.Client, film: Path):
    whole = body(film.read_bytes(), film.read_bytes())
    pieces = [whole[:700][index : index + 1] for index in range(700)] + [whole[700:]]
    assert post(sender, iter(pieces)).status_code == 200
    assert stored(web, film)[0].read_bytes() == film.read_bytes()


def test_a_boundary_within_the_pixels_is_no_boundary(web: RunningWeb, sender: httpx.Client, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    ds = dcmread(film)
    ds.PixelData = (b"\r\n--BOUNDAR\r\n--BOUNDARX\r\r\n-" * 2000)[: len(ds.PixelData)]
    ds.save_as(film)
    assert post(sender, body(film.read_bytes())).status_code == 200
    assert stored(web, film)[0].read_bytes() == film.read_bytes()


def test_sent_twice_it_is_stored_once_and_both_answers_are_success(sender: httpx.Client, film: Path) -> None:
    assert [post(sender, body(film.read_bytes())).status_code for _ in range(2)] == [200, 200]


def test_another_picture_under_a_known_uid_is_a_warning_and_is_quarantined(web, sender, film, tmp_path) -> None:
    ds = dcmread(film)
    other = make_film(
        tmp_path / "other.dcm",
        study_uid=ds.StudyInstanceUID,
        series_uid=ds.SeriesInstanceUID,
        sop_uid=ds.SOPInstanceUID,
        pixels=uneven()[::-1],
    )
    assert post(sender, body(film.read_bytes())).status_code == 200
    answer = post(sender, body(other.read_bytes()))
    assert (answer.status_code, reasons(answer, KEPT)) == (202, [OTHER_PICTURE])
    assert stored(web, film)[0].read_bytes() == film.read_bytes()
    assert [path.read_bytes() for path in web.node.spool.quarantined(ds.SOPInstanceUID)] == [other.read_bytes()]


def test_of_a_mixed_request_the_good_are_kept_and_the_bad_are_named(web, sender, film, tmp_path) -> None:
    wrong = make_film(tmp_path / "wrong.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.1")
    ds = dcmread(wrong)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.save_as(wrong)
    answer = post(sender, body(film.read_bytes(), wrong.read_bytes(), b"no DICOM at all"))
    assert answer.status_code == 202
    assert len(answer.json()[KEPT]["Value"]) == 1
    assert reasons(answer) == [SOP_CLASS_NOT_SUPPORTED]
    assert answer.json()[FAILED]["Value"][0]["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert reasons(answer, OTHER) == [CANNOT_UNDERSTAND]
    assert stored(web, film)
    assert not stored(web, wrong)


def test_a_study_in_the_url_is_the_only_one_taken(web: RunningWeb, sender: httpx.Client, tmp_path: Path) -> None:
    mine, other = make_film(tmp_path / "mine.dcm"), make_film(tmp_path / "other.dcm")
    study = str(dcmread(mine).StudyInstanceUID)
    assert post(sender, body(mine.read_bytes()), study).status_code == 200
    answer = post(sender, body(other.read_bytes()), study)
    assert (answer.status_code, reasons(answer)) == (409, [OTHER_STUDY])
    assert not stored(web, other)


@pytest.mark.parametrize("study", ["..%2F..%2Fetc", "1.2.x", "1..2", "1." + "2" * 70, "1.2%0a3"])
def test_a_study_that_is_no_uid_is_refused(web: RunningWeb, sender: httpx.Client, film: Path, study: str) -> None:
    assert post(sender, body(film.read_bytes()), study).status_code in (400, 404)


def renamed(film: Path, **uids: str) -> bytes:
    """The film with these UIDs as they are, in the data set alone."""
    file = split(film.read_bytes())
    data_set = file.data_set
    ds = dcmread(film)
    for keyword, uid in uids.items():
        old, new = str(ds[keyword].value).encode(), uid.encode()
        assert len(new) <= len(old)
        data_set = data_set.replace(old, new + b"\0" * (len(old) - len(new)))
    return compose(
        sop_class=file.sop_class,
        sop_instance=file.sop_instance,
        transfer_syntax=file.transfer_syntax,
        source_ae_title="",
        data_set=data_set,
    )


@pytest.mark.parametrize("uid", ["../../../../etc/passwd", "1.2.../x", "/etc/passwd", "", "1.2 .3"])
def test_identifiers_that_are_no_uids_are_refused_and_name_nothing(web, sender, film, uid) -> None:
    before = sorted(web.node.settings.data.rglob("*.dcm"))
    answer = post(sender, body(renamed(film, StudyInstanceUID=uid)))
    assert (answer.status_code, reasons(answer)) == (409, [INVALID_IDENTIFIER])
    assert sorted(web.node.settings.data.rglob("*.dcm")) == before


def test_a_data_set_that_is_not_the_one_its_meta_information_names_is_refused(sender, film) -> None:
    answer = post(sender, body(renamed(film, SOPInstanceUID="1.2.3")))
    assert (answer.status_code, reasons(answer)) == (409, [DOES_NOT_MATCH])


def test_an_unknown_transfer_syntax_is_refused(sender: httpx.Client, film: Path) -> None:
    file = split(film.read_bytes())
    whole = compose(
        sop_class=file.sop_class,
        sop_instance=file.sop_instance,
        transfer_syntax="1.2.3.4",
        source_ae_title="",
        data_set=file.data_set,
    )
    answer = post(sender, body(whole))
    assert (answer.status_code, reasons(answer)) == (409, [TRANSFER_SYNTAX_NOT_SUPPORTED])


def test_a_deflated_bomb_is_refused_without_being_blown_up(sender: httpx.Client, film: Path) -> None:
    file = split(film.read_bytes())
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = b"\x08\x00\x05\x00UN\x00\x00\xff\xff\xff\x7f"  # an element of 2 GiB before any identifier
    bomb = deflater.compress(head) + b"".join(deflater.compress(b"\0" * 2**20) for _ in range(400)) + deflater.flush()
    whole = compose(
        sop_class=file.sop_class,
        sop_instance=file.sop_instance,
        transfer_syntax=DEFLATED,
        source_ae_title="",
        data_set=bomb,
    )
    answer = post(sender, body(whole))
    assert answer.status_code == 409
    assert reasons(answer) == [CANNOT_UNDERSTAND]


MALFORMED = {
    "empty": b"",
    "no closing boundary": b"\r\n--BOUNDARY\r\nContent-Type: application/dicom\r\n\r\n" + b"x" * 500,
    "another boundary": b"\r\n--OTHER\r\nContent-Type: application/dicom\r\n\r\nx\r\n--OTHER--\r\n",
    "no blank line": b"\r\n--BOUNDARY\r\nContent-Type: application/dicom",
    "a header without a colon": b"\r\n--BOUNDARY\r\nContent-Type application/dicom\r\n\r\nx\r\n--BOUNDARY--\r\n",
    "huge headers": b"\r\n--BOUNDARY\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\nx\r\n--BOUNDARY--\r\n",
    "many headers": b"\r\n--BOUNDARY\r\n" + b"X-A: b\r\n" * 1000 + b"\r\nx\r\n--BOUNDARY--\r\n",
    "no part": b"\r\n--BOUNDARY--\r\n",
    "noise": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_does_not_parse_is_answered_400(sender: httpx.Client, content: bytes) -> None:
    assert post(sender, content).status_code == 400


def test_what_came_whole_before_a_body_broke_off_is_kept(web: RunningWeb, sender: httpx.Client, film: Path) -> None:
    whole = body(film.read_bytes(), b"x" * 1000)
    assert post(sender, whole[:-500]).status_code == 400
    assert stored(web, film)[0].read_bytes() == film.read_bytes()


def test_a_nested_multipart_is_no_dicom(sender: httpx.Client, film: Path) -> None:
    nested = body(body(film.read_bytes()), headers=b"Content-Type: multipart/related; boundary=BOUNDARY\r\n")
    assert post(sender, nested).status_code == 415


@pytest.mark.parametrize("kind", [b"application/dicom+json", b"text/html", b"application/octet-stream"])
def test_a_part_of_another_type_is_answered_415(sender: httpx.Client, film: Path, kind: bytes) -> None:
    assert post(sender, body(film.read_bytes(), headers=b"Content-Type: " + kind + b"\r\n")).status_code == 415


def test_a_part_without_a_type_is_of_the_type_of_the_whole(sender: httpx.Client, film: Path) -> None:
    assert post(sender, body(film.read_bytes(), headers=b"")).status_code == 200


CONTENT_TYPES = {
    "": 415,
    "application/dicom": 415,
    "multipart/form-data; boundary=BOUNDARY": 415,
    'multipart/related; type="application/dicom+json"; boundary=BOUNDARY': 415,
    "multipart/related; boundary=BOUNDARY": 400,
    'multipart/related; type="application/dicom"': 400,
    'multipart/related; type="application/dicom"; boundary=' + "B" * 71: 400,
    'multipart/related; type="application/dicom"; boundary=""': 400,
}


@pytest.mark.parametrize(("kind", "status"), CONTENT_TYPES.items())
def test_a_content_type_is_taken_at_its_word(sender: httpx.Client, film: Path, kind: str, status: int) -> None:
    answer = post(sender, body(film.read_bytes()), **{"Content-Type": kind})
    assert answer.status_code == status


def test_the_forms_in_which_senders_write_the_type_are_understood(sender: httpx.Client, film: Path) -> None:
    for kind in (
        "multipart/related;type=application/dicom;boundary=BOUNDARY",
        'Multipart/Related; boundary="BOUNDARY"; type="application/dicom"',
        'multipart/related; type="APPLICATION/DICOM"; boundary=BOUNDARY; start="x"',
    ):
        assert post(sender, body(film.read_bytes()), **{"Content-Type": kind}).status_code == 200


def test_only_what_can_be_answered_is_accepted(sender: httpx.Client, film: Path) -> None:
    whole = body(film.read_bytes())
    assert post(sender, whole, Accept="application/dicom+xml").status_code == 406
    assert post(sender, whole, Accept="application/dicom+xml, application/dicom+json;q=0.5").status_code == 200


def test_an_encoded_body_is_not_unpacked(sender: httpx.Client, film: Path) -> None:
    whole = gzip.compress(body(film.read_bytes()))
    assert post(sender, whole, **{"Content-Encoding": "gzip"}).status_code == 415


def test_limits_of_bytes_and_parts_hold_with_and_without_a_stated_length(tmp_path: Path) -> None:
    large = make_film(tmp_path / "large.dcm", rows=700, columns=700).read_bytes()  # 0.93 MiB
    with running_web(tmp_path, maximum_object_mib=1, stow_body_bytes=3 * len(large), stow_parts=3) as web:
        sender = web.client(Scope.STORE)
        assert post(sender, body(large)).status_code == 200
        assert post(sender, body(large + bytes(2**20 - len(large) + 1))).status_code == 413
        assert post(sender, body(*[b"x"] * 4)).status_code == 413
        assert post(sender, body(*[large] * 3)).status_code == 413
        assert post(sender, iter([body(*[large] * 3)])).status_code == 413
        assert list((web.node.settings.spool / ".incoming").iterdir()) == []


def test_a_full_disk_is_answered_503_before_the_body_is_read(tmp_path: Path, film: Path) -> None:
    with running_web(tmp_path, disk_minimum_percent=100) as web:
        answer = post(web.client(Scope.STORE), body(film.read_bytes()))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert not stored(web, film)


def test_a_disk_that_fails_is_a_failure_that_asks_to_come_again(web, sender, film, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(Spool, "keep_draft", full)
    answer = post(sender, body(film.read_bytes()))
    assert (answer.status_code, reasons(answer)) == (503, [OUT_OF_RESOURCES])
    assert int(answer.headers["retry-after"]) > 0


def test_success_is_answered_only_once_the_file_is_durable(web, sender, film, monkeypatch) -> None:
    kept, answered = threading.Event(), threading.Event()
    keep = Spool.keep_draft

    def slow(*arguments: Any) -> Any:
        assert not answered.wait(0.3)
        done = keep(*arguments)
        kept.set()
        return done

    monkeypatch.setattr(Spool, "keep_draft", slow)
    answer = post(sender, body(film.read_bytes()))
    answered.set()
    assert answer.status_code == 200
    assert kept.is_set()


def test_more_uploads_than_allowed_are_asked_to_come_again(tmp_path: Path, film: Path) -> None:
    with running_web(tmp_path, stow_uploads=1) as web:
        sender, other = web.client(Scope.STORE), web.client(Scope.STORE)
        whole, go_on = body(film.read_bytes()), threading.Event()

        def slowly() -> Iterator[bytes]:
            yield whole[:1000]
            go_on.wait(20)
            yield whole[1000:]

        statuses: list[int] = []
        first = threading.Thread(target=lambda: statuses.append(post(sender, slowly()).status_code))
        first.start()
        view = web.server.config.app.state.web  # type: ignore[union-attr]
        deadline = time.monotonic() + 10
        while not view.uploads:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        busy = post(other, whole)
        go_on.set()
        first.join()
        assert (busy.status_code, "retry-after" in busy.headers) == (503, True)
        assert statuses == [200]
        assert post(other, whole).status_code == 200


def test_a_body_that_stops_coming_is_given_up(tmp_path: Path, film: Path) -> None:
    with running_web(tmp_path, web_idle_seconds=0.3) as web:
        key = web.key(Scope.STORE)
        with web.connect() as connection:
            connection.sendall(
                f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: {TYPE}\r\nContent-Length: 100000\r\n\r\n--BOUND".encode()
            )
            assert b" 408 " in connection.recv(200)


def test_a_sender_that_goes_away_leaves_nothing_behind(web: RunningWeb, sender: httpx.Client, film: Path) -> None:
    before = len(list((web.node.settings.spool / ".incoming").iterdir()))
    key = web.key(Scope.STORE, name="goes-away")
    with web.connect() as connection:
        connection.sendall(
            f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: {TYPE}\r\nContent-Length: 100000\r\n\r\n".encode()
            + body(film.read_bytes())[:20000]
        )
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert post(sender, body(film.read_bytes())).status_code == 200
    view = web.server.config.app.state.web  # type: ignore[union-attr]
    deadline = time.monotonic() + 10
    while view.uploads:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(list((web.node.settings.spool / ".incoming").iterdir())) == before


def test_who_sent_what_is_in_the_audit_trail_and_no_patient_in_log_or_trail(tmp_path, capfd) -> None:
    film, slice_ = make_film(tmp_path / "film.dcm"), make_ct(tmp_path / "ct.dcm")
    with running_web(tmp_path / "data") as web:
        key = web.key(Scope.STORE, name="modality-7")
        client = web.client()
        client.headers["Authorization"] = f"Bearer {key}"
        assert post(client, body(film.read_bytes(), slice_.read_bytes())).status_code == 200
        messages = [record.message for record in Journal(web.node.settings.audit).records()]
    for path in (film, slice_):
        uid = str(dcmread(path).StudyInstanceUID)
        assert any(uid in message and "modality-7" in message and "127.0.0.1" in message for message in messages)
    told = "".join(capfd.readouterr()) + "".join(messages)
    assert not any(secret in told for secret in (*SECRETS, key, key.split("_", 2)[2]))


def test_an_object_larger_than_a_chunk_of_the_socket_is_kept_whole(web, sender, tmp_path) -> None:
    large = make_film(tmp_path / "large.dcm", rows=1500, columns=1201, sop_uid=str(generate_uid()))
    assert post(sender, body(large.read_bytes())).status_code == 200
    assert stored(web, large)[0].read_bytes() == large.read_bytes()
