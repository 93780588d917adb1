"""What fuzzing found, each by its symptom and the smallest input; found by ``benchmarks/fuzz.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from numbering.dicom.part10 import PREAMBLE, split
from tests.films import make_film

GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
TWISTED = b"\x02\0\x01\0DA\0\0\x02\0\0\0\0\x01\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"


@pytest.mark.parametrize(
    "meta",
    [GROUP_LENGTH + b"\0\0\0\0", GROUP_LENGTH + b"\x2a\0\0\0" + TWISTED],
    ids=["no transfer syntax", "a version that is a date"],
)
def test_a_file_with_broken_meta_information_is_split_into_a_value_error_alone(tmp_path: Path, meta: bytes) -> None:
    data_set = make_film(tmp_path / "film.dcm").read_bytes()[1000:]
    with pytest.raises(ValueError, match="PS3.10") as caught:
        split(PREAMBLE + meta + data_set)
    assert caught.value.__suppress_context__  # the cause quotes bytes of the file
