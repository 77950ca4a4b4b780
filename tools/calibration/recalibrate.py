"""The `recalibrate` command: a site's pairs become a correction, with what it is worth.

python -m tools recalibrate pairs.csv site
python -m tools screen ct.nii.gz results --calibration site/calibration.json
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tools import __version__, bundles
from tools.calibration import fitting
from tools.calibration import pairs as paired
from tools.calibration import references as qct
from tools.calibration.fitting import Agreement, Chosen
from tools.calibration.pairs import Pairs
from tools.calibration.summary import markdown
from tools.calibration.weights import MEASURING
from tools.files import write_content, write_json

CALIBRATION_FILE = "calibration.json"
JSON_FILE, PAGE_FILE = "recalibration.json", "recalibration.md"

DECIMALS = 4
"""Digits after the point in files: 0.0001 of a slope is 0.01 mg/cm³."""

ID_DIGITS = 8
"""Hexadecimal digits of the pairs' checksum in a calibration's name."""

OUTLYING = 4.0
"""Robust standard deviations (1.4826 × median absolute deviation) from the median beyond which a
patient's pair is named: two scans of different people, or a wrong cell. None is left out."""


def recalibrate(
    pairs: Path,
    out: Path,
    references: Path | None = None,
    reading: Literal["auto", "cnn", "hu_linear"] = "auto",
    correction: Literal["auto", "line", "offset"] = "auto",
    kvp: float | None = None,
    weights: Path | None = None,
    scanner: str | None = None,
    name: str | None = None,
) -> None:
    """Make a site's calibration of scans whose QCT density is known.

    Writes OUT/calibration.json for `screen --calibration`, and OUT/recalibration.json and .md: bias
    and limits of agreement before and after, after always for patients whom the correction has not
    seen. Takes pairs of ten patients or more, all of one tube voltage. Research use only.

    Args:
        pairs: CSV with a row per case and level: case, level, patient_id, bmd_cnn_mg_cm3 or
            bmd_hu_linear_mg_cm3, reference_mg_cm3, mineral (HA or K2HPO4), kvp, weights_sha256;
            or the results of `screen`, with references.
        out: Folder to write.
        references: QCT densities for results of `screen`: a CSV (case, level, reference_mg_cm3,
            mineral), a datalist, or truth.json.
        reading: Which reading is corrected; auto takes the network's where there is one.
        correction: A line, an offset, or what the pairs allow.
        kvp: Tube voltage, kV, of pairs that do not say it.
        weights: Weights that gave the network's readings, where pairs do not say it.
        scanner: Name of scanner or site, for reports; no patient's.
        name: Name of the calibration, for reports; a checksum of the pairs otherwise.

    Raises:
        ValueError: The pairs make no calibration; one line.
        OSError: A file cannot be read or written.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT names a file, not a folder: {out}")
    given = None if references is None else qct.read(references)
    sha = None if weights is None else hashlib.sha256(weights.read_bytes()).hexdigest()
    found = paired.read(pairs, reading, kvp, sha, given)
    try:
        chosen, content = examine(found, correction)
    except ValueError as error:
        raise ValueError(f"{pairs}: {error}") from None
    made = make(found, chosen, content, scanner, name)
    files = bundles.module(MEASURING, "bmd_bundle.calibration_file")
    files.loads(text := files.dump(made), "the calibration of these pairs")
    out.mkdir(parents=True, exist_ok=True)
    content["calibration"] = {"id": made.id, "scanner": scanner}
    write_json(out / JSON_FILE, content)
    page = markdown(content)
    write_content(out / PAGE_FILE, page)
    write_content(out / CALIBRATION_FILE, text)
    print(page)
    print(f"calibration: {out / CALIBRATION_FILE}")


def examine(found: Pairs, correction: fitting.Choice = "auto") -> tuple[Chosen, dict[str, Any]]:
    """Choose the correction of some pairs and measure what it is worth.

    Args:
        found: The pairs.
        correction: "line" or "offset" takes the decision away.

    Returns:
        The correction, and the content of recalibration.json.

    Raises:
        ValueError: If reading and reference do not rise together.
    """
    x, y, patient = found.reading, found.reference, found.patient
    chosen = fitting.choose(x, y, patient, correction)
    bundle = bundles.module(MEASURING, "bmd_bundle.site")
    low, high = bundle.SLOPE_RANGE
    together = float(np.corrcoef(x, y)[0, 1]) > 0
    far = abs(chosen.intercept) > bundle.MOST_INTERCEPT_MG_CM3
    if not together or far or not low <= chosen.slope <= high:
        raise ValueError(
            f"readings and references do not agree (slope {chosen.fitted_slope:.2f}); check that "
            "the rows pair the same patients and levels"
        )
    corrected = fitting.leave_one_out(x, y, patient, correction)
    return chosen, {
        "software": {"version": __version__},
        "reading": found.name,
        "kvp": found.kvp,
        "weights_sha256": found.weights_sha256,
        "mineral": "HA",
        "reference_mineral": found.mineral,
        "patients": int(patient.max()) + 1,
        "pairs": len(found.rows),
        "left_out": dict(found.left_out),
        "reading_range_mg_cm3": _rounded([x.min(), x.max()]),
        "correction": {
            "rule": chosen.rule,
            "why": chosen.why,
            "slope": _rounded(chosen.slope),
            "intercept_mg_cm3": _rounded(chosen.intercept),
            "fitted_slope": _rounded(chosen.fitted_slope),
            "fitted_slope_ci95": _rounded(chosen.fitted_ci95),
            "mean_reading_mg_cm3": _rounded(chosen.centre),
            "shift_mg_cm3": _rounded(chosen.shift),
            "shift_ci95_mg_cm3": _rounded(chosen.shift_ci95),
        },
        "before": _agreements(x - y, patient),
        "after_left_out": _agreements(corrected - y, patient),
        "outlying_cases": _outlying(found, corrected - y),
    }


def make(
    found: Pairs, chosen: Chosen, content: dict[str, Any], scanner: str | None, name: str | None
) -> Any:
    """Make the calibration (`bmd_bundle.site.Correction`) of what was found."""
    site = bundles.module(MEASURING, "bmd_bundle.site")
    written = repr([tuple(row) for row in found.rows]).encode()
    usual = f"site-{found.name}-{found.kvp:g}kv-{hashlib.sha256(written).hexdigest()[:ID_DIGITS]}"
    line = chosen.rule == "line"
    low, high = content["reading_range_mg_cm3"]
    return site.Correction(
        id=name or usual,
        reading=found.name,
        slope=_rounded(chosen.slope),
        intercept=_rounded(chosen.intercept),
        mineral="HA",
        kvp=found.kvp,
        n=content["patients"],
        weights_sha256=found.weights_sha256,
        residual_sd_mg_cm3=content["after_left_out"]["levels"]["rms_mg_cm3"],
        range_mg_cm3=(low, high),
        # What no pair shows of the slope may be as wrong as between scanners.
        slope_error=_rounded(chosen.fitted_error) if line else site.SCANNER_SPREAD,
        scanner=scanner,
    )


def _agreements(differences: np.ndarray, patient: np.ndarray) -> dict[str, Any]:
    """Of patients' means, with intervals, and of single levels."""
    return {
        "patients": _described(fitting.agreement(differences, patient)),
        "levels": {
            "bias_mg_cm3": _rounded(differences.mean()),
            "sd_mg_cm3": _rounded(differences.std(ddof=1)),
            "rms_mg_cm3": _rounded(np.sqrt(np.mean(differences**2))),
        },
    }


def _described(found: Agreement) -> dict[str, Any]:
    ends = {"low": found.low, "high": found.high}
    return {
        "n": found.n,
        "bias_mg_cm3": _rounded(found.bias.value),
        "bias_ci95_mg_cm3": _rounded(found.bias.ci95),
        "sd_mg_cm3": _rounded(found.sd),
        "rms_mg_cm3": _rounded(found.rms),
    } | {
        key: value
        for end, one in ends.items()
        for key, value in (
            (f"limit_{end}_mg_cm3", _rounded(one.value)),
            (f"limit_{end}_ci95_mg_cm3", _rounded(one.ci95)),
        )
    }


def _outlying(found: Pairs, left: np.ndarray) -> list[str]:
    """Cases of patients whose error after correction stands far from the others'."""
    values = fitting.means(left, found.patient)
    apart = np.abs(values - np.median(values))
    far = np.flatnonzero(apart > OUTLYING * max(1.4826 * float(np.median(apart)), 1e-6))
    numbered = zip(found.rows, found.patient, strict=True)
    return sorted({row.case for row, number in numbered if number in far})


def _rounded(value: Any) -> Any:
    """A number, or numbers, as Python's own, rounded."""
    if np.ndim(value):
        return [_rounded(one) for one in value]
    return round(float(value), DECIMALS) + 0.0  # no minus before a zero
