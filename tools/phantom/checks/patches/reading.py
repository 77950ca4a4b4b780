"""One patient on one scanner, as arrays: cubes of HU about each level, readings, truth.

Arrays of one patient have the shape [4, ...], one row for each of L1 to L4; what does not exist is
NaN, and `reason` says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from tools import bundles
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.phantom.case import Case, simulate
from tools.threads import single_thread

BUNDLE = "bmd_regression"

PLANES_MM = tuple(float(plane) for plane in range(-5, 6))
"""Planes of a cube along the patch's normal, from below up, mm: any thin or thick slab about the
middle of a body is a weighted mean of them."""

FIELD = "bodies"
"""The field that holds everything read: bodies, aorta, psoas and the fat of the back."""

AROUND_MM = 60.0
"""Kept about a level when its patch is cut: noise is read in soft tissue within 55 mm."""

TISSUES = ("air_hu", "fat_hu", "muscle_hu", "blood_hu")

NUMBERS = (
    "trabecular_hu", "trabecular_error_hu", "noise_hu", "standard_error_hu", "mean_hu", "sd_hu",
    "core_mean_hu", "size_mm", "margin_mm", "tilt_deg",
)  # fmt: skip
"""Numbers of a patch that are kept, as `bmd_bundle.patches.Patch` names them."""


@dataclass(frozen=True)
class Settings:
    """How patches are cut (`bmd_bundle.patches.extract`).

    Attributes:
        size_mm: Edge of the square, mm.
        pixels: Samples along an edge.
        margin_mm: Least distance to the body's surface, mm.
        slice_step_mm: Distance of the outer slices, which places the patch; the cube's planes lie
            at `PLANES_MM` whatever it is, mm.
    """

    size_mm: float = 20.0
    pixels: int = 32
    margin_mm: float = 5.0
    slice_step_mm: float = 1.0


@single_thread()
def read_patient(
    recipe: Mapping[str, Any],
    seed: int,
    index: int,
    scanner: str,
    paired: bool,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Draw one patient and read L1 to L4.

    Args:
        recipe: A loaded recipe; its field is replaced by `FIELD`.
        seed: Seed of the cohort.
        index: Number of the patient.
        scanner: Scanner name.
        paired: Whether the patient is the same on every scanner.
        settings: How patches are cut.

    Returns:
        Arrays by name: `cube` float16 [4, planes, P, P] in HU, the numbers of `NUMBERS` float32
        [4], `qct_ha`, `ha_mass` (mg/cm3) and `marrow_fat` float32 [4], `fracture` (grade, 0 for
        none) int8 [4], `reason` [4]; and of the patient `tissues` float32 [4] in the order of
        `TISSUES`, `kvp`, `age`, `sex`, `patient`, `scanner` and `scan`, the truth about the scan as
        JSON.
    """
    given = deepcopy(dict(recipe))
    given["scan"]["field"] = FIELD
    case = simulate(given, seed, index, scanner, paired)
    found = read_case(case, settings or Settings())
    return found | {"patient": np.int32(index), "scanner": np.array(scanner)}


def read_case(case: Case, settings: Settings) -> dict[str, Any]:
    """Read a drawn case with its true masks; as `read_patient` less who it is."""
    rows = [_read_level(case, level, settings) for level in MEASURED_LEVELS]
    found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    measure = bundles.module(BUNDLE, "bmd_bundle.tissues").measure
    tissues = asdict(measure(case.image, case.affine, case.labels))
    scan = case.truth["scan"]
    return found | {
        "tissues": np.array([_number(tissues[name]) for name in TISSUES], np.float32),
        "kvp": np.float32(scan["kvp"]),
        "age": np.float32(case.truth["age"]),
        "sex": np.array(case.truth["sex"]),
        "scan": np.array(json.dumps(scan)),
    }


def _read_level(case: Case, level: str, settings: Settings) -> dict[str, Any]:
    """Read one level; NaN and a reason where it cannot be read."""
    planes = (len(PLANES_MM), settings.pixels, settings.pixels)
    truth = case.truth["levels"].get(level)
    row: dict[str, Any] = dict.fromkeys(NUMBERS, np.float32(np.nan))
    row |= {
        "cube": np.full(planes, np.nan, np.float16),
        "reason": np.array("", dtype="U32"),
        "qct_ha": np.float32(truth["qct_ha_mg_cm3"] if truth else np.nan),
        "ha_mass": np.float32(truth["ha_mass_mg_cm3"] if truth else np.nan),
        "marrow_fat": np.float32(truth["marrow_fat"] if truth else np.nan),
        "fracture": np.int8(((truth or {}).get("fracture") or {}).get("grade", 0)),
    }
    if truth is None or not truth["complete"]:
        return row | {"reason": np.array("touches_border", dtype="U32")}
    patches = bundles.module(BUNDLE, "bmd_bundle.patches")
    image, body, affine = _around(case, LABEL_IDS[level])
    try:
        patch = patches.extract(image, affine, body, **asdict(settings))
    except patches.PatchError as error:
        return row | {"reason": np.array(error.reason, dtype="U32")}
    numbers = {name: np.float32(_number(getattr(patch, name))) for name in NUMBERS}
    return row | numbers | {"cube": _cube(image, affine, patch)}


def _around(case: Case, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a level out of a case: HU, mask and matrix of what lies within `AROUND_MM`."""
    body = case.labels == label
    spacing = np.linalg.norm(case.affine[:3, :3], axis=0)
    (box,) = ndimage.find_objects(body.astype(np.int8))
    reach = np.ceil(AROUND_MM / spacing).astype(int)
    kept = tuple(
        slice(max(0, part.start - more), part.stop + more)
        for part, more in zip(box, reach, strict=True)
    )
    affine = case.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in kept]
    return case.image[kept], body[kept], affine


def _cube(image: np.ndarray, affine: np.ndarray, patch: Any) -> np.ndarray:
    """HU at the planes about the patch, float16 [planes, P, P]; NaN beyond the scan."""
    _, rows, columns = patch.hu.shape
    step = float(np.linalg.norm(patch.affine[:3, 0]))
    at = np.empty((len(PLANES_MM), rows, columns, 3))
    at[..., 0] = 1.0 + np.array(PLANES_MM)[:, None, None] / step
    at[..., 1:] = np.moveaxis(np.indices((rows, columns)), 0, -1)
    to_voxels = np.linalg.inv(affine) @ patch.affine
    index = at @ to_voxels[:3, :3].T + to_voxels[:3, 3]
    values = ndimage.map_coordinates(
        np.asarray(image, np.float32), np.moveaxis(index, -1, 0), order=1, mode="nearest"
    )
    beyond = ((index < -0.5) | (index > np.array(image.shape) - 0.5)).any(axis=-1)
    return np.where(beyond, np.nan, values).astype(np.float16)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
