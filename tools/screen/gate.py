"""The quality gate: which levels are measured, which are refused and why, and the patient's mean.

    judgement = gate.judge(gate.Scan(kvp=120, thickness_mm=1.0, ...), {"L1": gate.Level(...), ...})
    gate.patient(judgement, {"L1": (98.0, (88.0, 108.0)), ...}, calibration)

Every rule of the report's reasons and warnings stands here, every number of them in
`tools.screen.facts.Limits`. What makes a number wrong refuses; what makes it less sure warns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from tools.levels import MEASURED_LEVELS
from tools.screen.facts import (
    CODES,
    DEFAULT,
    MEASURED,
    REFUSED,
    Judgement,
    Level,
    Limits,
    Scan,
    Verdict,
)
from tools.screen.heights import worst

__all__ = ["DEFAULT", "Judgement", "Level", "Limits", "Scan", "Verdict", "judge", "patient"]


def judge(scan: Scan, levels: Mapping[str, Level], limits: Limits = DEFAULT) -> Judgement:
    """Judge a scan and its levels.

    Args:
        scan: What is known of the scan.
        levels: L1 to L4 -> what was found.
        limits: Where the gate closes.

    Returns:
        Reasons and warnings. The scan's own reasons refuse every level that was found, except
        `contrast`: its levels keep their HU, as those of enhanced bone, and lose their density
        unless `allow_contrast`.
    """
    enhanced = is_enhanced(scan, limits)
    refusing = _ordered(_scan_reasons(scan, limits))
    warning = _ordered([*_scan_warnings(scan, limits), *(["contrast"] if enhanced else [])])
    withheld = enhanced and not scan.allow_contrast
    verdicts = {
        name: _judge_level(level, refusing, enhanced, withheld, limits)
        for name, level in levels.items()
    }
    reasons = _ordered([*refusing, *(["contrast"] if withheld else [])])
    return Judgement(verdicts, reasons, _ordered([*refusing, *warning]))


def is_enhanced(scan: Scan, limits: Limits = DEFAULT) -> bool:
    """Tell whether contrast medium is in the blood: the aorta shows it, or the header says so."""
    bright = scan.aorta_hu is not None and scan.aorta_hu > limits.aorta_hu
    return bright or scan.contrast == "applied"


def _scan_reasons(scan: Scan, limits: Limits) -> list[str]:
    low, high = limits.kvp
    reasons = []
    outside = scan.kvp is not None and not low <= scan.kvp <= high
    if scan.beam_problem or scan.wrong_voltage or outside:
        reasons.append("kvp_out_of_range")
    if scan.scale_problem:
        reasons.append("scale")
    if scan.thickness_mm > limits.too_thick_mm:
        reasons.append("thick")
    return reasons


def _scan_warnings(scan: Scan, limits: Limits) -> list[str]:
    warnings = []
    if scan.kvp is None:
        if not scan.beam_problem:  # else no voltage would help
            warnings.append("kvp_unknown")
    elif scan.kvp != limits.usual_kvp and limits.kvp[0] <= scan.kvp <= limits.kvp[1]:
        warnings.append("kvp_not_120")
    if limits.thick_mm < scan.thickness_mm <= limits.too_thick_mm:
        warnings.append("thick")
    return warnings


def _judge_level(
    level: Level, refusing: list[str], enhanced: bool, withheld: bool, limits: Limits
) -> Verdict:
    reasons = list(level.reasons)
    if not reasons:  # nothing more is known of a level that was not named
        reasons += refusing
        reasons += ["metal_or_cement"] if level.metal else []
        reasons += [level.patch_problem] if level.patch_problem else []
    warnings = list(level.warnings)
    lost = worst(level.height_loss)
    fractured = lost is not None and lost >= limits.fracture_loss
    warnings += ["fracture_suspected"] if fractured else []
    measured = not reasons
    if measured:
        warnings += ["contrast"] if enhanced else []
        warnings += _patch_warnings(level, limits)
    has_density = measured and not withheld
    return Verdict(
        MEASURED if measured else REFUSED,
        _ordered(reasons),
        _ordered(warnings),
        has_density,
        has_density and not fractured,
    )


def _patch_warnings(level: Level, limits: Limits) -> list[str]:
    warnings = []
    error = level.standard_error_hu
    if error is not None and error > limits.standard_error_hu:
        warnings.append("noisy")
    slope, mean = level.slope_hu_per_mg_cm3, level.mean_hu
    if slope is not None and mean is not None:
        others = (level.core_hu, level.trabecular_hu)
        apart = [abs(mean - other) / slope for other in others if other is not None]
        if level.readings_apart_mg_cm3 is not None:
            apart.append(abs(level.readings_apart_mg_cm3))
        if max(apart, default=0.0) > limits.heterogeneous_mg_cm3:
            warnings.append("heterogeneous")
    return warnings


def _ordered(codes: Iterable[str]) -> list[str]:
    """Codes once each, in the order of `CODES`.

    Raises:
        ValueError: If a code is none of the report's.
    """
    known = set(codes)
    if known - set(CODES):
        raise ValueError(f"unknown reason or warning {min(known - set(CODES))!r}")
    return [code for code in CODES if code in known]


Density = tuple[float, tuple[float, float]]
"""A density and its 95 % interval, mg/cm³ HA."""


def patient(
    judgement: Judgement,
    densities: Mapping[str, Density | None],
    calibration: ModuleType,
    limits: Limits = DEFAULT,
    beside: Mapping[str, Density | None] | None = None,
) -> dict[str, Any]:
    """Draw the patient's block of the report from the levels.

    Args:
        judgement: From `judge`.
        densities: Level -> density with its interval, mg/cm³ HA; None or absent for none.
        calibration: `bmd_bundle.calibration`, which knows the minerals and the categories.
        limits: Where the gate closes.
        beside: The same of the reading that does not count: where it falls into another category,
            the patient is borderline.

    Returns:
        `patient` of `report.json`: the mean over measured levels without a suspected fracture. Its
        interval is the mean of theirs, since they share their calibration's error.
    """
    used = {
        name: found
        for name in MEASURED_LEVELS
        if (verdict := judgement.levels.get(name)) is not None
        and verdict.in_mean
        and (found := densities.get(name)) is not None
    }
    block: dict[str, Any] = {
        "status": REFUSED,
        "reasons": [],
        "mean_bmd_mg_cm3": None,
        "mean_interval_95_mg_cm3": None,
        "mean_bmd_k2hpo4_mg_cm3": None,
        "levels_used": list(used),
        "category": None,
        "category_basis": "K2HPO4",
        "thresholds_mg_cm3": [round(limit) for limit in calibration.LIMITS_MG_CM3],
        "borderline": None,
    }
    if not used:
        return block | {"reasons": _why_none(judgement)}
    mean = sum(density for density, _ in used.values()) / len(used)
    low, high = (sum(ends[i] for _, ends in used.values()) / len(used) for i in (0, 1))
    block |= {
        "status": MEASURED,
        "mean_bmd_mg_cm3": mean,
        "mean_interval_95_mg_cm3": [low, high],
        "mean_bmd_k2hpo4_mg_cm3": calibration.to_k2hpo4(mean),
    }
    if len(used) >= limits.least_levels:
        places = [calibration.category(calibration.to_k2hpo4(value)) for value in (low, mean, high)]
        as_ha = calibration.category(mean)  # what a reader would call it who mistakes the mineral
        block["category"] = places[1]
        others = [found[0] for name in used if (found := (beside or {}).get(name))]
        if others:
            other = calibration.to_k2hpo4(sum(others) / len(others))
            places.append(calibration.category(other))
        block["borderline"] = len({*places, as_ha}) > 1
    return block


def _why_none(judgement: Judgement) -> list[str]:
    """Why no level counts: what refuses the scan, or what keeps each level out."""
    verdicts = judgement.levels.values()
    own = [code for verdict in verdicts for code in verdict.reasons]
    fractured = any("fracture_suspected" in v.warnings for v in verdicts if v.has_density)
    codes = [*judgement.reasons, *own, *(["fracture_suspected"] if fractured else [])]
    return _ordered(codes or ["level_not_found"])
