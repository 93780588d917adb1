"""Coverage-guided fuzzing of one reader (atheris, which is libFuzzer): ``python -m benchmarks.faults.guided …``.

Run by ``benchmarks/fuzz.py``. A failure in Python is recorded and the run goes on; a signal in a native decoder, too
much memory or time ends the run, and libFuzzer leaves the input behind.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pydicom", "numbering.dicom", "numbering.route", "numbering.views"]):
    from benchmarks.faults.readers import READERS

from benchmarks.faults.found import record

LONGEST_SECONDS = 60
"""For one input, at idle priority on a busy machine; a run by itself takes milliseconds."""
MEMORY_MIB = 3072
WORDS = (
    *("UI", "PN", "SQ", "OW", "OB", "DS", "US", "UN", "LO", "CS"),
    *("\\x08\\x00\\x16\\x00", "\\x08\\x00\\x18\\x00", "\\x20\\x00\\x0d\\x00", "\\x20\\x00\\x0e\\x00"),
    *("\\x28\\x00\\x10\\x00", "\\x28\\x00\\x11\\x00", "\\x28\\x00\\x08\\x00", "\\x28\\x00\\x00\\x01"),
    *("\\xe0\\x7f\\x10\\x00", "\\xfe\\xff\\x00\\xe0", "\\xfe\\xff\\xdd\\xe0", "\\xfe\\xff\\x0d\\xe0"),
    *("\\xff\\xff\\xff\\xff", "\\x00\\x00\\x00\\x00", "\\x02\\x00\\x10\\x00", "MONOCHROME1", "PALETTE COLOR"),
    *("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"),
    *("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"),
    *("1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1", "ISO 2022 IR 87", "ISO_IR 192", "../../etc"),
)
"""DICOM's own words: tags, value representations, delimiters, transfer syntaxes, SOP classes."""


def main(name: str, state: Path, seconds: int, seed: int) -> None:
    """Fuzz this target for so long; never returns, for libFuzzer ends the process."""
    target, crashes = READERS[name], state / "crashes"
    warnings.simplefilter("ignore")

    def once(data: bytes) -> None:
        try:
            target(data)
        except Exception as error:  # noqa: BLE001 - whatever escapes is what is looked for
            record(crashes, name, data, error)

    words = state / "words.txt"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    native = state / "native"
    native.mkdir(exist_ok=True)
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": 2**16,
        "timeout": LONGEST_SECONDS,
        "rss_limit_mb": MEMORY_MIB,
        "artifact_prefix": f"{native}/{name}-",
        "dict": words,
        "print_final_stats": 1,
        "detect_leaks": 0,
        "verbosity": 1,
        "reload": 0,
        "len_control": 0,
    }
    arguments = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(state / "corpus" / name), str(state / "seeds")], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
