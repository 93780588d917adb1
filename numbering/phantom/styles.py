"""Fictional makers of equipment: how they name their machines, which language and spelling their users chose.

The habits are those of real archives; the makers do not exist. Words are free text as a technologist sees it, and
`numbering.views` must understand them: a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "de", "fr", "es", "ja"]
Shown = Literal[
    "AP",
    "lateral",
    "CT",
    "axial T1",
    "axial T2",
    "sagittal T1",
    "sagittal T2",
    "sagittal STIR",
    "sagittal FS",
    "sagittal GRE",
    "coronal T1",
    "coronal T2",
    "localizer",
]
Region = Literal["lumbar", "whole-spine", "thoracolumbar", "abdomen"]


@dataclass(frozen=True, kw_only=True)
class Style:
    """One maker's equipment in one country."""

    manufacturer: str
    language: Language
    models: Mapping[str, str]
    """Manufacturer's model name by modality."""
    software: str
    character_set: tuple[str, ...]
    capitals: bool = False
    """Descriptions in capitals, as many modalities write them."""


def _models(cr: str, dx: str, ct: str, mr: str) -> Mapping[str, str]:
    return {"CR": cr, "DX": dx, "CT": ct, "MR": mr}


STYLES: Mapping[str, Style] = {
    "fairhaven": Style(
        manufacturer="Fairhaven Imaging (phantom)",
        language="en",
        models=_models("Plate 35", "Clarion DR", "Halyard 64", "Beacon 1.5T"),
        software="FH4.2",
        character_set=("ISO_IR 192",),
        capitals=True,
    ),
    "fairhaven-2": Style(
        manufacturer="FAIRHAVEN (phantom)",
        language="en",
        models=_models("Plate 43", "Clarion II", "Halyard 128", "Beacon 3T"),
        software="FH5.0.1",
        character_set=("ISO_IR 100",),
    ),
    "nordwind": Style(
        manufacturer="Nordwind Medizintechnik (phantom)",
        language="de",
        models=_models("Folie 8", "Leuchtturm D", "Deich CT 16", "Ebbe 3T"),
        software="VN11C",
        character_set=("ISO_IR 100",),
    ),
    "armor": Style(
        manufacturer="Rayons d'Armor (phantom)",
        language="fr",
        models=_models("Ardoise", "Phare", "Menhir 80", "Triskell 1.5"),
        software="R7.1",
        character_set=("ISO_IR 100",),
    ),
    "andina": Style(
        manufacturer="Imagen Andina (phantom)",
        language="es",
        models=_models("Puna", "Cóndor", "Altiplano 32", "Salar 1.5T"),
        software="3.0",
        character_set=("ISO_IR 192",),
        capitals=True,
    ),
    "hoshi": Style(
        manufacturer="Hoshi Iryo (phantom)",
        language="ja",
        models=_models("Suzume", "Tsubame DR", "Taka 80", "Kujira 3T"),
        software="J2.6",
        character_set=("", "ISO 2022 IR 87"),
    ),
}

_REGIONS: Mapping[Language, Mapping[Region, str]] = {
    "en": {"lumbar": "L-Spine", "whole-spine": "Whole Spine", "thoracolumbar": "T-L Spine", "abdomen": "Abdomen"},
    "de": {
        "lumbar": "LWS",
        "whole-spine": "Wirbelsäulenganzaufnahme",
        "thoracolumbar": "BWS/LWS",
        "abdomen": "Abdomen",
    },
    "fr": {
        "lumbar": "Rachis lombaire",
        "whole-spine": "Rachis entier",
        "thoracolumbar": "Rachis dorso-lombaire",
        "abdomen": "Abdomen",
    },
    "es": {
        "lumbar": "Columna lumbar",
        "whole-spine": "Columna total",
        "thoracolumbar": "Columna dorsolumbar",
        "abdomen": "Abdomen",
    },
    "ja": {"lumbar": "腰椎", "whole-spine": "全脊椎", "thoracolumbar": "胸腰椎", "abdomen": "腹部"},
}

_SERIES: Mapping[Language, Mapping[Shown, str]] = {
    "en": {
        "AP": "{region} AP",
        "lateral": "{region} Lateral",
        "CT": "{region} Bone",
        "axial T1": "Ax T1 TSE {region}",
        "axial T2": "Ax T2 TSE {region}",
        "sagittal T1": "Sag T1 TSE {region}",
        "sagittal T2": "Sag T2 TSE {region}",
        "sagittal STIR": "Sag STIR {region}",
        "sagittal FS": "Sag T2 FS {region}",
        "sagittal GRE": "Sag 3D GRE WE {region}",
        "coronal T1": "Cor T1 TSE {region}",
        "coronal T2": "Cor T2 TSE {region}",
        "localizer": "3-Plane Localizer",
    },
    "de": {
        "AP": "{region} a.p.",
        "lateral": "{region} seitlich",
        "CT": "{region} nativ Knochen",
        "axial T1": "t1_tse_tra_{region}",
        "axial T2": "t2_tse_tra_{region}",
        "sagittal T1": "t1_tse_sag_{region}",
        "sagittal T2": "t2_tse_sag_{region}",
        "sagittal STIR": "t2_tirm_sag_{region}",
        "sagittal FS": "t2_tse_fs_sag_{region}",
        "sagittal GRE": "fl3d_we_sag_{region}",
        "coronal T1": "t1_tse_cor_{region}",
        "coronal T2": "t2_tse_cor_{region}",
        "localizer": "localizer_3 Ebenen",
    },
    "fr": {
        "AP": "{region} de face",
        "lateral": "{region} de profil",
        "CT": "{region} os",
        "axial T1": "AX T1 {region}",
        "axial T2": "AX T2 {region}",
        "sagittal T1": "SAG T1 {region}",
        "sagittal T2": "SAG T2 {region}",
        "sagittal STIR": "SAG STIR {region}",
        "sagittal FS": "SAG T2 FATSAT {region}",
        "sagittal GRE": "SAG 3D EG {region}",
        "coronal T1": "COR T1 {region}",
        "coronal T2": "COR T2 {region}",
        "localizer": "REPERAGE 3 PLANS",
    },
    "es": {
        "AP": "{region} AP",
        "lateral": "{region} perfil",
        "CT": "{region} hueso",
        "axial T1": "T1 TSE axial {region}",
        "axial T2": "T2 TSE axial {region}",
        "sagittal T1": "T1 TSE sagital {region}",
        "sagittal T2": "T2 TSE sagital {region}",
        "sagittal STIR": "STIR sagital {region}",
        "sagittal FS": "T2 SUPRESION GRASA sagital {region}",
        "sagittal GRE": "3D GRE sagital {region}",
        "coronal T1": "T1 TSE coronal {region}",
        "coronal T2": "T2 TSE coronal {region}",
        "localizer": "LOCALIZADOR",
    },
    "ja": {
        "AP": "{region}正面",
        "lateral": "{region}側面",
        "CT": "{region} 骨条件",
        "axial T1": "{region} T1 横断",
        "axial T2": "{region} T2 横断",
        "sagittal T1": "{region} T1 矢状断",
        "sagittal T2": "{region} T2 矢状断",
        "sagittal STIR": "{region} STIR 矢状断",
        "sagittal FS": "{region} T2 脂肪抑制 矢状断",
        "sagittal GRE": "{region} 3D GRE 矢状断",
        "coronal T1": "{region} T1 冠状断",
        "coronal T2": "{region} T2 冠状断",
        "localizer": "位置決め",
    },
}

_STUDIES: Mapping[Language, Mapping[str, str]] = {
    "en": {"films": "XR {region}", "ct": "CT {region}", "mr": "MRI {region}"},
    "de": {"films": "Röntgen {region} in 2 Ebenen", "ct": "CT {region}", "mr": "MRT {region}"},
    "fr": {"films": "Radiographie {region}", "ct": "Scanner {region}", "mr": "IRM {region}"},
    "es": {"films": "RX {region}", "ct": "TC {region}", "mr": "RM {region}"},
    "ja": {"films": "{region}X線撮影", "ct": "{region}CT", "mr": "{region}MRI"},
}


def series_words(style: Style, shown: Shown, region: Region) -> str:
    """Series Description as this equipment writes it."""
    return _cased(style, _SERIES[style.language][shown].format(region=_REGIONS[style.language][region]))


def study_words(style: Style, kind: str, region: Region) -> str:
    """Study Description as the information system of that country writes it."""
    return _cased(style, _STUDIES[style.language][kind].format(region=_REGIONS[style.language][region]))


def _cased(style: Style, text: str) -> str:
    return text.upper() if style.capitals else text
