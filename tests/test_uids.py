import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbering.uids import IMPLEMENTATION_CLASS_UID, InvalidUID, checked_uid, derived_uid

texts = st.lists(st.text(max_size=20), max_size=4)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.1", "2.25.0", "1." + "9" * 62, IMPLEMENTATION_CLASS_UID])
def test_a_uid_is_returned_as_it_came(uid):
    assert checked_uid(uid, "SOPInstanceUID") == uid


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1.2\u0663",
        "1",
        "1.",
        ".1",
        "1..2",
        "1.02",
        "../../etc/passwd",
        "1.2/3",
        "1.2\n",
        "1.2 ",
        "1.2\x00",
        "1." + "9" * 63,
        "1.²",
    ],
)
def test_what_is_no_uid_never_becomes_a_path(value):
    with pytest.raises(InvalidUID, match=r"SOPInstanceUID is .*: expected at most 64 digits and dots"):
        checked_uid(value, "SOPInstanceUID")


def test_the_refusal_shows_no_character_that_could_be_part_of_a_name():
    with pytest.raises(InvalidUID) as refused:
        checked_uid("Ünïcode/^../\x1b[31m", "StudyInstanceUID")
    assert re.search(r"'[0-9A-Za-z._?-]*'", str(refused.value))
    assert "/" not in str(refused.value).split(":")[0]
    assert "\x1b" not in str(refused.value)


@given(texts, st.text(max_size=10))
def test_a_derived_uid_is_a_valid_uid(identity, kind):
    uid = derived_uid(identity, kind)
    assert checked_uid(uid, "derived UID").startswith("2.25.")


def test_a_retry_derives_the_same_uid():
    assert derived_uid(["1.2:abc", "ap-xray"], "sr") == derived_uid(iter(["1.2:abc", "ap-xray"]), "sr")


def test_every_part_of_the_identity_and_the_kind_changes_the_uid():
    uids = {
        derived_uid(["1.2", "ap-xray"], "sr"),
        derived_uid(["1.2", "ap-xray"], "gsps"),
        derived_uid(["1.3", "ap-xray"], "sr"),
        derived_uid(["1.2", "ct"], "sr"),
        derived_uid(["ap-xray", "1.2"], "sr"),
        derived_uid(["1.2ap-xray"], "sr"),
    }
    assert len(uids) == 6
