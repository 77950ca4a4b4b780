"""Patients and grids that the tests of the drawing share."""

from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from tools.phantom import recipe
from tools.phantom.anatomy.patient import Patient, draw_patient
from tools.volumes import Grid

THORACIC = tuple(f"T{number}" for number in range(4, 13))
LUMBAR = tuple(f"L{number}" for number in range(1, 6))


@cache
def patient(seed: int = 0, oral_contrast: float = 0.0) -> Patient:
    """A patient of the standard population."""
    rng = np.random.default_rng(seed)
    return draw_patient(rng, recipe.load("standard")["population"], oral_contrast)


@cache
def varied(seed: int, age: float | None = None, **anatomy: float) -> Patient:
    """A patient of the standard population with these probabilities of variants."""
    population = recipe.load("standard")["population"]
    if age is not None:
        population["age_years"] = {"mean": age, "sd": 0, "min": 18, "max": 100}
    chances = recipe.load("standard")["anatomy"] | anatomy
    rng, own = np.random.default_rng(seed), np.random.default_rng([seed, 3])
    return draw_patient(rng, population, 0.0, anatomy=chances, variants=own)


def quick(**scan) -> dict:
    """The quick recipe with some values of its scan replaced."""
    loaded = recipe.load("quick")
    return loaded | {"scan": loaded["scan"] | scan}


def lumbar_grid(
    shown: Patient, step_mm: float, half_width_mm: float = 60.0, turn: tuple = (0, 0, 0)
) -> Grid:
    """A grid about T12 to the sacrum, turned about its middle (degrees)."""
    places = np.array([v.frame.origin for v in shown.spine.vertebrae.values()][:6])
    low, high = places.min(0) - [0, 70, 60], places.max(0) + [0, 30, 20]
    middle = places[:, 0].mean()
    low[0], high[0] = middle - half_width_mm, middle + half_width_mm
    shape = np.ceil((high - low) / step_mm).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * step_mm
    affine[:3, 3] = (low + high) / 2 - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(map(int, shape)), affine)


def centroids_mm(labels: np.ndarray, affine: np.ndarray) -> dict[int, np.ndarray]:
    """Centroid of every label, RAS+ millimetres."""
    found = {}
    for value in np.unique(labels[labels > 0]):
        index = np.argwhere(labels == value).mean(0)
        found[int(value)] = affine[:3, :3] @ index + affine[:3, 3]
    return found


@cache
def chest_patient(seed: int = 0) -> Patient:
    """A patient of the standard population with a chest."""
    rng, chest = np.random.default_rng(seed), np.random.default_rng([seed, 5])
    return draw_patient(rng, recipe.load("standard")["population"], 0.0, chest=chest)
