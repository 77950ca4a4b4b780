"""Records of a datalist: a CT, its label map, and the density of each level that was measured.

    {"image": "images/A0001.nii.gz", "mask": "labels/A0001.nii.gz",
     "bmd": {"L1": 121.4, "L2": null}, "unit": "mg/cm3", "mineral": "HA", "reference": "QCT",
     "kvp": 120, "patient_id": "A-0001", "scanner": "A"}

Everything is learnt on hydroxyapatite; K2HPO4 is converted (`bmd_bundle.calibration.to_ha`). Areal
densities by DXA are another quantity, read only where they are asked for (`reference_dxa.yaml`):

    {..., "bmd": {"L1": 0.982, "L2": null}, "unit": "g/cm2", "reference": "DXA"}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bmd_bundle.calibration import KVP_RANGE, to_ha
from bmd_bundle.common import (
    SettingError,
    case_name,
    datalist_cases,
    datalist_records,
    refuse_lists,
)
from bmd_bundle.levels import LEVEL_IDS

#: How a density was measured -> its unit: volumetric or areal.
UNITS = {"QCT": "mg/cm3", "DXA": "g/cm2"}
#: Trabecular bone reads no less and no more than this, mg/cm³: pure fat marrow reads about -60, the
#: densest healthy bodies about 300 (phantom's physics and published norms); cortex begins at 800.
PLAUSIBLE_MG_CM3 = (-150.0, 800.0)
#: Lumbar bodies have no less and no more by DXA, g/cm²: 0.3 to 2 in people.
PLAUSIBLE_G_CM2 = (0.1, 3.0)
PLAUSIBLE = {"QCT": PLAUSIBLE_MG_CM3, "DXA": PLAUSIBLE_G_CM2}

Record = dict[str, Any]


def check(
    datalist: str,
    keys: Sequence[str],
    argv: Sequence[str] | None = None,
    evaluated: bool = False,
    reference: str = "QCT",
) -> None:
    """Refuse a datalist with an unusable record before anything is read.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        keys: Names of the lists that will be read.
        argv: The command line, `sys.argv`; only one of `monai.bundle run` is judged. Other programs
            meet a bad record when they read it.
        evaluated: Whether they will be scored: then a file that is not there is a failed case.
        reference: How the densities were measured, "QCT" or "DXA".

    Raises:
        SystemExit: One line that names the file, the record, and the mend; status 1.
    """
    reading = _scored if evaluated else read
    refuse_lists(lambda key: reading(datalist, key, reference=reference), keys, argv)


def measured_scans(datalist: str, key: str, reference: str = "QCT") -> list[Record]:
    """Read the scans of a list of which at least one level was measured.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "training".
        reference: How the densities were measured, "QCT" or "DXA".

    Returns:
        Records as `read` gives them.

    Raises:
        SettingError: As `read`; or no scan of the list was measured.
    """
    found = [record for record in read(datalist, key, reference=reference) if record["density"]]
    if not found:
        raise SettingError(f"{datalist}: no scan of the list '{key}' has a measured level")
    return found


def evaluated_cases(datalist: str, key: str, reference: str = "QCT") -> list[Record]:
    """Read all scans of a list, measured or not, as cases with unique names.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "test".
        reference: How the densities were measured, "QCT" or "DXA".

    Returns:
        Records as `read` gives them, with the `case` and `kind` of `common.datalist_cases`.

    Raises:
        SettingError: As `read`; or the list is empty.
    """
    records = _scored(datalist, key, reference)
    named = datalist_cases(datalist, key)
    return [
        {**record, "case": case["case"], "kind": case["kind"]}
        for record, case in zip(records, named, strict=True)
    ]


def _scored(datalist: str, key: str, reference: str) -> list[Record]:
    """Read a list whose files need not be there: those are failed cases."""
    records = read(datalist, key, files=False, reference=reference)
    if not records:
        raise SettingError(f"{datalist}: the list '{key}' is empty; name another, or give it scans")
    return records


def without_reference(records: Sequence[Record]) -> list[Record]:
    """Leave out what the network must not see, and what MONAI cannot collate."""
    kept = ("image", "mask", "case", "kind", "kvp")
    return [{key: record[key] for key in kept if key in record} for record in records]


def read(datalist: str, key: str, files: bool = True, reference: str = "QCT") -> list[Record]:
    """Read one list of a datalist.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "training".
        files: Whether every CT and label map must be there; else reading the case says so.
        reference: How the densities were measured, "QCT" or "DXA".

    Returns:
        Per scan `image` and `mask` (paths), `case` (its name), `density` (level -> mg/cm³ HA, or
        g/cm² by DXA, of the levels that were measured), `kvp` (kV, where it is given), and the text
        of `patient_id`, `scanner`, `mineral`, `reference`, where there.

    Raises:
        SettingError: The file or the list does not exist, or a record is unusable; one line.
    """
    if reference not in UNITS:
        raise SettingError(f"reference: {reference!r} is unknown; say {' or '.join(UNITS)}")
    found = datalist_records(datalist, key)
    return [_record(one, f"{datalist}: {key} {n}", files, reference) for n, one in enumerate(found)]


def _record(given: Mapping[str, Any], where: str, files: bool, reference: str) -> Record:
    """Check one record; `where` names it in messages."""
    if not isinstance(given.get("mask"), str) or not given["mask"]:
        raise SettingError(f'{where} needs "mask", the path of the label map of its CT')
    for name in ("image", "mask") if files else ():
        if not Path(given[name]).exists():
            raise SettingError(f"{where}: {name} {given[name]} does not exist")
    kvp = given.get("kvp")
    low, high = KVP_RANGE
    if kvp is None:
        stated = {}
    elif isinstance(kvp, bool) or not isinstance(kvp, int | float) or not low <= kvp <= high:
        raise SettingError(f"{where}: kvp {kvp!r} is no voltage from {low:g} to {high:g} kV")
    else:
        stated = {"kvp": float(kvp)}
    texts = {
        name: str(given[name])
        for name in ("patient_id", "scanner", "mineral", "reference")
        if given.get(name) is not None
    }
    return {
        "image": str(given["image"]),
        "mask": str(given["mask"]),
        "case": case_name(given["image"]) if files else "",
        "density": _densities(given, where, reference),
        **stated,
        **texts,
    }


def _densities(given: Mapping[str, Any], where: str, reference: str) -> dict[str, float]:
    """Read the densities of a record, mg/cm³ HA by QCT or g/cm² by DXA."""
    wanted = UNITS[reference]
    bmd = given.get("bmd") or {}
    if not isinstance(bmd, Mapping) or not set(bmd) <= set(LEVEL_IDS):
        raise SettingError(
            f'{where}: "bmd" maps levels of {", ".join(LEVEL_IDS)} to {wanted} or null'
        )
    values = {level: value for level, value in bmd.items() if value is not None}
    if not values:
        return {}
    unit, mineral = given.get("unit", wanted), given.get("mineral")
    stated = given.get("reference", reference)
    if unit != wanted or stated != reference:
        raise SettingError(f"{where}: bmd must be {reference}'s in {wanted}, not {stated}'s {unit}")
    if reference == "QCT" and mineral not in ("HA", "K2HPO4"):
        raise SettingError(f'{where}: "mineral" is {mineral!r}; say HA or K2HPO4')
    low, high = PLAUSIBLE[reference]
    for level, value in values.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not low <= value <= high:
            raise SettingError(f"{where}: bmd of {level} is {value!r}, no density in {wanted}")
    convert = to_ha if reference == "QCT" and mineral == "K2HPO4" else float
    # In the order of the spine, so that a record means the same however it was written.
    return {level: convert(values[level]) for level in LEVEL_IDS if level in values}
