"""SNOMED CT codes of vertebrae and discs, as in PS3.16: plain tables, for writing objects and for reading plans.

Keyed by `Level` or by the disc's name, never by a number: a disc taken for a vertebra is an error of one level.
CID 7602 holds both; T13, L6 and the discs of rarer spines have no code there.
"""

from __future__ import annotations

from numbering.anatomy import Level

VERTEBRAE = {
    Level.C1: "14806007",
    Level.C2: "39976000",
    Level.C3: "113205007",
    Level.C4: "5329002",
    Level.C5: "36978003",
    Level.C6: "36054005",
    Level.C7: "87391001",
    Level.T1: "64864005",
    Level.T2: "53733008",
    Level.T3: "1626008",
    Level.T4: "73071006",
    Level.T5: "56401006",
    Level.T6: "45296009",
    Level.T7: "62487009",
    Level.T8: "11068009",
    Level.T9: "82687006",
    Level.T10: "7610001",
    Level.T11: "12989004",
    Level.T12: "23215003",
    Level.L1: "66794005",
    Level.L2: "14293000",
    Level.L3: "36470004",
    Level.L4: "11994002",
    Level.L5: "49668003",
    Level.S1: "65985001",
}
"""CID 7603, and S1 besides."""

DISCS = {
    "C2-C3": "1078209008",
    "C3-C4": "58820006",
    "C4-C5": "49400002",
    "C5-C6": "73959003",
    "C6-C7": "75095006",
    "C7-T1": "37414007",
    "T1-T2": "40908007",
    "T2-T3": "6004007",
    "T3-T4": "2620004",
    "T4-T5": "82965004",
    "T5-T6": "72692000",
    "T6-T7": "74401007",
    "T7-T8": "28693002",
    "T8-T9": "9188009",
    "T9-T10": "113209001",
    "T10-T11": "34959001",
    "T11-T12": "1537001",
    "T12-L1": "76206002",
    "L1-L2": "80064006",
    "L2-L3": "67459009",
    "L3-L4": "62551000",
    "L4-L5": "84020006",
    "L5-S1": "715056000",
}
"""CID 7604, by name (``L4-L5``)."""
