"""What reading a broken DICOM object can raise."""

from __future__ import annotations

import struct
import zlib

from pydicom.errors import BytesLengthException, InvalidDicomError

BROKEN_DICOM: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,  # pydicom's for a value representation that is none
    OSError,  # also for an item that ends too early, in memory
    RuntimeError,
    StopIteration,  # encapsulated pixel data with fewer frames than it promises
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""pydicom and the decoders promise no exception of their own: these were met on damaged files."""
