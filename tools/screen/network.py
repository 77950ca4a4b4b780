"""What the density network reads in a CT whose levels are found, beside HU-linear density.

reading = network.read(scan, found.labels, found.aorta, settings.density(), settings)
reading.densities["L2"]                          # 98.0, (88.0, 108.0)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tools import bundles, density
from tools.screen.boxes import surroundings
from tools.screen.gate import MEASURED, Density
from tools.screen.scan import Scan
from tools.screen.settings import MEASURING, Settings


@dataclass(frozen=True)
class Reading:
    """What the network read.

    Attributes:
        densities: Level -> density with its 95 % interval, mg/cm³ HA.
        raw: Level -> the same before a site's correction.
        refusals: Level with a label -> reason code why the network reads nothing there.
        weights: Bundle -> SHA-256 of its weights.
    """

    densities: Mapping[str, Density] = field(default_factory=dict)
    raw: Mapping[str, float] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)


NOTHING = Reading()
"""Where no network reads."""


def read(
    scan: Scan,
    labels: np.ndarray,
    aorta: Any,
    bundle: bundles.Bundle | None,
    settings: Settings,
) -> Reading:
    """Let the network read the levels of a CT.

    Args:
        scan: The CT.
        labels: Ids 1 to 4 of the levels found on the CT's grid, uint8 [X, Y, Z].
        aorta: The scan's (`bmd_bundle.aorta.Aorta`).
        bundle: From `Settings.density`; None for no network.
        settings: The run's options.

    Returns:
        The reading; of no level where the scan's voltage has no calibration.

    Raises:
        ValueError: If the bundle cannot use the CT; one line.
    """
    if bundle is None:
        return NOTHING
    weights = {bundle.name: bundle.weights_sha256}
    kvp = settings.voltage(scan.header)
    calibrations = bundles.module(MEASURING, "bmd_bundle.calibration")
    given = settings.read_calibration()
    try:
        used = bundles.module(MEASURING, "bmd_bundle.in_use").for_scan(given, kvp)
    except calibrations.CalibrationError:  # the gate says so
        return Reading(weights=weights)
    if not labels.any():
        return Reading(weights=weights)
    box, affine = surroundings(labels > 0, scan.affine)
    tissues = None
    if settings.network() is density.INTERNAL:  # the part lacks air and the fat under the skin
        measure = bundles.module(MEASURING, "bmd_bundle.tissues").measure
        tissues = measure(scan.hu, scan.affine, labels, aorta)
    given = density.as_input(scan.hu[box], affine, labels[box], scan.case.name, kvp, tissues)
    levels = bundle.run(given)["levels"]
    shown = {name for name, level in levels.items() if level["reasons"] != ["level_not_found"]}
    densities = {
        name: (level["bmd_cnn_mg_cm3"], tuple(level["bmd_interval_95_mg_cm3"]))
        for name, level in levels.items()
        if level["status"] == MEASURED
    }
    raw = {
        name: (value - used.site.intercept) / used.site.slope if used.site else value
        for name, (value, _) in densities.items()
    }
    refusals = {name: levels[name]["reasons"][0] for name in shown if levels[name]["reasons"]}
    return Reading(densities, raw, refusals, weights)
