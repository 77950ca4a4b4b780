"""Whole-vertebra label maps of drawn patients: masks whose truth is known."""

from functools import cache

import numpy as np

from tools.levels import LABEL_IDS, VERSE_IDS
from tools.phantom import recipe
from tools.phantom.anatomy.patient import Patient, draw_patient
from tools.phantom.case import label
from tools.phantom.field import fine_grid
from tools.phantom.truth import rim_points

LEVELS = ("L2", "L3", "L4")


@cache
def patient(seed: int = 4) -> Patient:
    """A drawn patient."""
    population = recipe.load("standard")["population"]
    return draw_patient(np.random.default_rng(seed), population, 0.0)


@cache
def mask(
    spacing: tuple[float, float] = (1.0, 2.0), turn: tuple[float, ...] = (4.0, -3.0, 5.0)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole vertebrae with VerSe ids, bodies with ours, and the affine of both; oblique."""
    person = patient()
    points = np.concatenate([rim_points(person.spine.vertebrae[level]) for level in LEVELS])
    low, high = points.min(0) - [28, 70, 24], points.max(0) + [28, 12, 20]
    grid = fine_grid(np.array([low, high]), spacing[0], spacing[1], 1, np.array(turn))
    drawn = label(person, grid)
    bodies, arches = drawn.bodies.numpy(), drawn.posterior.numpy()
    whole = np.zeros(bodies.shape, np.uint8)
    kept = np.zeros(bodies.shape, np.uint8)
    for level in LEVELS:
        own = LABEL_IDS[level]
        whole[(bodies == own) | (arches == own)] = VERSE_IDS[level]
        kept[bodies == own] = own
    return whole, kept, grid.affine
