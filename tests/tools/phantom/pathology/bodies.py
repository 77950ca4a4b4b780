"""Patients and bodies with chosen findings, for the tests of the pathology."""

from functools import partial

import numpy as np
import torch

from tools.phantom import recipe
from tools.phantom.anatomy.patient import Patient, draw_patient
from tools.phantom.anatomy.spine import Spine, Vertebra, draw_spine
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.pathology import plan
from tools.phantom.pathology.fracture import Fracture
from tools.phantom.pathology.mineral import conserve_mineral

BREAKERS = plan.GENERATORS
KINDS = ("wedge", "biconcave", "crush")


def settings(**changed) -> dict:
    """Section `pathology` of the standard recipe, on, with some keys changed."""
    return recipe.load("standard")["pathology"] | {"highest": "T4"} | changed


def spine(seed: int = 0, sex: str = "F") -> Spine:
    """An intact spine."""
    return draw_spine(np.random.default_rng(seed), sex, 60.0)


def mild(seed: int = 0, level: str = "L1") -> Vertebra:
    """A body with only its mild warp."""
    return plan._mild(np.random.default_rng([seed, 1]), spine(seed).vertebrae[level])


def broken(
    kind: str, loss: float, generator: str = "warp", seed: int = 0, side: float = 0.0, **marks
) -> Vertebra:
    """A fractured L1."""
    marks = {"impaction": True, "swelling": False, "threshold": False} | marks
    asked = Fracture(kind, loss, side, generator=generator, **marks)
    return BREAKERS[generator](np.random.default_rng([seed, 2]), mild(seed), asked)


def patient(seed: int = 0, **changed) -> Patient:
    """A patient of the standard population with pathology."""
    rng = np.random.default_rng([seed, 3])
    alter = partial(plan.alter, rng, settings(**changed))
    population = recipe.load("standard")["population"]
    return conserve_mineral(draw_patient(np.random.default_rng(seed), population, 0.0, alter=alter))


def occupied(
    body: Vertebra, steps_mm: tuple[float, float, float]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Voxels inside a body in its own frame, bool [U, V, W], and their coordinates, mm."""
    half = np.array([body.width, body.depth, body.height]) * 0.75
    axes = [
        torch.arange(-part, part, step) for part, step in zip(half.tolist(), steps_mm, strict=True)
    ]
    u, v, w = torch.meshgrid(*axes, indexing="ij")
    inside = BodyShape(body).distance(u, v, w) < 0
    return inside.numpy(), [axis.numpy() for axis in axes]
