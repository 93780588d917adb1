"""One solver that numbers any spine: ordered candidates in, one numbering with probabilities and its alternative out.

Pure numpy: no pixels, no DICOM, no network. Equations and a worked example: docs/enumeration.md.
"""

from numbering.enumeration.abstention import refusal
from numbering.enumeration.evidence import Anchor, Evidence, dens, rib_bearing, sacrum
from numbering.enumeration.graph import LEVELS
from numbering.enumeration.model import PREVALENCE, SpineModel
from numbering.enumeration.solver import Numbering, Solver

__all__ = [
    "LEVELS",
    "PREVALENCE",
    "Anchor",
    "Evidence",
    "Numbering",
    "Solver",
    "SpineModel",
    "dens",
    "refusal",
    "rib_bearing",
    "sacrum",
]
