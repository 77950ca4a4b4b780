"""A bench whose answers are known: HU are a line of the density, and scanner C adds an offset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tools.files import write_json
from tools.phantom.checks.patches import store
from tools.phantom.checks.patches.reading import PLANES_MM
from tools.phantom.checks.patches.tiers.cohort import Cohort

SLOPE = 1.33251
"""HU per mg/cm³ HA of the reference line at 120 kV."""

OFFSET_HU = {"A": 0.0, "B": -3.0, "C": 12.0}
"""What each scanner makes of water, HU."""

PATCH = {"size_mm": 20.0, "pixels": 32, "margin_mm": 5.0, "slice_step_mm": 1.0}


def arrays(scanner: str, patients: int, seed: int = 0, noise_hu: float = 4.0, kvp: float = 120.0):
    """Patients of one scanner as the bench keeps them.

    Level L4 of patient 1 cannot be read, L1 of patient 2 is fractured, L2 of patient 3 has no QCT.
    """
    rng = np.random.default_rng(seed)
    qct = rng.normal(110.0, 35.0, (patients, 1)) + rng.normal(0.0, 6.0, (patients, 4))
    fat = rng.uniform(0.3, 0.7, (patients, 4))
    hu = SLOPE * qct + OFFSET_HU[scanner] + rng.normal(0.0, noise_hu, qct.shape)
    found = {
        "cube": np.broadcast_to(hu[:, :, None, None, None], (*hu.shape, len(PLANES_MM), 32, 32)),
        "trabecular_hu": hu.astype(np.float32),
        "trabecular_error_hu": np.full(hu.shape, 1.0, np.float32),
        "qct_ha": qct.astype(np.float32),
        "ha_mass": (qct + 43.0 * (fat - 0.4)).astype(np.float32),
        "marrow_fat": fat.astype(np.float32),
        "fracture": np.zeros(hu.shape, np.int8),
        "reason": np.full(hu.shape, "", "U32"),
        "tissues": np.tile(np.array([-1000.0, -105.0, 55.0, np.nan], np.float32), (patients, 1)),
        "kvp": np.full(patients, kvp, np.float32),
        "patient": np.arange(patients, dtype=np.int32),
        "scanner": np.full(patients, scanner),
    }
    found["cube"] = found["cube"].astype(np.float16)
    if patients > 3:
        found["reason"][1, 3] = "patch_outside_body"
        found["cube"][1, 3], found["trabecular_hu"][1, 3] = np.nan, np.nan
        found["fracture"][2, 0] = 2
        found["qct_ha"][3, 1] = np.nan
    return found


def write(out: Path, scanners: str = "ABC", patients: int = 60, **patch: float) -> Path:
    """Write a bench."""
    out.mkdir()
    write_json(out / store.SETTINGS_FILE, {"seed": 0, "patch": {**PATCH, **patch}})
    for scanner in scanners:
        found = arrays(scanner, patients, ord(scanner))
        rows = [{name: each[n] for name, each in found.items()} for n in range(patients)]
        store.save(store.block_path(out, scanner, 0), rows)
    return out


def cohort_of(scanner: str, patients: int = 60, **changes: object) -> Cohort:
    """The same patients without a file."""
    found = arrays(scanner, patients)
    left_out = np.where(found["fracture"] > 0, "fracture", "").astype("U32")
    left_out[(left_out == "") & np.isnan(found["qct_ha"])] = "no reference"
    names = ("patient", "trabecular_hu", "tissues", "qct_ha", "ha_mass", "marrow_fat")
    values = {name: found[name] for name in names} | {
        "scanner": scanner,
        "kvp": 120.0,
        "slices": found["cube"][:, :, :3].astype(np.float32),
        "error_hu": found["trabecular_error_hu"].astype(float),
        "unread": found["reason"],
        "left_out": left_out,
    }
    return Cohort(**(values | changes))
