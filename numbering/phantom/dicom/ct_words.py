"""How CT scanners of the fictional makers name what they made: kernels, series descriptions, and how they store air."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.styles import STYLES, Language
from numbering.phantom.styles import Region as Described


@dataclass(frozen=True, kw_only=True)
class Habit:
    """One maker's scanners. ``kernels`` by `Kernel.name`; ``series`` with {region}, {phase}, {kernel}, {mm}, {filter}
    to fill in."""

    kernels: Mapping[str, str]
    series: str
    signed: bool
    """Stored values are signed."""
    intercept: int
    padding_hu: int | None
    """Outside the scanner's field; None: air."""
    window: tuple[tuple[int, int], ...]
    """Centre and width for soft kernels, then for sharp ones."""


def _kernels(soft: str, standard: str, bone: str, lung: str) -> Mapping[str, str]:
    return {"soft": soft, "standard": standard, "bone": bone, "lung": lung}


HABITS: Mapping[str, Habit] = {
    "fairhaven": Habit(
        kernels=_kernels("SOFT", "STANDARD", "BONE", "LUNG"), series="{region} {phase} {kernel} {mm}MM",
        signed=True, intercept=-1024, padding_hu=-3024, window=((40, 400), (400, 2000)),
    ),
    "fairhaven-2": Habit(
        kernels=_kernels("SOFT", "STANDARD", "BONEPLUS", "LUNG"), series="{mm}mm {region} {phase} {kernel}",
        signed=True, intercept=-1024, padding_hu=-2000, window=((40, 400), (300, 2000)),
    ),
    "nordwind": Habit(
        kernels=_kernels("B20f", "B31f", "B60f", "B70f"), series="{region} {phase} {mm} {filter}",
        signed=False, intercept=-1024, padding_hu=None, window=((50, 350), (450, 1500)),
    ),
    "armor": Habit(
        kernels=_kernels("A", "B", "YD", "YC"), series="{region} {phase} {kernel} {mm}",
        signed=False, intercept=-1024, padding_hu=None, window=((60, 360), (500, 2000)),
    ),
    "andina": Habit(
        kernels=_kernels("FC08", "FC18", "FC30", "FC52"), series="{region} {phase} {kernel} {mm}",
        signed=True, intercept=0, padding_hu=-2048, window=((40, 350), (400, 2000)),
    ),
    "hoshi": Habit(
        kernels=_kernels("FC03", "FC13", "FC35", "FC51"), series="{region} {phase} {kernel} {mm}",
        signed=True, intercept=0, padding_hu=-2048, window=((30, 350), (400, 2200)),
    ),
}  # fmt: skip
"""By the name of the style."""

_REGIONS: Mapping[Language, Mapping[str, str]] = {
    "en": {"lumbar": "L-Spine", "thoracolumbar": "T-L Spine", "whole-spine": "Whole Spine", "cervical": "C-Spine",
           "chest": "Chest", "abdomen": "Abd/Pel", "upper-abdomen": "Upper Abdomen", "level": "L-Spine Disc"},
    "de": {"lumbar": "LWS", "thoracolumbar": "BWS/LWS", "whole-spine": "Wirbelsäule", "cervical": "HWS",
           "chest": "Thorax", "abdomen": "Abdomen", "upper-abdomen": "Oberbauch", "level": "LWS Bandscheibe"},
    "fr": {"lumbar": "Rachis lombaire", "thoracolumbar": "Rachis dorso-lombaire", "whole-spine": "Rachis entier",
           "cervical": "Rachis cervical", "chest": "Thorax", "abdomen": "AP", "upper-abdomen": "Abdomen sup",
           "level": "Disque lombaire"},
    "es": {"lumbar": "Columna lumbar", "thoracolumbar": "Columna dorsolumbar", "whole-spine": "Columna total",
           "cervical": "Columna cervical", "chest": "Tórax", "abdomen": "Abdomen", "upper-abdomen": "Hemiabdomen sup",
           "level": "Disco lumbar"},
    "ja": {"lumbar": "腰椎", "thoracolumbar": "胸腰椎", "whole-spine": "全脊椎", "cervical": "頚椎", "chest": "胸部",
           "abdomen": "腹部骨盤", "upper-abdomen": "上腹部", "level": "腰椎椎間板"},
}  # fmt: skip
_PHASES: Mapping[Language, Mapping[str, str]] = {
    "en": {"native": "WO", "arterial": "ART", "portal": "PV"},
    "de": {"native": "nativ", "arterial": "art.", "portal": "ven."},
    "fr": {"native": "SPC", "arterial": "ART", "portal": "PORT"},
    "es": {"native": "S/C", "arterial": "ART", "portal": "PORTAL"},
    "ja": {"native": "単純", "arterial": "動脈相", "portal": "門脈相"},
}
_FILTERS: Mapping[Language, tuple[str, str]] = {
    "en": ("Soft", "Bone"), "de": ("Weichteil", "Knochen"), "fr": ("PM", "OS"), "es": ("PB", "HUESO"),
    "ja": ("軟部", "骨条件"),
}  # fmt: skip
BODY_PARTS: Mapping[str, str] = {
    "lumbar": "LSPINE", "thoracolumbar": "TLSPINE", "whole-spine": "SPINE", "cervical": "CSPINE", "chest": "CHEST",
    "abdomen": "ABDOMENPELVIS", "upper-abdomen": "ABDOMEN", "level": "LSPINE",
}  # fmt: skip
"""Defined terms of PS3.16 Annex L."""
DESCRIBED: Mapping[str, Described] = {
    "lumbar": "lumbar", "level": "lumbar", "thoracolumbar": "thoracolumbar", "whole-spine": "whole-spine",
    "cervical": "whole-spine", "chest": "abdomen", "abdomen": "abdomen", "upper-abdomen": "abdomen",
}  # fmt: skip
"""How the study is described, by region of the protocol."""
LOCALIZERS: Mapping[Language, str] = {
    "en": "Scout", "de": "Topogramm", "fr": "Mode radio", "es": "Topograma", "ja": "位置決め",
}  # fmt: skip


def kernel_name(style: str, protocol: Protocol) -> str:
    """Convolution Kernel as this maker calls it."""
    return HABITS[style].kernels[protocol.kernel.name]


def series_words(style: str, protocol: Protocol) -> str:
    """Series Description as this equipment writes it."""
    language = STYLES[style].language
    sharp = protocol.kernel.name in ("bone", "lung")
    text = HABITS[style].series.format(
        region=_REGIONS[language][protocol.region],
        phase=_PHASES[language][protocol.phase],
        kernel=kernel_name(style, protocol),
        filter=_FILTERS[language][sharp],
        mm=f"{protocol.slice_mm:g}",
    )
    return text.upper() if STYLES[style].capitals else text


def scout_words(style: str) -> str:
    """Series Description of the localizers."""
    text = LOCALIZERS[STYLES[style].language]
    return text.upper() if STYLES[style].capitals else text
