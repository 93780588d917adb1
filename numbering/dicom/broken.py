"""What reading a broken DICOM object can raise."""

from __future__ import annotations

import struct
import zlib

from pydicom.errors import InvalidDicomError

BROKEN_DICOM: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""pydicom and the decoders promise no exception of their own: these were met on damaged files."""

UNREADABLE: tuple[type[Exception], ...] = (*BROKEN_DICOM, OSError)
"""What opening and reading a broken file can raise."""
