"""How a report came about: scan, calibration, method, versions and times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from types import MappingProxyType
from typing import Any

from tools.report import words

HASH_DIGITS = 12
"""Of a file's SHA-256 that are shown: enough to tell versions apart."""

HU_LINEAR = (
    "HU-linear density is read from the mean HU of trabecular bone in the body's central slab, "
    "away from cortex and endplates and without dense foci, or from the patch where no slab fits."
)

PATCH = "The patch is a square in the middle of the body, parallel to the endplates."

NETWORK = (
    "The density that counts is the network's: it reads the patch in three slabs, without dense "
    "foci, and was trained on computed phantoms. "
)

TISSUES = "What air, fat, muscle and blood read in the same scan corrects it. "
"""Said of the network where no line of the scanner is known."""

MINERALS = (
    "HU are converted to hydroxyapatite (HA). The limits come from QCT that reads "
    "K₂HPO₄: HA = 1.15 × K₂HPO₄ − 7.32 (Faulkner 1993); such conversions are specific to their "
    "phantoms."
)

INTERVALS = MappingProxyType(
    {
        "reference": "the spread between scanners and patients' sizes, the offset of water, noise "
        "(5 HU where it could not be measured), and an unknown tube voltage",
        "scanner": "the spread that the scanner's own line states, the offset of water, noise (5 "
        "HU where it could not be measured), and an unknown tube voltage",
        "site": "for the corrected reading, the error that the site's own pairs show in patients "
        "left out of the correction, this scan's noise, an unknown tube voltage, and, beyond the "
        "densities of the pairs, what the correction's slope leaves open",
    }
)
"""Kind of calibration -> what the interval holds."""

OF_NETWORK = (
    "what the network errs by on phantoms that it was not trained on, each of another scanner, in "
    "proportion to the spread between scanners, the offset of water, noise and an unknown tube "
    "voltage"
)
"""What the network's interval holds, without a site's correction of it."""

READINGS = MappingProxyType({"cnn": "network", "hu_linear": "HU-linear"})
"""Reading that a site corrects -> its word."""

FAT = (
    "It lowers what CT, and QCT as well, reads of the same mineral; the interval does not hold it."
)


def facts(report: Mapping[str, Any]) -> str:
    """Write the list of facts as HTML."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(report)
    )
    return f'<dl class="facts">{rows}</dl>'


def _facts(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    scan, qc, software = report["input"], report["qc"], report["software"]
    yield "Scan", _scan(scan)
    yield "Contrast medium", _contrast(scan["contrast"], qc["aorta_hu"])
    yield "Calibration", _calibration(report["calibration"])
    network = any(level["bmd_cnn_mg_cm3"] is not None for level in report["levels"].values())
    kind = (report["calibration"] or {}).get("kind", "reference")
    by_tissues = TISSUES * (network and kind != "scanner")
    yield "Method", f"{NETWORK * network}{by_tissues}{HU_LINEAR} {PATCH}"
    yield "Minerals", MINERALS
    held = OF_NETWORK if network and kind != "site" else INTERVALS[kind]
    yield (
        "95 % interval",
        f"Against QCT. It holds {held}. Levels share most of these, so the mean's interval is no "
        "narrower than theirs.",
    )
    yield "Marrow fat", FAT
    low, high = report["patient"]["thresholds_mg_cm3"]
    yield (
        "Ranges",
        f"ACR, on the K₂HPO₄-equivalent: below {low:.0f} mg/cm³ osteoporosis, {low:.0f} to "
        f"{high:.0f} osteopenia, above {high:.0f} normal range; from two measured levels on.",
    )
    weights = "; ".join(
        f"{name} {digest[:HASH_DIGITS]}" for name, digest in sorted(software["weights"].items())
    )
    yield (
        "Software",
        f"osteoct tools {software['version']}" + f"; weights {weights}" * bool(weights),
    )
    yield "Time", _times(report["timing_s"])


def _scan(scan: Mapping[str, Any]) -> str:
    shape = " × ".join(map(str, scan["shape"]))
    spacing = " × ".join(f"{edge:.2f}" for edge in scan["spacing_mm"])
    kind = {"dicom": "DICOM", "nifti": "NIfTI"}[scan["kind"]]
    said = [f"{kind}, {shape} voxels of {spacing} mm"]
    said.append("tube voltage unknown" if scan["kvp"] is None else f"{scan['kvp']:.0f} kV")
    said.append("kernel unknown" if scan["kernel"] is None else f"kernel {scan['kernel']}")
    if scan["sagittal_reformat"]:
        said.append("sagittal reformat")
    return "; ".join(said)


def _contrast(tag: str, aorta_hu: float | None) -> str:
    told = {
        "none": "none by the scan's own data",
        "applied": "applied by the scan's own data",
        "unknown": "not stated by the scan",
    }[tag]
    found = "aorta not found with certainty" if aorta_hu is None else f"aorta {aorta_hu:.0f} HU"
    return f"{told}; {found}"


def _calibration(calibration: Mapping[str, Any] | None) -> str:
    if calibration is None:
        return "none: HU were not converted"
    scanner, correction = calibration["scanner"], calibration.get("correction")
    lead = f"{calibration['id']}: {calibration['mineral']}, {calibration['kvp']:.0f} kV"
    if correction is not None:
        reading = READINGS[correction["reading"]]
        where = "" if scanner is None else f" of {scanner}"
        shift = f"{correction['intercept_mg_cm3']:+.1f}".replace("-", "−").replace("+", "+ ")
        return (
            f"{lead}, site's correction{where}: {reading} density × {correction['slope']:.3f} "
            f"{shift.replace('−', '− ')} mg/cm³, from {correction['n']} patients; HU by the "
            "physical reference"
        )
    made = "physical reference, no scanner of its own" if scanner is None else f"scanner {scanner}"
    return f"{lead}, {made}"


def _times(timing_s: Mapping[str, float | None]) -> str:
    known = {stage: spent for stage, spent in timing_s.items() if spent is not None}
    said = ", ".join(
        f"{words.STAGES.get(stage, stage.replace('_', ' '))} {spent:.1f} s"
        for stage, spent in known.items()
    )
    return f"{said}; together {sum(known.values()):.1f} s" if known else "not taken"
