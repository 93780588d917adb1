"""What the log says, and what it never says."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset

from numbering import logs
from tests.films import BIRTH_DATE, NAME, SECRETS
from tests.logged import logged


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    with logged() as stream:
        yield stream


def last(stream: io.StringIO) -> dict[str, object]:
    line: dict[str, object] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def says_nothing_of_the_patient(stream: io.StringIO) -> bool:
    return bool(stream.getvalue()) and not any(secret in stream.getvalue() for secret in SECRETS)


def test_a_line_says_what_happened_to_which_job(stream: io.StringIO) -> None:
    with logs.bind(job="j1"):
        logs.logger("numbering.test", room="infer").info("done", seconds=1.5)
    line = last(stream)
    assert {"event": "done", "job": "j1", "room": "infer", "seconds": 1.5, "level": "info"}.items() <= line.items()
    logs.logger("numbering.test").info("next")
    assert "job" not in last(stream)


def test_a_patients_data_is_dropped_whatever_key_it_has(stream: io.StringIO) -> None:
    ds = Dataset()
    ds.PatientName = NAME
    logs.logger("numbering.test").warning(
        "odd", PatientName=NAME, patient_birth_date=BIRTH_DATE, ds=ds, dataset=ds, study=ds, seen=[ds, 3], job="j1"
    )
    assert says_nothing_of_the_patient(stream)
    assert last(stream)["job"] == "j1"
    assert last(stream)["seen"] == ["<Dataset>", 3]


def test_an_error_is_told_by_type_and_place(stream: io.StringIO) -> None:
    try:
        raise KeyError(NAME)
    except KeyError as error:
        logs.logger("numbering.test").exception("broken", error=error)
    assert says_nothing_of_the_patient(stream)
    assert str(last(stream)["error"]).startswith("KeyError at test_logs.py:")


def test_a_place_within_the_package_is_preferred(stream: io.StringIO) -> None:
    from numbering.uids import InvalidUID, checked_uid

    with pytest.raises(InvalidUID) as caught:
        checked_uid(NAME, "something")
    assert logs.place_of(caught.value).startswith("InvalidUID at numbering/uids.py:")
    assert logs.place_of(ValueError(NAME)) == "ValueError"


@pytest.mark.parametrize("name", ["pydicom", "pynetdicom.assoc", "somebody", "root"])
def test_a_librarys_message_is_withheld(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).critical("Invalid value %r", NAME)
    assert says_nothing_of_the_patient(stream)
    assert str(last(stream)["at"]).startswith("test_logs.py:")


def test_celery_is_heard_without_the_text_of_its_errors(stream: io.StringIO) -> None:
    try:
        raise OSError(NAME)
    except OSError:
        logging.getLogger("celery.worker").exception("consumer: Cannot connect to redis: %s", NAME)
    assert says_nothing_of_the_patient(stream)
    assert last(stream)["event"] == "consumer"


def test_a_warning_is_withheld(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = logs._warn
        warnings.warn(f"Invalid value for VR PN: {NAME}", UserWarning, stacklevel=1)
    assert says_nothing_of_the_patient(stream)
    assert str(last(stream)["at"]).startswith("UserWarning at test_logs.py:")


def test_a_thread_that_breaks_off_is_logged_without_its_errors_text(
    stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    def read() -> None:
        raise ValueError(f"bad header of {NAME}")

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    line = last(stream)
    assert line["event"] == "a thread broke off"
    assert str(line["error"]).startswith("ValueError at test_logs.py:")
    assert says_nothing_of_the_patient(stream)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("json", [True, False])
def test_whatever_a_peer_calls_itself_stays_on_one_line(json: bool) -> None:
    hostile = "AE\n2026 [error] forged\r\x1b[2J\u2028\u202e\x00\x85"
    with logged(json=json) as stream:
        logs.logger("numbering.test").info("called", peer=hostile, titles=[hostile], told={"by": hostile})
        logs.logger("numbering.test").info(hostile)
    said = stream.getvalue()
    assert len(said.splitlines()) == 2
    assert not any(sign in said for sign in ("\r", "\x1b[2J", "\u2028", "\u202e", "\x00", "\x85"))


def test_a_value_without_end_is_cut(stream: io.StringIO) -> None:
    logs.logger("numbering.test").info("long", text="a" * 100_000)
    assert len(stream.getvalue()) < logs.LONGEST + 300


def test_a_patients_data_within_a_table_is_dropped(stream: io.StringIO) -> None:
    logs.logger("numbering.test").info("odd", told={"PatientName": NAME, "port": 3})
    assert last(stream)["told"] == {"port": 3}
    assert says_nothing_of_the_patient(stream)
