"""What a simulated patient is: everything that is drawn by chance, drawn once, and kept as JSON.

Lengths mm, angles degrees, right before left in every pair. Frames are those of `numbering.phantom.pose`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from numbering.anatomy import Level, Variant

Castellvi = Literal["none", "I", "II", "III", "IV"]
"""One side of a transitional vertebra: I dysplastic process ≥ 19 mm, II joint, III fusion. IV: II here, III there."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Dimensions of one vertebra, mm: widths across, depths front to back, heights head to foot."""

    upper_width: float
    lower_width: float
    upper_depth: float
    lower_depth: float
    height_anterior: float
    height_posterior: float
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    spinous_length: float
    """From the front of the body to the tip of the spinous process."""
    transverse_span: float
    facet_angle: float
    """Of the lower facets against the sagittal plane, degrees."""

    @property
    def height(self) -> float:
        """Mean of the anterior and the posterior height."""
        return (self.height_anterior + self.height_posterior) / 2


@dataclass(frozen=True, kw_only=True)
class DiscBelow:
    """The disc under a vertebra. ``degeneration`` 0 (healthy) … 1 (black, collapsed); ``fused``: block vertebra."""

    height_anterior: float
    height_middle: float
    height_posterior: float
    degeneration: float
    fused: bool = False
    cage: bool = False


@dataclass(frozen=True, kw_only=True)
class Vertebra:
    """One vertebra as sampled.

    ``forward``, ``sideways`` and ``turn`` are its lean standing, degrees about the patient's x (front down positive),
    y (top towards the patient's left positive) and z (spinous process towards the patient's left, so front towards the
    right, positive); `numbering.phantom.pose` takes some lordosis away when the patient lies. ``slip_mm`` is how far it
    stands in front of the one below; a millimetre either way is usual.
    """

    level: Level
    ordinal: int
    size: Size
    disc: DiscBelow
    forward: float
    sideways: float
    turn: float
    slip_mm: float = 0.0
    rib_mm: tuple[float, float] = (0.0, 0.0)
    """Lengths of its ribs, right and left; 0 where it bears none."""
    castellvi: tuple[Castellvi, Castellvi] = ("none", "none")
    """Of a last lumbar-type vertebra: right and left."""
    missing_half: Literal["none", "right", "left"] = "none"
    """A hemivertebra lacks this half of its body; its heights are those of the side that is there."""
    endplate_dent_mm: tuple[float, float] = (0.0, 0.0)
    """Further concavity of the upper and the lower endplate (biconcave fracture), beyond the usual one."""
    osteophyte_mm: float = 0.0
    lysis: bool = False
    """Its arch is severed (spondylolysis): spinous process and lower facets do not follow a slip."""
    screws: bool = False
    cement: bool = False

    @property
    def rib_bearing(self) -> bool:
        """Whether it bears a rib on either side, however short."""
        return max(self.rib_mm) > 0


@dataclass(frozen=True, kw_only=True)
class Sacrum:
    """Sacrum and pelvis. ``squared`` 0…1: how far S1 looks like a lumbar body; ``s1_s2_disc_mm``: a trace of a disc is
    usual, 0 when fused."""

    slope: float
    """Of the upper endplate against the horizontal, standing."""
    pelvic_incidence: float
    endplate_width: float
    endplate_depth: float
    width: float
    length: float
    bi_iliac: float
    crest_ordinal: float
    """Height of the iliac crests on the spine: 23.0 is the middle of L4 in the usual spine, 23.5 the disc below it."""
    squared: float = 0.0
    s1_s2_disc_mm: float = 0.0
    castellvi: tuple[Castellvi, Castellvi] = ("none", "none")
    """Of a lumbarised S1: right and left. ``none`` in the usual spine, whose S1 is the sacrum's."""
    screws: bool = False
    """Pedicle screws in S1."""
    hip_prosthesis: tuple[bool, bool] = (False, False)


@dataclass(frozen=True, kw_only=True)
class SoftTissue:
    """Muscles, organs, vessels, gas and fat.

    Positions along the spine are ordinals of the usual spine, as `numbering.phantom.pose.Skeleton.at` takes them (20.0
    is the middle of the first lumbar vertebra, 24.0 of the lowest).
    """

    psoas_cm2: tuple[float, ...]
    """Cross-section of one side at L1…L5; the same for the other muscles."""
    quadratus_cm2: tuple[float, ...]
    erector_cm2: tuple[float, ...]
    multifidus_cm2: tuple[float, ...]
    muscle_fat: float
    """Share of fat in the muscles of the back, 0…0.6."""
    waist_half_width: float
    waist_half_depth: float
    subcutaneous_mm: float
    """Fat between skin and muscle at the flank; behind it is about the same."""
    kidney_ordinal: tuple[float, float]
    """Middle of the right and the left kidney."""
    kidney_length: float
    bifurcation_ordinal: float
    """Where the aorta divides; the cava is formed half a level below."""
    right_renal_artery_ordinal: float
    conus_ordinal: float
    aortic_calcification: float
    """0 (none) … 1 (a calcified tube)."""
    bowel_gas: float
    """About 1."""
    bowel_contrast: bool = False
    kidney_contrast: bool = False


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A sampled patient. ``sample`` makes one; `to_json` keeps it."""

    seed: int
    sex: Literal["F", "M"]
    age: int
    stature_mm: float
    weight_kg: float
    bone_hu: float
    """Trabecular HU of L1 at 120 kV; cortex follows it."""
    variant: Variant
    anomalies: tuple[str, ...]
    vertebrae: tuple[Vertebra, ...]
    """Head to foot, from C2 to the lowest lumbar-type vertebra."""
    sacrum: Sacrum
    soft: SoftTissue
    rods: bool = False
    """Rods join the pedicle screws."""
    supine_loss: float = 6.5
    """Degrees of lordosis L1–S1 that go when the patient lies."""

    @property
    def lowest_lumbar(self) -> Vertebra:
        """The lowest lumbar-type vertebra: L5 in the usual spine."""
        return self.vertebrae[-1]

    @property
    def scale(self) -> float:
        """Size against the mean of both sexes (1.0), for what no table gives a size of its own."""
        return sum(v.size.height for v in self.vertebrae[-5:]) / 5 / 26.2


_JSON = TypeAdapter(Patient)


def to_json(patient: Patient) -> str:
    """The patient as JSON; `from_json` gives it back equal."""
    return _JSON.dump_json(patient, indent=1).decode()


def from_json(text: str | bytes) -> Patient:
    """The patient that `to_json` wrote; ``pydantic.ValidationError`` names what does not fit."""
    return _JSON.validate_json(text)
