"""Every reading of a scanner's patients in all tiers, and what the fits rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tools import bundles
from tools.phantom.checks.patches.reading import BUNDLE
from tools.phantom.checks.patches.tiers import (
    calibrations,
    draws,
    readings,
    scoring,
    tables,
    trained_on,
)
from tools.phantom.checks.patches.tiers.cohort import Cohort
from tools.phantom.checks.patches.tiers.networks import Network
from tools.phantom.checks.patches.tiers.readings import HU_LINEAR, Values
from tools.phantom.checks.patches.tiers.scoring import Numbers
from tools.phantom.checks.patches.tiers.tables import IDEAL, Key


@dataclass
class Found:
    """All results.

    Attributes:
        numbers: By scanner, reading and tier.
        counts: What they rest on.
        calibrations: Scanner -> tier -> what was fitted, as JSON holds it.
        notes: What a reader must know, one sentence each.
        other_line: Line of the patients of `trained_on.SCANNER`, once they were read.
    """

    numbers: dict[Key, Numbers] = field(default_factory=dict)
    counts: dict[Key, dict[str, Any]] = field(default_factory=dict)
    calibrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    other_line: trained_on.Line | None = None


def measure(
    found: Found,
    patients: Cohort,
    networks: Mapping[str, Network],
    seeds: range,
    object_seed: int,
) -> None:
    """Read and score a scanner's patients in all tiers.

    Args:
        found: Where results go.
        patients: The scanner's patients.
        networks: The networks by reading.
        seeds: Of the draws of patients whose QCT is known; the tables show the first, whose seed is
            also that of all resampling.
        object_seed: Of the scan of the test object.

    Raises:
        ValueError: The patients are too few, or a calibration does not come about; one line.
    """
    in_use = bundles.module(BUNDLE, "bmd_bundle.in_use")
    seed = seeds[0]
    scanner, everyone = patients.scanner, np.ones(len(patients.patient), dtype=bool)
    paired = calibrations.draw(patients, seed)
    line = calibrations.of_object(scanner, patients.kvp, object_seed)
    blind = in_use.for_scan(None, patients.kvp)
    known = in_use.for_scan(line.calibration, patients.kvp)
    fitted = found.calibrations.setdefault(scanner, {"T1": dict(line.measured), "T2": {}})
    found.notes.append(
        f"{scanner}, T1: HU = {line.calibration.slope_hu_per_mg_cm3:.3f} × {tables.UNIT} HA "
        f"{line.calibration.intercept_hu:+.1f}; the reference line is "
        f"{blind.line.slope_hu_per_mg_cm3:.3f} × {tables.UNIT} HA."
    )

    def keep(reading: str, tier: str, values: Values, chosen: np.ndarray) -> None:
        key = scanner, reading, tier
        found.numbers[key] = scoring.score(patients, values, chosen, seed)
        found.counts[key] = scoring.counts(patients, values, chosen)

    for reading in [name for name in readings.NAMES if name in (*networks, HU_LINEAR)]:
        network = networks.get(reading)
        read = _reader(patients, network)
        before = read(blind, blind)
        keep(reading, "T0", before, everyone)
        keep(reading, "T1", read(known, known), everyone)
        name = readings.NAMES[reading]
        sha256 = network.bundle.weights_sha256 if network else None
        site = _Site(patients, reading, sha256, read, before.density)
        try:
            fit = site.fit(paired)
        except ValueError as error:
            found.notes.append(f"{scanner}, T2, {name}: left out, no correction ({error}).")
            continue
        keep(reading, "T2", site.corrected(fit), ~paired)
        over = draws.repeat(patients, site.corrected_by, seeds)
        fitted["T2"][reading] = dict(fit.content) | {"draws": over.as_dict()}
        found.notes.append(
            f"{scanner}, T2, {name}: density = {fit.correction.slope:.3f} × "
            f"reading {fit.correction.intercept:+.1f} {tables.UNIT}, from "
            f"{fit.correction.n} patients; {fit.content['correction']['why']}; {over.in_words()}."
        )
    if scanner == trained_on.SCANNER:
        found.other_line = trained_on.fit(patients)
    elif found.other_line is not None:
        keep(HU_LINEAR, trained_on.TIER, trained_on.read(patients, found.other_line), everyone)
    found.numbers[scanner, IDEAL, ""] = {
        "fat": scoring.fat(patients, patients.qct_ha, everyone, seed)
    }


@dataclass(frozen=True)
class _Site:
    """A reading of a scanner's patients, some of whom have a QCT.

    Attributes:
        patients: The scanner's patients.
        reading: Name of the reading (`readings.NAMES`).
        sha256: Of the network's weights; None for HU-linear.
        read: From `_reader`.
        density: What is read of them without a correction, mg/cm³ HA, [N, 4].
    """

    patients: Cohort
    reading: str
    sha256: str | None
    read: Callable[[Any, Any], Values]
    density: np.ndarray

    def fit(self, chosen: np.ndarray) -> calibrations.Site:
        """Fit the correction to the patients chosen, bool [N]; ValueError where there is none."""
        return calibrations.of_pairs(self.patients, self.density, chosen, self.reading, self.sha256)

    def corrected_by(self, chosen: np.ndarray) -> Values:
        """What is read of all of them once the chosen ones corrected it; ValueError as of `fit`."""
        return self.corrected(self.fit(chosen))

    def corrected(self, fit: calibrations.Site) -> Values:
        """What is read of all of them with that correction."""
        in_use = bundles.module(BUNDLE, "bmd_bundle.in_use")
        kvp = self.patients.kvp
        return self.read(in_use.for_scan(None, kvp), in_use.for_scan(fit.correction, kvp))


def note_other_scans(found: Found, patients: Cohort, first: int, scans: int) -> None:
    """Say how far T1 rests on the one scan of the object: HU-linear bias of further scans.

    A scanner's water is not the same every day, and the intervals over patients do not know of it.
    """
    biases = []
    for seed in range(first, first + scans):
        line = calibrations.of_object(patients.scanner, patients.kvp, seed).calibration
        error = line.density(patients.trabecular_hu) - patients.qct_ha
        biases.append(float(error[patients.read].mean()))
    found.calibrations[patients.scanner]["T1_hu_linear_bias_of_scans_mg_cm3"] = biases
    if scans > 1:
        found.notes.append(
            f"{patients.scanner}, T1, HU-linear: bias of {scans} scans of the object, the first of "
            f"them in the tables: mean {np.mean(biases):+.1f}, SD {np.std(biases, ddof=1):.1f}, "
            f"from {min(biases):+.1f} to {max(biases):+.1f} {tables.UNIT}; intervals over patients "
            "do not hold this spread."
        )


def _reader(patients: Cohort, network: Network | None) -> Callable[[Any, Any], Values]:
    """How a reading is taken: with a line before it, and a correction behind it.

    The network runs once for each line.
    """
    if network is None:
        return lambda line, used: readings.hu_linear(patients, used)
    kept: dict[str, np.ndarray] = {}

    def read(line: Any, used: Any) -> Values:
        if line.line.id not in kept:
            kept[line.line.id] = network.read(patients, line.line)
        return readings.cnn(patients, kept[line.line.id], used, network.interval)

    return read
