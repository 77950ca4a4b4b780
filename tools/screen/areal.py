"""Areal density of a CT, as DXA would read it, beside the volumetric one (`--bmd-variant dxa`).

reading = areal.read(scan, found, settings.areal(), settings)
areal.block(reading, verdicts.levels)      # `areal` of report.json
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools import areal, bundles
from tools.levels import MEASURED_LEVELS
from tools.screen.chain import Findings
from tools.screen.facts import MEASURED, REFUSED, Verdict
from tools.screen.scan import Scan
from tools.screen.settings import MEASURING, Settings

KEY = "areal_bmd_g_cm2"
"""Where an areal density stands, g/cm²."""


@dataclass(frozen=True)
class Reading:
    """What the variant read.

    Attributes:
        levels: Level -> what the bundle says of it.
        weights_sha256: Checksum of its weights; None where the variant did not run.
    """

    levels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    weights_sha256: str | None = None


NOTHING = Reading()
"""Where no variant was asked for."""


def read(scan: Scan, found: Findings, bundle: bundles.Bundle | None, settings: Settings) -> Reading:
    """Let the variant read a CT whose levels are found.

    Args:
        scan: The CT.
        found: What was measured in it.
        bundle: From `Settings.areal`; None for no variant.
        settings: The run's options.
    """
    if bundle is None:
        return NOTHING
    given = areal.as_input(
        scan.hu,
        scan.affine,
        found.labels,
        scan.case.name,
        settings.voltage(scan.header),
        scan.header.contrast,
        found.aorta.hu_median,
    )
    return Reading(bundle.run(given)["levels"], bundle.weights_sha256)


def block(reading: Reading, verdicts: Mapping[str, Verdict]) -> dict[str, Any] | None:
    """Draw `areal` of report.json: the patient is the mean over slices of all levels that count.

    What the gate refuses is refused here too; a level with a suspected fracture leaves the mean.

    Args:
        reading: From `read`.
        verdicts: Level -> the gate's verdict.

    Returns:
        None where no variant was asked for.
    """
    if reading.weights_sha256 is None:
        return None
    levels = {name: _level(reading.levels[name], verdicts[name]) for name in MEASURED_LEVELS}
    used = [
        name
        for name, level in levels.items()
        if level["status"] == MEASURED and "fracture_suspected" not in verdicts[name].warnings
    ]
    values = [levels[name][KEY] for name in used]
    score = _reference().of_levels(values)
    return {
        "status": MEASURED if used else REFUSED,
        "reasons": [] if used else _why(levels, verdicts),
        KEY: sum(values) / len(values) if used else None,
        "levels_used": used,
        "t_score": score,
        "t_score_reference": None if score is None else _reference().name,
        "levels": levels,
        "weights_sha256": reading.weights_sha256,
    }


def _level(said: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """One level: refused if the gate or the variant refuses it."""
    reasons = [*verdict.reasons] or [*said["reasons"]]
    value = None if reasons else said[KEY]
    return {"status": REFUSED if reasons else MEASURED, "reasons": reasons, KEY: value}


def _why(levels: Mapping[str, Mapping[str, Any]], verdicts: Mapping[str, Verdict]) -> list[str]:
    """Why no level counts."""
    codes: Sequence[str] = [code for level in levels.values() for code in level["reasons"]]
    fractured = any("fracture_suspected" in verdict.warnings for verdict in verdicts.values())
    return list(dict.fromkeys([*codes, *(["fracture_suspected"] if fractured else [])]))


def _reference() -> Any:
    return bundles.module(MEASURING, "bmd_bundle.t_score").Reference()
