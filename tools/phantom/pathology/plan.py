"""Who has what: draws the findings of one spine and deforms it.

Every group of draws has a stream of its own, so that what a patient has of one says nothing about
the others; above all, nothing but the fractures themselves depends on who is fractured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tools.phantom.anatomy.spine import FOOT_TO_HEAD, Spine, Vertebra
from tools.phantom.pathology.collapse import collapse_body
from tools.phantom.pathology.fields import Plane, Waves
from tools.phantom.pathology.findings import Alter, Pathology, Swelling
from tools.phantom.pathology.fracture import Fracture, break_body
from tools.phantom.pathology.implants import draw_cement, draw_screws
from tools.phantom.pathology.lesions import Sclerosis
from tools.phantom.pathology.mimics import Mimicry, draw_mimics
from tools.phantom.pathology.restack import restack
from tools.phantom.pathology.warp import Layer, LayeredWarp

#: Mild warp of every body: height ±6 % at most (design), tilt between front and rear and left and
#: right, mm, and RMS unevenness of an endplate, mm.
RESCALE = 0.06
MILD_TILT_MM = 0.35
MILD_UNEVEN_MM = (0.0, 0.25)
#: Loss of height by grade; none of them within 1 % of a limit.
GRADE_LOSSES = {1: (0.21, 0.245), 2: (0.26, 0.39), 3: (0.41, 0.60)}
#: Losses of the cases near the limits of grade 1 and 2.
THRESHOLD_LOSSES = ((0.18, 0.22), (0.23, 0.27))
#: Deepest place beside the middle, half widths: usual, and of a one-sided fracture (1/3 of the
#: whole width at most).
USUAL_SIDE, ONE_SIDED = (-0.12, 0.12), (0.3, 0.667)
#: Probability of a second and of a third fracture after the one before (design).
NEXT_FRACTURE = (0.35, 0.3)
#: How often levels break where fractures peak, relative to 1 elsewhere (design, after the two peaks
#: at T12-L1 and T7-T8 that all series show).
PEAKS = {"T7": 3.0, "T8": 3.0, "T11": 1.5, "T12": 4.0, "L1": 4.0, "L2": 1.5}
#: Dense bands in bodies that are not fractured: mineral over the usual - 1, height, mm (design).
SCLEROSIS_AMOUNT, SCLEROSIS_MM = (0.8, 2.5), (2.5, 7.0)
#: Thickness of a paravertebral swelling, mm (design).
SWELLING_MM = (3.0, 9.0)

#: What breaks a body, by the name that recipes use.
GENERATORS = {"warp": break_body, "collapse": collapse_body}


def active(settings: Mapping[str, Any]) -> bool:
    """Whether a recipe asks for any pathology."""
    return any(settings[key] > 0 for key in ("fractured", "mimics", "cement", "screws"))


def alteration(rng: np.random.Generator, settings: Mapping[str, Any]) -> Alter | None:
    """What deforms a patient's spine, or None where the recipe asks for no pathology.

    Args:
        rng: Random stream of the patient's pathology.
        settings: Section `pathology` of a recipe.
    """
    return partial(alter, rng, settings) if active(settings) else None


def alter(
    rng: np.random.Generator, settings: Mapping[str, Any], spine: Spine
) -> tuple[Spine, Pathology]:
    """Draw findings and deform a spine.

    Args:
        rng: Random stream.
        settings: Section `pathology` of a recipe.
        spine: As it grew.
    """
    label, mild, broken, mimicking, dense, swollen, filled = rng.spawn(7)
    fractured = bool(label.random() < settings["fractured"])
    # Drawn for everyone: who is not fractured has a dense band where a fracture would have been.
    planned = _draw_fractures(label, settings)
    fractures = planned if fractured else {}
    bodies = {level: _mild(mild, body) for level, body in spine.vertebrae.items()}
    whole = {level: bodies[level] for level in fractures}
    breaker = GENERATORS[settings["generator"]]
    for level, fracture in fractures.items():
        bodies[level] = breaker(broken, bodies[level], fracture)
    mimicry = Mimicry(bodies, free=[level for level in _levels(settings) if level not in planned])
    if mimicking.random() < settings["mimics"]:
        draw_mimics(mimicking, mimicry, settings["mimic_kinds"])
    bodies = mimicry.bodies
    bands = _dense_bands(dense, bodies, planned, fractures)
    swellings = [
        Swelling(level, float(swollen.uniform(*SWELLING_MM)), float(swollen.uniform(-0.6, 0.6)))
        for level in [*planned, *mimicry.swollen]
        if level in mimicry.swollen or (level in fractures and fractures[level].swelling)
    ]
    grown, spine = spine, restack(spine, bodies)
    sunk = _sunk(restack(grown, bodies | whole), spine) if fractures else {}
    cement, screws = [], None
    if filled.random() < settings["cement"]:
        level = str(filled.choice(_levels(settings)))
        cement = [draw_cement(filled, spine.vertebrae[level])]
    if filled.random() < settings["screws"]:
        screws = draw_screws(filled, spine, _levels(settings))
    return spine, Pathology(
        fractures=fractures,
        mimics=mimicry.kinds,
        sclerosis=bands,
        swellings=tuple(swellings),
        bridges=tuple(mimicry.bridges),
        cement=tuple(cement),
        screws=screws,
        fragments=tuple(mimicry.fragments),
        sunk_mm=sunk,
    )


def _sunk(whole: Spine, broken: Spine) -> dict[str, float]:
    """By level, how far its middle came down with the broken bodies, mm."""
    return {
        level: float(body.frame.origin[2] - broken.vertebrae[level].frame.origin[2])
        for level, body in whole.vertebrae.items()
    }


def _levels(settings: Mapping[str, Any]) -> list[str]:
    """Levels that may have a finding, foot to head."""
    return list(FOOT_TO_HEAD[: FOOT_TO_HEAD.index(settings["highest"]) + 1])


def _draw_fractures(rng: np.random.Generator, settings: Mapping[str, Any]) -> dict[str, Fracture]:
    """Fractures by level, one to three of them."""
    levels = _levels(settings)
    weights = np.array([
        PEAKS.get(level, 1.0) if settings["levels"] == "peaks" else 1.0 for level in levels
    ])  # fmt: skip
    count = 1 + int(rng.random() < NEXT_FRACTURE[0]) * (1 + int(rng.random() < NEXT_FRACTURE[1]))
    places = rng.choice(levels, min(count, len(levels)), replace=False, p=weights / weights.sum())
    return {str(level): _draw_fracture(rng, settings) for level in places}


def _draw_fracture(rng: np.random.Generator, settings: Mapping[str, Any]) -> Fracture:
    threshold = bool(rng.random() < settings["threshold"])
    usual = GRADE_LOSSES[int(rng.choice(settings["grades"]))]
    near = THRESHOLD_LOSSES[int(rng.integers(len(THRESHOLD_LOSSES)))]
    one_sided = rng.random() < settings["one_sided"]
    side = rng.uniform(*ONE_SIDED) * rng.choice([-1, 1]) if one_sided else rng.uniform(*USUAL_SIDE)
    return Fracture(
        kind=str(rng.choice(settings["kinds"])),
        loss=float(rng.uniform(*(near if threshold else usual))),
        side=float(side),
        impaction=bool(rng.random() < settings["impaction"]),
        swelling=bool(rng.random() < settings["swelling"]),
        threshold=threshold,
        generator=settings["generator"],
    )


def _mild(rng: np.random.Generator, body: Vertebra) -> Vertebra:
    """A healthy body goes through the same warp: a little higher or lower, tilted, uneven."""
    lost = float(rng.uniform(-RESCALE, RESCALE)) * body.height / 2
    plates = []
    for _ in range(2):
        tilt = rng.normal(0, MILD_TILT_MM / 2, 2).clip(-MILD_TILT_MM, MILD_TILT_MM)
        uneven = Waves.draw(rng, float(rng.uniform(*MILD_UNEVEN_MM)), (0.2, 0.9))
        plates.append((Plane(lost, float(tilt[0]), float(tilt[1])), uneven))
    warp = LayeredWarp(body.width / 2, body.depth / 2, Layer(*plates))
    return replace(body, warp=warp)


def _dense_bands(
    rng: np.random.Generator,
    bodies: dict[str, Vertebra],
    planned: Mapping[str, Fracture],
    fractures: Mapping[str, Fracture],
) -> tuple[str, ...]:
    """Add dense bands, changed in place: as often in negatives as fractures are impacted."""
    found = []
    for level, plan in planned.items():
        amount = float(rng.uniform(*SCLEROSIS_AMOUNT))
        band = Sclerosis(
            upper=bool(rng.random() < 0.7),
            thickness=float(rng.uniform(*SCLEROSIS_MM)),
            amount=amount,
            middle=(plan.side, float(rng.uniform(-0.2, 0.6))),
            radius=float(rng.uniform(0.6, 1.3)),
        )
        warp = bodies[level].warp
        if level in fractures or not plan.impaction or not isinstance(warp, LayeredWarp):
            continue
        bands = (*warp.sclerosis, band)
        bodies[level] = replace(bodies[level], warp=replace(warp, sclerosis=bands))
        found.append(level)
    return tuple(found)
