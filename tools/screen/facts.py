"""What the quality gate knows and what it says: facts of a scan and its levels, and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tools.screen.heights import GRADE_LIMITS

MEASURED, REFUSED = "measured", "refused"

CODES = (
    "level_not_found", "touches_border", "chain_broken", "no_anchor", "metal_or_cement",
    "fracture_suspected", "contrast", "kvp_out_of_range", "kvp_not_120", "kvp_unknown", "noisy",
    "thick", "scale", "heterogeneous", "patch_outside_body", "no_axial_data",
)  # fmt: skip
"""Reasons and warnings in the order in which reports list them."""


@dataclass(frozen=True)
class Limits:
    """Where the gate closes.

    Attributes:
        usual_kvp: Voltage that needs no warning, kV.
        kvp: Lowest and highest voltage with a calibration, kV.
        aorta_hu: Blood above this is enhanced, HU: unenhanced blood reads 35 to 60.
        standard_error_hu: A mean less sure than this is noisy, HU; 5 HU are 4 mg/cm³.
        thick_mm: Slices thicker than this are warned of, mm: what opportunistic studies went up to.
        too_thick_mm: Slices thicker than this are refused, mm. Between two slices a patch reads up
            to one and a half of them away, which here is half the height of a body (design).
        heterogeneous_mg_cm3: Difference of the patch from the body's whole core, or from itself
            without dense foci, or of the network's density from HU-linear, mg/cm³.
        fracture_loss: Share of height lost that makes a fracture suspected.
        least_levels: Levels that a category takes.
    """

    usual_kvp: float = 120.0
    kvp: tuple[float, float] = (80.0, 140.0)
    aorta_hu: float = 80.0
    standard_error_hu: float = 5.0
    thick_mm: float = 5.0
    too_thick_mm: float = 8.0
    heterogeneous_mg_cm3: float = 15.0
    fracture_loss: float = GRADE_LIMITS[0]
    least_levels: int = 2


DEFAULT = Limits()


@dataclass(frozen=True)
class Scan:
    """What is known of a scan.

    Attributes:
        thickness_mm: Slice thickness or interval, whichever is larger, mm.
        kvp: Tube voltage, kV; None if unknown.
        beam_problem: Whether the images are tin-filtered, mono-energetic, an iodine map or
            cone-beam.
        wrong_voltage: Whether the calibration given was made at another tube voltage.
        contrast: What the header says of contrast medium.
        aorta_hu: Blood of the aorta, HU; None if it was not found.
        scale_problem: Whether the numbers are no HU (`tools.screen.scale`).
        allow_contrast: Whether densities of enhanced scans are wanted all the same.
    """

    thickness_mm: float
    kvp: float | None = None
    beam_problem: bool = False
    wrong_voltage: bool = False
    contrast: Literal["none", "applied", "unknown"] = "unknown"
    aorta_hu: float | None = None
    scale_problem: bool = False
    allow_contrast: bool = False


@dataclass(frozen=True)
class Level:
    """What was found at a level; HU and slope None where no patch was measured.

    Attributes:
        reasons: Why naming refused it; empty if it did not.
        warnings: What naming warned of.
        metal: Whether metal or cement lies at it.
        patch_problem: Why no patch could be taken, a code of the report.
        height_loss: Shares of its height that are lost, None if unknown.
        mean_hu: Mean of the patch.
        trabecular_hu: What density is read from: the body's central slab without dense foci.
        core_hu: Mean of the whole trabecular core.
        standard_error_hu: Of `trabecular_hu`, from noise.
        slope_hu_per_mg_cm3: Of the calibration in use.
        readings_apart_mg_cm3: Network less HU-linear density, both uncorrected; None for one.
    """

    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    metal: bool = False
    patch_problem: str | None = None
    height_loss: Mapping[str, float] | None = None
    mean_hu: float | None = None
    trabecular_hu: float | None = None
    core_hu: float | None = None
    standard_error_hu: float | None = None
    slope_hu_per_mg_cm3: float | None = None
    readings_apart_mg_cm3: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a level.

    Attributes:
        status: "measured" or "refused".
        reasons: Why it is refused; empty if it is not.
        warnings: What to bear in mind.
        has_density: Whether its HU may be turned into a density.
        in_mean: Whether that density counts for the patient.
    """

    status: str
    reasons: list[str]
    warnings: list[str]
    has_density: bool
    in_mean: bool


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a scan.

    Attributes:
        levels: Verdict on every level.
        reasons: What refuses densities of the whole scan.
        warnings: What holds for the whole scan: `qc.warnings` of the report.
    """

    levels: dict[str, Verdict]
    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
