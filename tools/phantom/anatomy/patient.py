"""One digital patient: everything that is drawn once and shown by every scan of this patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import truncnorm

from tools.phantom.anatomy.bowel import Loop, draw_bowel
from tools.phantom.anatomy.chest.chest import Chest, draw_chest
from tools.phantom.anatomy.chest.draw_outline import draw_chest_trunk
from tools.phantom.anatomy.chest.outline import ChestTrunk
from tools.phantom.anatomy.chest.pose import lie_down
from tools.phantom.anatomy.chest.upper_spine import draw_upper_spine
from tools.phantom.anatomy.density_mix import spread
from tools.phantom.anatomy.muscles import Muscles, draw_muscles
from tools.phantom.anatomy.organs import Blob, draw_organs
from tools.phantom.anatomy.pelvis import Pelvis, draw_pelvis
from tools.phantom.anatomy.ribs import Rib, draw_ribs
from tools.phantom.anatomy.sacrum import Sacrum, draw_sacrum, rearmost_mm
from tools.phantom.anatomy.slab import settle
from tools.phantom.anatomy.spine import Spine, draw_spine
from tools.phantom.anatomy.tissues import draw_tissues
from tools.phantom.anatomy.trabecular import Trabecular, draw_density, draw_trabecular
from tools.phantom.anatomy.trunk import Trunk, draw_trunk
from tools.phantom.anatomy.variants.change import change_spine
from tools.phantom.anatomy.variants.last_ribs import change_ribs
from tools.phantom.anatomy.variants.plan import USUAL, Plan, draw_plan
from tools.phantom.anatomy.variants.processes import join
from tools.phantom.anatomy.variants.transitional import shorten, with_l6
from tools.phantom.anatomy.vessels import Vessels, draw_vessels
from tools.phantom.drawing.texture import Texture
from tools.phantom.given.adopt import adopt
from tools.phantom.given.person import Given
from tools.phantom.pathology.findings import Alter, Pathology
from tools.phantom.physics.materials import Material


@dataclass(frozen=True)
class Patient:
    """A digital patient; lengths in mm, RAS+ with the sacral endplate's middle as origin.

    Attributes:
        sex: "F" or "M".
        age: Years.
        density: QCT density the bodies were drawn around, mg/cm³ HA.
        tissues: Soft tissues by name.
        spine: Vertebrae and alignment.
        bones: Spongy bone by level.
        sacrum: Sacrum and coccyx.
        pelvis: Hip bones and femora.
        ribs: Ribs T7-T12, with a chest T1-T12.
        trunk: Outline, walls, lungs.
        muscles: Muscles about the spine.
        organs: Organs of the abdomen and pelvis.
        bowel: Colon and small bowel.
        vessels: Aorta, caval vein, iliac vessels.
        broad: Slow texture of soft tissue.
        strands: Fine texture of fat.
        pathology: Fractures, mimics and implants; None in a recipe without them.
        plan: Variants of the spine.
        chest: What lies above the diaphragm, for the fields that show it.
    """

    sex: str
    age: float
    density: float
    tissues: dict[str, Material]
    spine: Spine
    bones: dict[str, Trabecular]
    sacrum: Sacrum
    pelvis: Pelvis
    ribs: list[Rib]
    trunk: Trunk
    muscles: Muscles
    organs: list[Blob]
    bowel: list[Loop]
    vessels: Vessels
    broad: Texture
    strands: Texture
    pathology: Pathology | None = None
    plan: Plan = USUAL
    chest: Chest | None = None


def draw_patient(
    rng: np.random.Generator,
    population: dict,
    oral_contrast: float,
    *,
    anatomy: dict | None = None,
    variants: np.random.Generator | None = None,
    alter: Alter | None = None,
    chest: np.random.Generator | None = None,
    given: Mapping[str, Given] | None = None,
    marrow_fat: float | None = None,
) -> Patient:
    """Draw a patient.

    Args:
        rng: Random stream; the patient is a function of it.
        population: Block `population` of a recipe: `women` (share), `age_years` {mean, sd, min,
            max} and `density`.
        oral_contrast: Probability of oral contrast medium.
        anatomy: Probabilities of variants, the recipe's section; none without it.
        variants: Random stream of their own.
        alter: Deforms the spine; draws nothing from `rng`.
        chest: Random stream of a chest, which also lets the spine lie down on the table; without
            it the patient ends at the diaphragm.
        given: Vertebrae of a given label map, which take the place of drawn ones.
        marrow_fat: Yellow volume fraction of the marrow; by age, sex and density when omitted.
    """
    sex = "F" if rng.random() < population["women"] else "M"
    age = _draw_age(rng, **population["age_years"])
    contrast = bool(rng.random() < oral_contrast)
    plan = draw_plan(variants, anatomy, sex, age) if anatomy and variants else USUAL
    intact = change_spine(draw_spine(rng, sex, age), plan)
    if given:
        intact = adopt(intact, given)
    spine, pathology = (intact, None) if alter is None else alter(intact)
    density = spread(draw_density(rng, sex, age), population)
    sacrum = shorten(draw_sacrum(rng, spine), plan.transition)
    if chest:
        spine = lie_down(chest, spine, rearmost_mm(sacrum))
    spine = join(spine, sacrum, plan)
    pelvis = draw_pelvis(rng, sacrum, spine.alignment.incidence, spine.alignment.slope, sex)
    trunk = draw_trunk(rng, spine, sacrum, pelvis, sex)
    if chest:
        trunk = draw_chest_trunk(chest, trunk, draw_upper_spine(spine), sex)
    patient = Patient(
        sex=sex,
        age=age,
        density=density,
        tissues=draw_tissues(rng),
        spine=spine,
        # Density is that of the bodies before they broke.
        bones=settle(
            intact,
            with_l6(draw_trabecular(rng, sex, age, density, marrow_fat), plan.transition),
        ),
        sacrum=sacrum,
        pelvis=pelvis,
        ribs=change_ribs(draw_ribs(rng, spine, trunk), plan.ribs, spine, trunk),
        trunk=trunk,
        muscles=draw_muscles(rng, age, sex),
        organs=draw_organs(rng, spine, trunk, sex, contrast),
        bowel=draw_bowel(rng, spine, trunk, contrast),
        vessels=draw_vessels(rng, spine, trunk, pelvis, age, sex),
        broad=Texture.draw(rng, float(rng.uniform(9, 16)), 24),
        strands=Texture.draw(rng, float(rng.uniform(4, 7))),
        pathology=pathology,
        plan=plan,
    )
    return with_chest(chest, patient) if chest else patient


def with_chest(rng: np.random.Generator, patient: Patient) -> Patient:
    """Add the chest to a patient whose trunk leaves room for it.

    Args:
        rng: Random stream of the chest alone.
        patient: Drawn with a `ChestTrunk`.
    """
    trunk, spine = patient.trunk, draw_upper_spine(patient.spine)
    assert isinstance(trunk, ChestTrunk)
    chest, ribs = draw_chest(
        rng, spine, trunk, patient.bones, patient.vessels, patient.ribs, patient.age
    )
    organs = [organ for organ in patient.organs if not organ.chest]
    return replace(patient, chest=chest, ribs=ribs, organs=organs)


def _draw_age(rng: np.random.Generator, mean: float, sd: float, min: float, max: float) -> float:  # noqa: A002 - the recipe's own keys
    """Draw from a normal distribution cut off at both ends, years."""
    if sd == 0:
        return float(np.clip(mean, min, max))
    low, high = (min - mean) / sd, (max - mean) / sd
    return float(truncnorm.ppf(rng.random(), low, high, mean, sd))
