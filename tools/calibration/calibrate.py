"""The `calibrate` command: one CT of a spine phantom becomes its scanner's calibration.

python -m tools calibrate phantom.nii.gz scanner --kvp 120 --scanner CT-1
python -m tools screen ct.nii.gz results --calibration scanner/calibration.json
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tools import __version__, bundles
from tools.calibration import spine_phantom
from tools.calibration.recalibrate import CALIBRATION_FILE, ID_DIGITS
from tools.calibration.spine_phantom import Measured
from tools.files import write_content, write_json
from tools.screen import scan
from tools.screen.settings import MEASURING

MEASURED_FILE = "spine_phantom.json"

CERTIFICATE_MG_CM3 = (50.0, 100.0, 200.0)
"""HA of the European Spine Phantom's vertebrae, mg/cm³ (Kalender 1995)."""

LEAST_INSERTS, MOST_MG_CM3 = 2, 800.0
"""A line takes two inserts; trabecular bone is never denser than this, mg/cm³."""

DECIMALS = 5
"""Digits after the point: 0.00001 of a slope is 0.001 mg/cm³ at 130 mg/cm³."""

SAME_KV = 0.5
"""Voltages that differ by less are the same, kV."""


def calibrate(
    image: str,
    out: Path,
    kvp: float | None = None,
    scanner: str = "unnamed",
    certificate: tuple[float, ...] = CERTIFICATE_MG_CM3,
    plastic_hu: float = 0.0,
    name: str | None = None,
) -> None:
    """Calibrate a scanner with one CT of a spine phantom of known densities.

    Finds the inserts, fits HU over their hydroxyapatite, and moves the slope to a patient of 25 cm
    of water. Writes OUT/calibration.json for `screen --calibration` and OUT/spine_phantom.json with
    what was measured. Scan the phantom as patients are scanned: voltage, table height, kernel,
    field, and with the extension ring nearest to their size. Research use only.

    Args:
        image: NIfTI file, or DICOM folder or file of one series, axial.
        out: Folder to write.
        kvp: Tube voltage, kV, where the file does not say it, as NIfTI does not.
        scanner: Name of the scanner, for reports.
        certificate: Densities on the phantom's label, mg/cm³ HA.
        plastic_hu: HU of its plastic above water at this voltage, from its certificate.
        name: Name of the calibration, for reports; a checksum of what was measured otherwise.

    Raises:
        ValueError: The scan makes no calibration; one line.
        OSError: A file cannot be read or written.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT names a file, not a folder: {out}")
    if len(certificate) < LEAST_INSERTS or not all(0 <= one <= MOST_MG_CM3 for one in certificate):
        raise ValueError(
            f"--certificate lists at least {LEAST_INSERTS} densities from 0 to {MOST_MG_CM3:g} "
            "mg/cm³, such as 50,100,200"
        )
    if len(set(certificate)) < len(certificate):
        raise ValueError("--certificate lists a density twice; give each insert's own")
    cases = scan.find(image, out)
    if len(cases) != 1:
        raise ValueError(f"{image}: holds {len(cases)} scans; give the one of the phantom")
    read = scan.read(cases[0])
    voltage = _voltage(read, kvp, image)
    try:
        found = spine_phantom.measure(read.hu, read.affine, certificate, plastic_hu)
    except ValueError as error:
        raise ValueError(f"{image}: {error}") from None
    line = make(found, voltage, scanner, name)
    files = bundles.module(MEASURING, "bmd_bundle.calibration_file")
    text = files.dump(line)
    files.loads(text, image)  # what cannot be a scanner's line is refused here, not in `screen`
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / MEASURED_FILE, described(found, voltage, plastic_hu))
    write_content(out / CALIBRATION_FILE, text)
    print(
        f"{scanner}, {voltage:g} kV: HU = {line.slope_hu_per_mg_cm3:.3f} × mg/cm³ HA "
        f"{line.intercept_hu:+.1f}; inserts read {', '.join(f'{one:.1f}' for one in found.hu)} HU, "
        f"{found.residual_hu:.1f} HU from their line"
    )
    if found.object_cm < spine_phantom.REFERENCE_CM:
        print(
            f"the phantom equals {found.object_cm:.0f} cm of water, less than most patients: on "
            "scanners that read water by size it misleads; scan it with an extension ring"
        )
    print(f"calibration: {out / CALIBRATION_FILE}")


def make(found: Measured, kvp: float, scanner: str, name: str | None = None) -> Any:
    """Make the scanner's line (`bmd_bundle.calibration.Calibration`) of what was measured."""
    calibration = bundles.module(MEASURING, "bmd_bundle.calibration")
    written = hashlib.sha256(repr((found, kvp)).encode()).hexdigest()
    return calibration.Calibration(
        id=name or f"scanner-{kvp:g}kv-{written[:ID_DIGITS]}",
        mineral="HA",
        kvp=kvp,
        scanner=scanner,
        slope_hu_per_mg_cm3=round(found.slope, DECIMALS),
        intercept_hu=round(found.intercept, DECIMALS),
        spread=round(found.spread, DECIMALS),
        water_sd_hu=round(found.water_sd_hu, DECIMALS),
    )


def described(found: Measured, kvp: float, plastic_hu: float) -> dict[str, Any]:
    """What was measured, for spine_phantom.json."""
    return {
        "software": {"version": __version__},
        "kvp": kvp,
        "certificate_mg_cm3": list(found.certificate_mg_cm3),
        "hu": [round(one, DECIMALS) for one in found.hu],
        "residual_hu": round(found.residual_hu, DECIMALS),
        "plastic_hu": plastic_hu,
        "object_water_cm": round(found.object_cm, DECIMALS),
        "object_slope_hu_per_mg_cm3": round(found.object_slope, DECIMALS),
        "object_slope_error": round(found.slope_error, DECIMALS),
        "reference_water_cm": spine_phantom.REFERENCE_CM,
        "slope_hu_per_mg_cm3": round(found.slope, DECIMALS),
        "intercept_hu": round(found.intercept, DECIMALS),
        "spread": round(found.spread, DECIMALS),
        "water_sd_hu": round(found.water_sd_hu, DECIMALS),
    }


def _voltage(read: scan.Scan, given: float | None, image: str) -> float:
    """Tube voltage of the scan, kV.

    Raises:
        ValueError: If it is not known, or is said to be another, or the beam has none.
    """
    said = read.header.kvp
    if read.header.beam_problem:
        raise ValueError(f"{image}: of no one tube voltage; give a conventional reconstruction")
    if said is None and given is None:
        raise ValueError(f"{image}: does not say its tube voltage; give it with --kvp")
    if said is not None and given is not None and abs(said - given) > SAME_KV:
        raise ValueError(f"{image}: was made at {said:g} kV, not {given:g}; leave --kvp out")
    return float(said if said is not None else given or 0.0)
