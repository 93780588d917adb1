"""How vendors write views and body parts: codes, defined terms, and words in the languages of their user interfaces.

Vocabulary only; `numbering.route` decides. Texts are compared after `plain`: small letters without accents, digits and
punctuation turned into single spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum

from numbering.study import View


class Projection(StrEnum):
    """What the word for a view says: a `View`, or one that no radiograph pipeline takes."""

    AP = "AP"
    PA = "PA"
    LATERAL = "lateral"
    OBLIQUE = "oblique"

    @property
    def view(self) -> View | None:
        """The view that results are given for; None for an oblique one."""
        return None if self is Projection.OBLIQUE else View(self.value)

    @property
    def frontal(self) -> bool:
        """AP or PA."""
        return self in (Projection.AP, Projection.PA)


class Region(StrEnum):
    """What part of the body is named."""

    SPINE = "spine"
    CERVICAL = "cervical spine"
    CHEST = "chest"
    """On a film of it the spine is hardly seen; slices show it whole."""
    OTHER = "another body part"


# View Position (0018,5101), PS3.3 C.8.1.1 and C.8.11.5, and what is found there besides. The decubitus terms (LLD, RLD)
# name how the patient lay, not the projection.
_POSITIONS = {
    Projection.AP: {"AP", "FRONTAL", "FRONT", "ANTEROPOSTERIOR", "A-P", "A/P", "AP AXIAL"},
    Projection.PA: {"PA", "POSTEROANTERIOR", "P-A", "P/A"},
    Projection.LATERAL: {
        "LL",
        "RL",
        "LAT",
        "LATERAL",
        "LLAT",
        "RLAT",
        "L LAT",
        "R LAT",
        "LEFT LATERAL",
        "RIGHT LATERAL",
    }
    | {"ML", "LM", "XTL", "XTLL", "XTLR"},
    Projection.OBLIQUE: {
        "OBL",
        "OBLIQUE",
        "LPO",
        "RPO",
        "LAO",
        "RAO",
        "LLO",
        "RLO",
        "MLO",
        "LMO",
        "LO",
        "RO",
        "AO",
        "PO",
    },
}

# View code values of PS3.16 CID 4010 with their retired SNOMED-RT equals. "Frontal" without a direction counts as AP.
_VIEW_CODES = {
    Projection.AP: {"399348003", "R-10206", "399033003", "R-10202"},
    Projection.PA: {"272479007", "R-40888", "R-10214"},
    Projection.LATERAL: {"399067008", "R-102CD", "399173006", "R-10236", "399198007", "R-10232"}
    | {"399260004", "R-10224", "399352003", "R-10228"},
    Projection.OBLIQUE: {"399182000", "R-102C1", "399038007", "R-10210", "399006002", "R-10212", "399356000", "R-40985"}
    | {"R-10218", "399135007", "R-10220", "399236003", "R-10234", "399184004", "R-10238", "399059000", "R-10216"}
    | {"399312000", "R-10208", "399160007", "R-10204", "260427002", "R-40783", "260426006", "R-40782"}
    | {"399099002", "R-10230", "399368009", "R-10226"},
}

_BENDING = r"\b(lateral|side|links|rechts|left|right) ?(bend\w*|flexion)\b|\bbending\b|\bseitneig\w*"
_FRONTAL_WORDS = {
    Projection.PA: r"\bp a\b|\bpa\b|\bpostero ?anterior\w*|\bpostero ?anteriore\b|後前|后前|후전",
    Projection.AP: r"\ba p\b|\bap\b|\bantero ?posterior\w*|\bfrontal\w*|\bfrontaal\b|\bfront\b|\bfrente\b|\bface\b"
    r"|\bcoronal\w*|\bvoorachterwaarts\w*|\bvoor achterwaarts\w*|正面|正位|前後|前后|정면|전후",
}
_LATERAL_WORDS = (
    r"\blat\b|\blateral\w*|\blaterale?s?\b|\bllat\b|\brlat\b|\bseitl\w*|\bseite\b|\bseitenbild\b|\bprofile?\b"
    r"|\bprofilo\b"
    r"|\bperfil\b|\bzijdelings\w*|\bzijwaarts\w*|\bdwars\w*|\bll\b|\bsagittal\w*|\bswimmers?\b|\bflexion\b"
    r"|\bextension\b"
    r"|\binklination\b|\breklination\b|側面|侧位|側位|측면"
)
_OBLIQUE_WORDS = (
    r"\bobliq\w*|\bobl\b|\bschrag\w*|\bschraeg\w*|\boblicu\w*|\bobliqu\w*|\bschuin\w*|\btrois quarts\b"
    r"|\b(lpo|rpo|lao|rao)\b|斜位|斜方|사위|사방향"
)

_CERVICAL = (
    r"\bc ?spine\b|\bc sp\b|\bcspine\b|\bcerv\w*|\bhws\b|\bhalswirbel\w*|\bnekwervel\w*|\bcwk\b|\bcwz\b"
    r"|\bhalswervel\w*"
    r"|頚椎|頸椎|颈椎|경추"
)
_BELOW_THE_NECK = (
    r"\b[lt] ?spine\b|\bl ?s ?spine\b|\bt ?l ?spine\b|\bc ?t ?spine\b|\bs ?spine\b|\blumb\w*|\blomb\w*|\blws\b"
    r"|\bbws\b"
    r"|\blwk\b|\bbwk\b|\blwz\b|\blendenwirbel\w*|\bbrustwirbel\w*|\bthoracolumb\w*|\bthoracic ?spine\b"
    r"|\bdorso ?lo?umb\w*"
    r"|\bsacr\w*|\bsakr\w*|\bcoccyx\b|\bwhole ?spine\b|\bwhole ?body\b|\bfull ?spine\b|\bentire ?spine\b"
    r"|\bscolio\w*|\bskolio\w*"
    r"|\bescolio\w*|\bws ?ganz\b|\bwirbelsaulenganz\w*|\bganzwirbel\w*|\bpelvi\w*|\bbecken\w*|\bbassin\b"
    r"|\bbacino\b|\bbekken\b"
    r"|\babdom\w*|\bbauch\w*|\bkub\b|\btelerachi\w*|\beos\b|腰椎|腰仙椎|胸椎|胸腰椎|仙骨|骶|骨盤|骨盆|腹部|全脊椎|全脊柱|요추|흉추|천추|전척추|골반"
    r"|복부"
)
_SPINE = (
    r"\bspine\b|\bspinal\b|\bvertebr\w*|\bwirbel\w*|\bws\b|\brachis\b|\brachide\b|\bcolumna\b|\bcolonna\b"
    r"|\bcolonne\b|\bcoluna\b"
    r"|\braquis\b|\braqui\w*|\bwervel\w*|脊椎|脊柱|척추"
)
_CHEST = (
    r"\bchest\b|\bthorax\b|\bthoraces\b|\blungs?\b|\bpoumons?\b|\btorax\b|\btorace\b|\bribs?\b|\brippen\w*"
    r"|\bhemithorax\b|\bheart\b|胸部|흉부"
)
_OTHER = (
    r"\bhands?\b|\bhand\w*gelenk\w*|\bmains?\b|\bmano\b|\bmao\b|\bfingers?\b|\bthumb\b|\bdaumen\b|\bwrists?\b"
    r"|\bcarp\w*|\bpols\b"
    r"|\bknees?\b|\bknie\w*|\bgenoux?\b|\brodilla\b|\bginocchio\b|\bjoelho\b|\bpatella\b|\bskull\b|\bschadel\w*"
    r"|\bcrane\b|\bcraneo\b"
    r"|\bcranio\b|\bhead\b|\bkopf\b|\btete\b|\bbrain\b|\bbreast\b|\bmamm\w*|\bfoot\b|\bfeet\b|\bfuss\w*"
    r"|\bfuß\w*|\bpieds?\b|\bpiede?\b"
    r"|\bvoet\w*|\btoes?\b|\bankles?\b|\bsprunggelenk\w*|\bcheville\b|\btobillo\b|\bcaviglia\b|\benkel\b"
    r"|\bcalcaneus\b|\bheel\b"
    r"|\bshoulders?\b|\bschulter\w*|\bepaule\b|\bhombro\b|\bspalla\b|\bombro\b|\bschouder\w*|\bclavic\w*"
    r"|\bscapula\b|\belbow\w*"
    r"|\bellenbogen\w*|\bcoude\b|\bcodo\b|\bgomito\b|\bcotovelo\b|\bforearm\b|\bunterarm\b|\bhumerus\b|\barm\b"
    r"|\bradius\b|\bulna\b"
    r"|\bhips?\b|\bhuft\w*|\bhanches?\b|\bcadera\b|\banca\b|\bquadril\b|\bfemur\b|\btibia\b|\bfibula\b|\bleg\b"
    r"|\blegs\b|\bthigh\b|\bextremit\w*|\bjaw\b|\bmandib\w*|\bmaxilla\b|\bteeth\b|\bdental\b"
    r"|\bsinus\w*|\bnasal\b|\bnase\w*|\borbit\w*|\bface\b|\bfacial\b|手部|手関節|膝|頭部|头部|頭蓋|颅骨|肩|肘|足|踝|乳|손|무릎"
    r"|두개|어깨|팔꿈치|발목|유방"
)


def plain(text: str) -> str:
    """Small letters without accents; everything that is no letter becomes one space.

    >>> plain("LWS_a.p./Schräg 2")
    'lws a p schrag'
    """
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(char for char in decomposed if not 0x300 <= ord(char) <= 0x36F)
    letters = (char if char.isalpha() else " " for char in unicodedata.normalize("NFC", bare))
    return " ".join("".join(letters).split())


def of_position(view_position: str) -> Projection | None:
    """What View Position (0018,5101) says; None when it is empty or no known term."""
    return _containing(_POSITIONS, " ".join(view_position.upper().split()))


def of_codes(view_codes: Iterable[str]) -> Projection | None:
    """What the view codes (``SCHEME:VALUE``) say."""
    found = (_containing(_VIEW_CODES, code.rpartition(":")[2]) for code in view_codes)
    return next((projection for projection in found if projection), None)


def of_orientation(orientation: Sequence[str]) -> Projection | None:
    """What Patient Orientation (0020,0020) says: rows to left or right are frontal, rows to front or back lateral.

    The first letter of each direction is its main one (PS3.3 C.7.6.1.1.1). Frontal counts as AP: films of either
    direction are hung alike.
    """
    if len(orientation) != 2 or not all(orientation):
        return None
    axes = {direction.strip().upper()[:1] for direction in orientation}
    along = axes - {"H", "F"}
    if len(axes) != 2 or len(along) != 1:
        return None
    return {"L": Projection.AP, "R": Projection.AP, "A": Projection.LATERAL, "P": Projection.LATERAL}.get(along.pop())


def of_words(descriptions: Iterable[str]) -> frozenset[Projection]:
    """What the descriptions say; of each text only what is unambiguous (``LWS ap/seitl`` says nothing)."""
    return frozenset(found for text in descriptions if (found := _of_text(plain(text))))


def _of_text(text: str) -> Projection | None:
    if re.search(_BENDING, text):
        return Projection.AP
    frontal = [projection for projection, words in _FRONTAL_WORDS.items() if re.search(words, text)]
    lateral = [Projection.LATERAL] if re.search(_LATERAL_WORDS, text) else []
    oblique = [Projection.OBLIQUE] if re.search(_OBLIQUE_WORDS, text) else []
    found = frontal[:1] + lateral + oblique
    return found[0] if len(found) == 1 else None


def region_of(text: str) -> Region | None:
    """The part of the body that a text names; None when it names none that is known. The spine outweighs the rest.

    >>> region_of("Rachis lombaire de face"), region_of("HWS seitlich"), region_of("Thorax pa"), region_of("Routine")
    (<Region.SPINE: 'spine'>, <Region.CERVICAL: 'cervical spine'>, <Region.CHEST: 'chest'>, None)
    """
    words = plain(text)
    if re.search(_BELOW_THE_NECK, words):
        return Region.SPINE
    if re.search(_CERVICAL, words):
        return Region.CERVICAL
    if re.search(_SPINE, words):
        return Region.SPINE
    if re.search(_CHEST, words):
        return Region.CHEST
    return Region.OTHER if re.search(_OTHER, words) else None


def _containing(table: dict[Projection, set[str]], value: str) -> Projection | None:
    return next((projection for projection, values in table.items() if value in values), None)
