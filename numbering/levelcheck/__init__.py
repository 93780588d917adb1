"""The level check: is the structure at a marked place the one that the plan names? No DICOM, no network, no database.

What it cannot show it does not say: every doubt ends in CANNOT CONFIRM (docs/conventions.md, "The level check").
"""

from numbering.levelcheck.answer import Check, Mark, MarkSource, Verdict
from numbering.levelcheck.judge import judge
from numbering.levelcheck.plan import NotUnderstood, Plan, parse_code, parse_plan
from numbering.levelcheck.policy import Policy
from numbering.levelcheck.vocabulary import Kind, Side, Whose

__all__ = [
    "Check",
    "Kind",
    "Mark",
    "MarkSource",
    "NotUnderstood",
    "Plan",
    "Policy",
    "Side",
    "Verdict",
    "Whose",
    "judge",
    "parse_code",
    "parse_plan",
]
