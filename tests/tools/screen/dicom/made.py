"""A series with outlines and a report that nobody measured: what the objects are made of."""

import io
from pathlib import Path

import numpy as np
import pydicom

from tests.tools.phantom.dicom import volumes
from tools.screen import scan as scans
from tools.screen.dicom import objects

VALUES = {
    "bmd_cnn_mg_cm3": 100.123,
    "bmd_hu_linear_mg_cm3": 96.5,
    "bmd_interval_95_mg_cm3": [83.117, 117.129],
    "hu_trabecular": 128.639,
}
NOTHING = dict.fromkeys(VALUES)


def level(reasons=(), warnings=(), **values):
    """A level's block: measured unless there are reasons; numbers of a refused one are none."""
    status = "refused" if reasons else "measured"
    said = {"status": status, "reasons": list(reasons), "warnings": list(warnings)}
    return said | (NOTHING if reasons else VALUES) | values


def report(**levels):
    """A report; levels that are not given were not found."""
    blocks = {name: level(["level_not_found"]) for name in ("L1", "L2", "L3", "L4")} | levels
    used = [name for name, one in blocks.items() if one["bmd_interval_95_mg_cm3"] is not None]
    some = len(used) > 0
    return {
        "case": "series-0123456789",
        "software": {
            "version": "0.1.0",
            "weights": {"lumbar_segmentation": "a" * 64, "bmd_regression": "b" * 64},
        },
        "calibration": {"id": "reference-120-kV"},
        "levels": blocks,
        "patient": {
            "reasons": [] if some else ["level_not_found"],
            "mean_bmd_mg_cm3": 98.765 if some else None,
            "mean_interval_95_mg_cm3": [82.1, 115.2] if some else None,
            "mean_bmd_k2hpo4_mg_cm3": 92.248 if some else None,
            "levels_used": used,
            "category": "osteopenia" if len(used) > 1 else None,
            "borderline": True if len(used) > 1 else None,
        },
        "qc": {"warnings": ["kvp_not_120"]},
    }


MEASURED = report(L1=level(), L2=level(warnings=["heterogeneous"]), L4=level(["metal_or_cement"]))
"""L1 and L2 measured, L3 not found, L4 outlined and refused."""


def scan(folder, orientation="LPS", turn="straight", syntax="explicit_little", slices=None):
    """Write a series of six slices, or some of them, and read it as `screen` does."""
    image, affine = volumes.volume(orientation, turn)
    if slices is not None:
        image = image[:, :, :slices]
    volumes.write(Path(folder), image, affine, syntax)
    return read(folder)


def read(folder):
    """Read a series as `screen` does."""
    (case,) = scans.find(folder, Path(folder).parent / "out")
    return scans.read(case)


def outlines(one):
    """L1, L2 and L4 as boxes without symmetry, uint8 on the scan's grid."""
    labels = np.zeros(one.hu.shape, np.uint8)
    for label, box in ((1, np.s_[1:3, :2]), (2, np.s_[3:4, 1:3]), (4, np.s_[1:2, 3:5])):
        labels[box] = label
    if labels.shape[2] > 1:
        labels[:, :, 0] = 0
    return labels


def written(one, labels, content=MEASURED, keep_identity=False):
    """The objects of a case, read back."""
    files = objects.write(one, labels, content, keep_identity)
    return {name: pydicom.dcmread(io.BytesIO(data)) for name, data in files.items()}


def place(files, folder):
    """Write files into a folder; their paths."""
    Path(folder).mkdir()
    for name, one in files.items():
        one.save_as(Path(folder) / name)
    return sorted(Path(folder).iterdir())
