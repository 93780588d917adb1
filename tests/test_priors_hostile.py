"""Sources of priors that lie, flood, break off or keep silent: nothing is kept that was not asked for, and all ends."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from numbering.dicom.incoming.spool import Spool
from numbering.dicom.priors import open_source
from numbering.dicom.priors.intake import SpoolIntake
from numbering.dicom.priors.multipart import BrokenMultipart, read_parts
from numbering.priors.source import (
    MOST_STUDIES,
    Allowance,
    OutOfTime,
    Patient,
    SourceMisbehaves,
    SourceRefuses,
    SourceUnavailable,
)
from numbering.settings import Settings
from tests.films import make_film
from tests.hostile import BOUNDARY, Answer, HostileWeb, dicom_json, hostile_archive, hostile_web, parts

OURS = Patient("OURS-1", "HOSPITAL")


def allowance(seconds: float = 10, objects: int = 100, size: int = 2**24) -> Allowance:
    return Allowance(objects=objects, size=size, seconds=seconds)


def ask(web: HostileWeb, seconds: float = 10):
    source = open_source(Settings(priors_source=web.root, priors_plain_http=True))
    return source.studies(OURS, allowance(seconds))


def study(uid: str, patient_id: object = "OURS-1", issuer: str = "") -> dict[str, object]:
    return {
        "0020000D": {"vr": "UI", "Value": [uid]},
        "00100020": {"vr": "LO", "Value": [patient_id]},
        "00100021": {"vr": "LO", "Value": [issuer]} if issuer else {"vr": "LO"},
        "00080020": {"vr": "DA", "Value": ["20200101"]},
    }


def test_studies_of_other_patients_and_odd_uids_are_left_out() -> None:
    answer = dicom_json(
        study("1.2.3"),
        study("1.2.4", "OURS-2"),
        study("1.2.5", issuer="ANOTHER HOSPITAL"),
        study("1.2.6", issuer="HOSPITAL"),
        study("../../etc/passwd"),
        study("1.2.7", {"Alphabetic": "OURS-1"}),
        {"0020000D": {"vr": "UI", "Value": ["1.2.8"]}},
        {},
    )
    with hostile_web(answer) as web:
        assert [found.study_instance_uid for found in ask(web)] == ["1.2.3", "1.2.6"]


def test_a_redirection_is_not_followed() -> None:
    with hostile_web(dicom_json(study("1.2.3"))) as elsewhere:
        answer = Answer(status=302, headers={"Location": f"{elsewhere.root}/studies"})
        with hostile_web(answer) as web, pytest.raises(SourceRefuses, match="redirection"):
            ask(web)
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b"not json", b'{"0020000D": 1}', b"[1, 2]", b"\xff\xfe\x00", b'["x"]'],
    ids=["deep", "text", "an object", "numbers", "bytes", "strings"],
)
def test_json_that_is_none_is_a_fault_of_the_source(body: bytes) -> None:
    with (
        hostile_web(Answer(headers={"Content-Type": "application/dicom+json"}, body=body)) as web,
        pytest.raises(SourceMisbehaves, match="broken JSON"),
    ):
        ask(web)


def test_elements_of_any_shape_are_survived() -> None:
    shapes: list[object] = [None, 1, "x", [], {}, {"Value": None}, {"Value": {}}, {"Value": [None]}, {"Value": [[1]]}]
    answers = [{**study("1.2.3"), "00081030": shape, "00201208": shape, "00080061": shape} for shape in shapes]
    with hostile_web(dicom_json(*answers)) as web:
        assert len(ask(web)) == len(shapes)


def test_another_kind_of_answer_is_refused() -> None:
    with (
        hostile_web(Answer(headers={"Content-Type": "text/html"}, body=b"<html>")) as web,
        pytest.raises(SourceMisbehaves, match="something else"),
    ):
        ask(web)


def test_a_page_without_end_is_cut() -> None:
    body = b'[{"x": "' + b"a" * (9 * 2**20) + b'"}]'
    with (
        hostile_web(Answer(headers={"Content-Type": "application/dicom+json"}, body=body)) as web,
        pytest.raises(SourceMisbehaves, match="bytes"),
    ):
        ask(web)


def test_the_same_page_over_and_over_ends() -> None:
    page = json.dumps([study(f"1.2.{number}") for number in range(100)]).encode()
    with (
        hostile_web(Answer(headers={"Content-Type": "application/dicom+json"}, body=page)) as web,
        pytest.raises(SourceMisbehaves, match=str(MOST_STUDIES)),
    ):
        ask(web)
    assert len(web.requests) == MOST_STUDIES // 100 + 1


def test_an_encoded_body_is_not_unpacked() -> None:
    headers = {"Content-Type": "application/dicom+json", "Content-Encoding": "gzip"}
    with (
        hostile_web(Answer(headers=headers, body=gzip.compress(b"[" + b" " * 2**24 + b"]"))) as web,
        pytest.raises(SourceMisbehaves, match="encoding"),
    ):
        ask(web)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_service_with_trouble_is_asked_again_later(status: int) -> None:
    with hostile_web(Answer(status=status)) as web, pytest.raises(SourceUnavailable, match=str(status)):
        ask(web)


def test_an_answer_that_breaks_off_is_asked_again_later() -> None:
    answer = Answer(headers={"Content-Type": "application/dicom+json"}, body=b"[", promised=1000)
    with hostile_web(answer) as web, pytest.raises(SourceUnavailable):
        ask(web)


def film(folder: Path, **elements: object) -> Path:
    options = {"study_uid": "1.2.3", "series_uid": "1.2.3.4", "PatientID": "OURS-1", **elements}
    return make_film(folder / f"{len(list(folder.iterdir()))}.dcm", **options)  # type: ignore[arg-type]


def fetch(answer: Answer, folder: Path, **allowed: int) -> SpoolIntake:
    intake = SpoolIntake(Spool(folder / "spool"), OURS, "1.2.3", "1.2.3.4", allowance(**allowed))
    with hostile_web(answer) as web:
        source = open_source(Settings(priors_source=web.root, priors_plain_http=True))
        try:
            source.fetch(intake)
        finally:
            assert web.requests == ["/dicom-web/studies/1.2.3/series/1.2.3.4"]
    return intake


def kept(folder: Path) -> list[str]:
    return sorted(path.parts[-3] for path in (folder / "spool").glob("*/*/*.dcm") if not path.parts[-3].startswith("."))


def test_only_objects_of_the_patient_study_and_series_that_were_asked_for_are_kept(tmp_path: Path) -> None:
    files = [
        film(tmp_path),
        film(tmp_path, PatientID="OURS-2"),
        film(tmp_path, PatientID=None),
        film(tmp_path, IssuerOfPatientID="ANOTHER HOSPITAL"),
        film(tmp_path, study_uid="1.2.9"),
        film(tmp_path, series_uid="1.2.9"),
    ]
    intake = fetch(parts(*(path.read_bytes() for path in files)), tmp_path)
    assert (intake.received.objects, intake.received.foreign, intake.received.refused) == (1, 5, 0)
    assert kept(tmp_path) == ["1.2.3"]


def test_parts_that_are_no_objects_are_dropped(tmp_path: Path) -> None:
    whole = film(tmp_path).read_bytes()
    odd = film(tmp_path)
    ds = dcmread(odd)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "../../../../tmp/evil"
    ds.save_as(odd)
    intake = fetch(parts(b"", b"GIF89a", whole[:300], odd.read_bytes(), whole), tmp_path)
    assert (intake.received.objects, intake.received.refused) == (1, 4)
    assert kept(tmp_path) == ["1.2.3"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers={"Content-Type": "application/dicom"}, body=b"x"),
        Answer(headers={"Content-Type": "multipart/related"}, body=b"x"),
        Answer(headers={"Content-Type": f"multipart/related; boundary={'b' * 71}"}, body=b"x"),
        Answer(headers={}, body=b"x"),
        Answer(headers={"Content-Type": f"multipart/related; boundary={BOUNDARY}"}, body=b"no parts at all"),
        parts(b"x", kind="image/jpeg"),
        parts(b"x", end=False),
    ],
    ids=["one object", "no boundary", "a long boundary", "no type", "no parts", "pictures", "no end"],
)
def test_bodies_that_are_no_multipart_of_objects_are_refused(answer: Answer, tmp_path: Path) -> None:
    with pytest.raises(SourceMisbehaves):
        fetch(answer, tmp_path)
    assert kept(tmp_path) == []


def test_a_header_of_a_part_without_end_is_refused(tmp_path: Path) -> None:
    answer = parts()
    answer.body = f"--{BOUNDARY}\r\nX: ".encode() + b"y" * 2**20
    with pytest.raises(SourceMisbehaves):
        fetch(answer, tmp_path)


def test_a_part_larger_than_allowed_is_not_even_read(tmp_path: Path) -> None:
    with pytest.raises(SourceMisbehaves, match="larger"):
        fetch(parts(b"x" * 2**20), tmp_path, size=2**16)


def test_more_objects_than_allowed_end_the_transfer(tmp_path: Path) -> None:
    whole = film(tmp_path).read_bytes()
    with pytest.raises(SourceMisbehaves, match="more objects"):
        fetch(parts(whole, whole, whole), tmp_path, objects=2)


@given(body=st.binary(max_size=200), cut=st.integers(0, 200), boundary=st.sampled_from([b"zzz", b"-", b"a b"]))
@settings(max_examples=200, deadline=None)
def test_any_body_is_read_or_refused(body: bytes, cut: int, boundary: bytes) -> None:
    framed = b"--" + boundary + b"\r\nA: b\r\n\r\n" + body + b"\r\n--" + boundary + b"--\r\n"
    for whole in (framed, body, framed[:cut], framed[cut:]):
        taken: list[bytes] = []
        try:
            read_parts(boundary, [whole[:cut], whole[cut:]], taken.append, lambda: 2**16)
        except BrokenMultipart:
            continue
        assert sum(map(len, taken)) <= len(whole)


def match(uid: str, patient_id: str = "OURS-1", issuer: str = "") -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    ds.StudyInstanceUID = uid
    ds.PatientID = patient_id
    ds.IssuerOfPatientID = issuer
    return ds


def asked(address: str, seconds: float = 10):
    return open_source(Settings(priors_source=address)).studies(OURS, allowance(seconds))


def test_matches_of_other_patients_and_odd_uids_are_left_out() -> None:
    matches = [
        match("1.2.3"),
        match("1.2.4", "OURS-2"),
        match("1.2.5", issuer="ANOTHER HOSPITAL"),
        match("1.02.3"),
        match("1.2.6", "OURS-1\\OURS-2"),
        match("", "OURS-1"),
    ]
    with hostile_archive(matches) as address:
        assert [found.study_instance_uid for found in asked(address)] == ["1.2.3"]


def test_matches_without_end_are_cut() -> None:
    with (
        hostile_archive([match("1.2.3")], again=100_000) as address,
        pytest.raises(SourceMisbehaves, match=str(MOST_STUDIES)),
    ):
        asked(address)


@pytest.mark.parametrize(
    ("status", "family"), [(0xA900, SourceRefuses), (0xC001, SourceRefuses), (0xA700, SourceUnavailable)]
)
def test_a_status_that_says_no_is_told_apart_from_one_that_says_later(status: int, family: type[Exception]) -> None:
    with hostile_archive([match("1.2.3")], final=status) as address, pytest.raises(family, match=f"{status:04X}"):
        asked(address)


def test_an_archive_that_keeps_silent_is_left_when_time_is_over() -> None:
    with hostile_archive([match("1.2.3")], hold=3600) as address, pytest.raises((OutOfTime, SourceUnavailable)):
        asked(address, seconds=1)


def test_an_archive_that_does_not_know_us_refuses_to_move(tmp_path: Path) -> None:
    intake = SpoolIntake(Spool(tmp_path / "spool"), OURS, "1.2.3", "1.2.3.4", allowance())
    with hostile_archive() as address, pytest.raises(SourceRefuses, match="C-MOVE with status 0xA801"):
        open_source(Settings(priors_source=address)).fetch(intake)


def test_a_service_that_caps_its_pages_is_asked_until_one_is_empty() -> None:
    everything = [study(f"1.2.{number}") for number in range(40)]

    def capped(path: str) -> bytes:
        offset = int(parse_qs(urlsplit(path).query)["offset"][0])
        return json.dumps(everything[offset : offset + 20]).encode()

    with hostile_web(Answer(headers={"Content-Type": "application/dicom+json"}, body=capped)) as web:
        assert len(ask(web)) == 40
    assert len(web.requests) == 3


def test_a_service_that_ignores_the_offset_is_taken_at_its_word_where_its_page_is_short() -> None:
    with hostile_web(dicom_json(study("1.2.3"), study("1.2.4"))) as web:
        assert len(ask(web)) == 2
    assert len(web.requests) == 2
