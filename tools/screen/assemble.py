"""From the findings of a CT to the content of its report.json: the gate's verdicts with numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tools import __version__, bundles
from tools.levels import MEASURED_LEVELS
from tools.screen import areal, fracture, gate, heights, network
from tools.screen.chain import Findings
from tools.screen.scan import Scan
from tools.screen.settings import MEASURING, Settings

SCHEMA = 1

DECIMALS = 3
"""Digits after the point: 0.001 mg/cm³ or HU are far below any error."""

PLACE_DECIMALS = 2
"""The same of a slice's thickness, mm: places in headers are rounded, so that 5 mm are 5.000001."""

STAGES = ("load", "segmentation", "bmd", "ovf", "write")


def report(
    scan: Scan,
    found: Findings,
    settings: Settings,
    segmentation: bundles.Bundle,
    reading: network.Reading = network.NOTHING,
    judgement: fracture.Judgement = fracture.NOTHING,
    beside: areal.Reading = areal.NOTHING,
) -> dict[str, Any]:
    """Assemble report.json.

    Args:
        scan: The CT.
        found: What was measured in it.
        settings: The run's options.
        segmentation: The bundle that found the levels.
        reading: What the density network read.
        judgement: What the fracture network says.
        beside: What the variant against DXA read.

    Returns:
        Content of report.json, schema 1; the time of writing is filled in later.
    """
    calibrations = bundles.module(MEASURING, "bmd_bundle.calibration")
    calibrating = bundles.module(MEASURING, "bmd_bundle.in_use")
    kvp = settings.voltage(scan.header)
    used, wrong_voltage = None, False
    try:
        used = calibrating.for_scan(settings.read_calibration(), kvp)
    except calibrating.WrongVoltageError:
        wrong_voltage = True
    except calibrations.CalibrationError:  # no reference at this voltage: the gate refuses it, too
        pass
    facts = _scan_facts(scan, found, settings, kvp, wrong_voltage)
    verdicts = gate.judge(facts, _level_facts(found, reading, used and used.line))
    linear = {
        name: _density(found, name, used) if verdict.has_density else None
        for name, verdict in verdicts.levels.items()
    }
    # One reading for all levels of a patient: a level that only one of them reads is refused.
    densities = (
        linear
        if not reading.weights
        else {name: reading.densities.get(name) if one else None for name, one in linear.items()}
    )
    described = bundles.module(segmentation.name, "lumbar_bundle.save").describe_input(
        scan.case.kind, scan.hu.shape, scan.affine
    )
    content = {
        "schema": SCHEMA,
        "case": scan.case.name,
        "software": {
            "version": __version__,
            "weights": {
                segmentation.name: segmentation.weights_sha256,
                **reading.weights,
                **judgement.weights,
            },
        },
        "input": {
            "kind": described["kind"],
            "shape": described["shape"],
            "spacing_mm": described["spacing_mm"],
            "kvp": kvp,
            "kernel": scan.header.kernel,
            "contrast": scan.header.contrast,
            "sagittal_reformat": described["sagittal_reformat"],
        },
        "calibration": used.block() if used and any(densities.values()) else None,
        "levels": {
            name: _level(found, name, verdicts.levels[name])
            | _readings(linear[name], reading.densities.get(name))
            for name in MEASURED_LEVELS
        },
        "patient": gate.patient(verdicts, densities, calibrations, beside=linear),
        "ovf": judgement.block,
        "qc": {"aorta_hu": found.aorta.hu_median, "warnings": verdicts.warnings},
        "timing_s": {stage: found.timing_s.get(stage) for stage in STAGES},
    }
    if (areal_block := areal.block(beside, verdicts.levels)) is not None:
        content["areal"] = areal_block
    plain: dict[str, Any] = _plain(content)
    return plain


def _scan_facts(
    scan: Scan, found: Findings, settings: Settings, kvp: float | None, wrong_voltage: bool = False
) -> gate.Scan:
    # Between planes: along the steps, slices of a tilted gantry lie farther apart.
    apart = 1 / np.linalg.norm(np.linalg.inv(scan.affine[:3, :3]), axis=1)
    # Overlapping slices lie closer than they are thick.
    thickness_mm = max(float(apart.max()), scan.header.thickness_mm or 0.0)
    return gate.Scan(
        thickness_mm=round(thickness_mm, PLACE_DECIMALS),
        kvp=kvp,
        beam_problem=scan.header.beam_problem,
        wrong_voltage=wrong_voltage,
        contrast=scan.header.contrast,
        aorta_hu=found.aorta.hu_median,
        scale_problem=scan.scale_problem is not None,
        allow_contrast=settings.allow_contrast,
    )


def _level_facts(found: Findings, reading: network.Reading, line: Any) -> dict[str, gate.Level]:
    facts = {}
    for name in MEASURED_LEVELS:
        level, patch = found.levels[name], found.patches.get(name)
        facts[name] = gate.Level(
            reasons=tuple(level["reasons"]),
            warnings=tuple(level["warnings"]),
            metal=name in found.dense,
            patch_problem=found.refusals.get(name) or reading.refusals.get(name),
            height_loss=found.losses.get(name),
            mean_hu=patch and patch.mean_hu,
            trabecular_hu=patch and patch.trabecular_hu,
            core_hu=patch and patch.core_mean_hu,
            standard_error_hu=patch and patch.trabecular_error_hu,
            slope_hu_per_mg_cm3=line and line.slope_hu_per_mg_cm3,
            readings_apart_mg_cm3=reading.raw[name] - line.density(patch.trabecular_hu)
            if patch and line and name in reading.raw
            else None,
        )
    return facts


def _density(found: Findings, name: str, used: Any) -> gate.Density | None:
    """HU-linear density of a level with its interval, mg/cm³ HA."""
    patch = found.patches.get(name)
    if patch is None or used is None:
        return None
    density: gate.Density = used.hu_linear(patch.trabecular_hu, patch.trabecular_error_hu)
    return density


def _readings(linear: gate.Density | None, cnn: gate.Density | None) -> dict[str, Any]:
    """Both densities of a level; the interval is that of the one that counts."""
    density = cnn or linear
    if linear is None or density is None:  # the gate withholds it
        return dict.fromkeys(
            ("bmd_cnn_mg_cm3", "bmd_hu_linear_mg_cm3", "bmd_interval_95_mg_cm3"), None
        )
    return {
        "bmd_cnn_mg_cm3": cnn and cnn[0],
        "bmd_hu_linear_mg_cm3": linear[0],
        "bmd_interval_95_mg_cm3": list(density[1]),
    }


def _level(found: Findings, name: str, verdict: gate.Verdict) -> dict[str, Any]:
    """One level's block without its densities."""
    level, patch = found.levels[name], found.patches.get(name)
    lost = heights.worst(found.losses.get(name))
    shown = patch if verdict.status == gate.MEASURED else None
    return {
        "status": verdict.status,
        "reasons": verdict.reasons,
        "warnings": verdict.warnings,
        "confidence": level["confidence"],
        "centroid_ras_mm": level.get("centroid_ras_mm"),
        "volume_mm3": level.get("volume_mm3"),
        "height_loss": found.losses.get(name),
        "fracture_grade": None if lost is None else heights.grade(lost),
        "hu_trabecular": shown and shown.trabecular_hu,
        "hu_median": shown and shown.median_hu,
        "hu_sd": shown and shown.sd_hu,
        "noise_hu": shown and shown.noise_hu,
    }


def _plain(value: Any) -> Any:
    """Python's own types, rounded; null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value
