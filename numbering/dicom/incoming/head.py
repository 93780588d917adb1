"""The four UIDs by which an object is filed, read from the head of a data set without building it.

A data set that comes from outside may nest millions of items before them: this walks over the bytes, keeps nothing but
the four values, and gives up where its input ends. PS3.5 Clause 7 and Annex A.
"""

from __future__ import annotations

import struct
import zlib

BIG_ENDIAN = "1.2.840.10008.1.2.2"

SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
STUDY, SERIES = 0x0020000D, 0x0020000E
WANTED = frozenset({SOP_CLASS, SOP_INSTANCE, STUDY, SERIES})

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
"""Value representations whose length has four bytes (PS3.5 7.1.2)."""
LONGEST_UID = 64
DEEPEST = 64
"""Levels of nesting; more is taken for an attack."""


class BrokenHead(ValueError):
    """The data set cannot be walked in its transfer syntax."""


class CutShort(BrokenHead):
    """The bytes end before the four UIDs were found or passed."""


def uids(head: bytes, transfer_syntax: str, *, whole: bool) -> dict[int, str]:
    """The values of `WANTED` by tag, absent ones left out.

    ``head`` are the first bytes of the data set as sent (inflated), or all of it (``whole``). `CutShort` when more is
    needed, `BrokenHead` when more would not help.
    """
    walk = _Walk(head, transfer_syntax)
    try:
        passed = walk.go()
    except (struct.error, IndexError):
        passed = False
    if passed or (whole and walk.position == len(head)):
        return walk.found
    raise BrokenHead("the data set ends within an element") if whole else CutShort("the four UIDs are further on")


def inflated(head: bytes, limit: int) -> tuple[bytes, bool]:
    """The first bytes of a deflated data set (PS3.5 A.5), no more than ``limit``; and whether that is all of it."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return inflater.decompress(head, limit), inflater.eof and not inflater.unconsumed_tail
    except zlib.error:
        raise BrokenHead("the deflated data set is broken") from None


class _Walk:
    """Goes over the elements of one data set, from byte to byte."""

    def __init__(self, data: bytes, transfer_syntax: str) -> None:
        self.data = data
        self.position = 0
        self.found: dict[int, str] = {}
        order = ">" if transfer_syntax == BIG_ENDIAN else "<"
        self._tag = struct.Struct(order + "HH").unpack_from
        self._short = struct.Struct(order + "H").unpack_from
        self._long = struct.Struct(order + "L").unpack_from
        # Some senders write the other one than they said: the first element tells, as it does when the file is read.
        self._explicit = _is_vr(data[4:6])

    def go(self) -> bool:
        """Walk over the outermost level; true once the last of the wanted tags is passed, false where the data end."""
        end = len(self.data)
        while self.position < end:
            tag, vr, value, length = self._element(self.position, self._explicit)
            if tag > SERIES:
                return True
            if length == UNDEFINED:
                # The content of an unknown representation is implicit (PS3.5 6.2.2).
                self.position = self._over_items(value, self._explicit and vr != b"UN", 1)
                continue
            if value + length > end:
                return False
            self.position = value + length
            if tag in WANTED:
                shown = self.data[value : min(self.position, value + LONGEST_UID + 2)]
                self.found[tag] = shown.decode("ascii", "replace").rstrip("\0 ")
            if tag == SERIES:
                return True
        return False

    def _element(self, position: int, explicit: bool) -> tuple[int, bytes, int, int]:
        """Tag, representation, place of the value, and length of the element here."""
        group, element = self._tag(self.data, position)
        tag = group << 16 | element
        if group == 0xFFFE or not explicit:
            return tag, b"", position + 8, self._long(self.data, position + 4)[0]
        vr = self.data[position + 4 : position + 6]
        if vr in LONG:
            return tag, vr, position + 12, self._long(self.data, position + 8)[0]
        if len(vr) == 2 and not _is_vr(vr):
            raise BrokenHead("an element has no value representation")
        return tag, vr, position + 8, self._short(self.data, position + 6)[0]

    def _over_items(self, position: int, explicit: bool, depth: int) -> int:
        """The place behind a sequence of undefined length whose first item is here."""
        if depth > DEEPEST:
            raise BrokenHead(f"items are nested more than {DEEPEST} deep")
        while True:
            tag, _, value, length = self._element(position, explicit)
            if tag == SEQUENCE_END:
                return value
            if tag != ITEM:
                raise BrokenHead("an item was expected in a sequence")
            position = value + length if length != UNDEFINED else self._over_item(value, explicit, depth)

    def _over_item(self, position: int, explicit: bool, depth: int) -> int:
        while True:
            tag, vr, value, length = self._element(position, explicit)
            if tag == ITEM_END:
                return value
            inner = explicit and vr != b"UN"
            position = value + length if length != UNDEFINED else self._over_items(value, inner, depth + 1)


def _is_vr(two: bytes) -> bool:
    return two.isalpha() and two.isupper()
