"""Datalists of a phantom cohort: who trains, who tests, and what each bundle may read of the truth.

Pure functions from truths to the MONAI decathlon datalists, one for each bundle and one of areal
density for the variant of ``bmd_regression`` that reads it; :mod:`tools.phantom.cohort`
writes them. Paths in records are relative to the datalist, as
``monai.data.load_decathlon_datalist`` wants them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tools.levels import LABEL_IDS, MEASURED_LEVELS

SPLITS = ("training", "validation", "test")

SPLIT_SCANNERS = ("A", "R")
"""Scanners that train; their patients are divided, those of the others only test."""

TEST_NUMBER = {"B": 2, "C": 3}
"""Scanners that only test, with the number of their named set: ``test_2``, ``test_3``."""

TEST_PERCENT = 15
"""Patients in validation, and again in test; the rest trains."""

SMALLEST_SPLIT = 10
"""Patients from which percentages make sense; below, one tests, one validates, the rest trains."""

AGE_BANDS_YEARS = (45, 60, 75)
"""Bounds of the age bands that splits are balanced over."""

AREAL = "bmd_regression_dxa"
"""The datalist of areal density, for ``bmd_regression`` with ``reference_dxa.yaml``."""

Truth = Mapping[str, Any]


def split(patients: Sequence[Truth], seed: int) -> dict[str, str]:
    """Assign each patient to training, validation or test.

    From ten patients on, 15 % test and 15 % validate, balanced over sex and age band: patients are
    put in order by sex and age band, shuffled inside each, and taken at even steps along the order,
    for test and validation in turn.

    Args:
        patients: one truth per patient, with ``patient_id``, ``sex`` and ``age`` (years).
        seed: seed of the shuffle.

    Returns:
        The name of the split by ``patient_id``, in the order given.

    Raises:
        ValueError: a patient is given twice.
    """
    identities = [patient["patient_id"] for patient in patients]
    if len(set(identities)) < len(identities):
        raise ValueError("a patient is given twice to one split")
    count = len(patients)
    if count < SMALLEST_SPLIT:
        return dict(zip(identities, ("test", "validation") + ("training",) * count, strict=False))
    assigned = dict.fromkeys(identities, "training")
    random = np.random.default_rng(seed)
    order = sorted(random.permutation(count), key=lambda i: _stratum(patients[i]))
    picks = 2 * ((count * TEST_PERCENT + 50) // 100)  # 15 % for each split, rounded half up
    start = int(random.integers(count))
    for turn in range(picks):
        place = order[(start + turn * count) // picks]
        assigned[identities[place]] = SPLITS[1 + turn % 2]
    return assigned


def _stratum(patient: Truth) -> tuple[str, int]:
    """Return the sex and the age band of a patient."""
    return patient["sex"], int(np.searchsorted(AGE_BANDS_YEARS, patient["age"], side="right"))


def list_names(truths: Sequence[Truth], seed: int) -> list[str]:
    """Name the list of a datalist that each scan belongs to.

    The patients of A and R are split, the scans of B and C are ``test_2`` and ``test_3``. A patient
    whom A or R trains on or validates with must not test on another scanner: in a paired cohort
    such scans are ``training_2``, ``validation_2`` and so on, and R's part is A's.

    Args:
        truths: one truth per scan, with ``patient_id``, ``scanner``, ``sex`` and ``age``.
        seed: seed of the cohort.

    Returns:
        One name per truth.
    """
    divided: dict[str, str] = {}
    for scanner in SPLIT_SCANNERS:
        own = [truth for truth in truths if truth["scanner"] == scanner]
        divided |= split([truth for truth in own if truth["patient_id"] not in divided], seed)
    names = []
    for truth in truths:
        part = divided.get(truth["patient_id"], "test")
        number = TEST_NUMBER.get(truth["scanner"])
        names.append(f"{part}_{number}" if number else part)
    return names


def build(truths: Sequence[Truth], seed: int) -> dict[str, dict[str, Any]]:
    """Make the datalist of each bundle.

    Args:
        truths: one truth per scan, as written to ``truth/<case>.json``.
        seed: seed of the cohort.

    Returns:
        Datalists by name; each holds the same scans in the same lists.
    """
    names = list_names(truths, seed)
    scanners = {truth["scanner"] for truth in truths}
    first = SPLITS if scanners & set(SPLIT_SCANNERS) else ()
    lists = [*first, *sorted(set(names) - set(first))]
    datalists = {}
    for bundle, (head, record) in BUNDLES.items():
        rows = [(name, record(truth)) for name, truth in zip(names, truths, strict=True)]
        datalists[bundle] = {"name": bundle, **head, "modality": {"0": "CT"}} | {
            wanted: [row for name, row in rows if name == wanted] for wanted in lists
        }
    return datalists


def volume_path(folder: str, case: str) -> str:
    """Return the path of one of a case's volumes, relative to the cohort's folder."""
    return f"{folder}/{case}.nii.gz"


def series_path(case: str) -> str:
    """Return the path of the folder of a case's DICOM series, relative to the cohort's folder."""
    return f"images/{case}"


def _image_path(truth: Truth) -> str:
    """Return the path of a scan's image: its series where it was written as one."""
    case = truth["case"]
    return series_path(case) if "dicom" in truth else volume_path("images", case)


def _segmentation_record(truth: Truth) -> dict[str, Any]:
    """Return a scan's record for ``lumbar_segmentation``."""
    return {
        "image": _image_path(truth),
        "label": volume_path("labels", truth["case"]),
        "patient_id": truth["patient_id"],
        "scanner": truth["scanner"],
    }


def _density_record(truth: Truth) -> dict[str, Any]:
    """Return a scan's record for ``bmd_regression``.

    A level that the field cuts or that holds an implant has no density. The voltage is what a
    series' header says and a NIfTI file does not, kV.
    """
    return _with_densities(truth, "qct_ha_mg_cm3") | {
        "unit": "mg/cm3",
        "mineral": "HA",
        "reference": "QCT",
    }


def _areal_record(truth: Truth) -> dict[str, Any]:
    """Return a scan's record for ``bmd_regression`` against DXA, as :func:`_density_record`."""
    return _with_densities(truth, "areal_bmd_g_cm2") | {"unit": "g/cm2", "reference": "DXA"}


def _with_densities(truth: Truth, quantity: str) -> dict[str, Any]:
    """Return image, label map, and one of the truth's quantities for every level that has it."""
    levels = truth["levels"]
    return {
        "image": _image_path(truth),
        "mask": volume_path("labels", truth["case"]),
        "bmd": {
            level: levels[level][quantity]
            if levels.get(level, {}).get("complete", False) and not levels[level].get("implants")
            else None
            for level in MEASURED_LEVELS
        },
        "kvp": truth["scan"]["kvp"],
        "patient_id": truth["patient_id"],
        "scanner": truth["scanner"],
    }


def _fracture_record(truth: Truth) -> dict[str, Any]:
    """Return a scan's record for ``ovf_classification``.

    Beyond its label, a training may learn from the label map of bodies and the ids of broken ones.
    """
    return {
        "image": _image_path(truth),
        "label": int(truth["fractured"]),
        "patient_id": truth["patient_id"],
        "scanner": truth["scanner"],
        "age": truth["age"],
        "sex": truth["sex"],
        "bodies": volume_path("labels", truth["case"]),
        "broken_ids": [
            LABEL_IDS[level] for level, body in truth["levels"].items() if body.get("fracture")
        ],
    }


BUNDLES: dict[str, tuple[dict[str, Any], Callable[[Truth], dict[str, Any]]]] = {
    "lumbar_segmentation": (
        {
            "description": "Phantom CT and label maps of vertebral bodies.",
            "labels": {"0": "background"} | {str(i): level for level, i in LABEL_IDS.items()},
        },
        _segmentation_record,
    ),
    "bmd_regression": (
        {"description": "Phantom CT and volumetric density as an ideal QCT reads it."},
        _density_record,
    ),
    AREAL: (
        {"description": "Phantom CT and areal density as DXA reads it."},
        _areal_record,
    ),
    "ovf_classification": (
        {
            "description": "Phantom CT with and without osteoporotic vertebral fracture.",
            "labels": {"0": "no fracture", "1": "fracture"},
        },
        _fracture_record,
    ),
}
"""What each datalist says of itself, by its name, and how it makes a record."""
