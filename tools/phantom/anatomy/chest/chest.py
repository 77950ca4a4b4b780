"""The chest of one patient: what is drawn once, and how it is painted around the spine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.phantom.anatomy.bones import (
    Labels,
    paint_canal,
    paint_disc,
    paint_ligament,
    paint_vertebra,
)
from tools.phantom.anatomy.chest.airways import Airways, draw_airways, paint_airways
from tools.phantom.anatomy.chest.cage import Cage, draw_cage, paint_cage
from tools.phantom.anatomy.chest.great_vessels import (
    GreatVessels,
    draw_great_vessels,
    paint_great_vessels,
)
from tools.phantom.anatomy.chest.heart import Heart, draw_heart, paint_heart
from tools.phantom.anatomy.chest.lungs import (
    Branch,
    draw_lung_vessels,
    paint_lung_vessels,
    paint_lungs,
)
from tools.phantom.anatomy.chest.outline import ChestTrunk
from tools.phantom.anatomy.chest.places import Places
from tools.phantom.anatomy.chest.shoulder import paint_shoulders, shoulder_bones
from tools.phantom.anatomy.chest.soft import (
    mediastinum,
    paint_armpits,
    paint_glands,
    paint_mediastinum,
    paint_planes,
)
from tools.phantom.anatomy.chest.upper_spine import UPPER_SIZES, upper_bones
from tools.phantom.anatomy.ribs import Rib
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.anatomy.vessels import Vessels
from tools.phantom.drawing.painting import Paint
from tools.phantom.drawing.texture import Texture


@dataclass(frozen=True)
class Chest:
    """What the chest adds to a patient.

    Attributes:
        places: Spine T1 to L5 and the trunk.
        bones: Spongy bone of T1 to T3.
        cage: Cartilages and sternum.
        heart: Chambers and fat.
        vessels: Great vessels.
        airways: Trachea, bronchi, oesophagus.
        mediastinum: Rods of its fat, in groups.
        branches: Vessels of the lungs.
        shoulders: Bones of both shoulders.
        gland: Share of gland in the middle of the breasts, 0-1.
    """

    places: Places
    bones: dict[str, Trabecular]
    cage: Cage
    heart: Heart
    vessels: GreatVessels
    airways: Airways
    mediastinum: list[list[Part]]
    branches: list[Branch]
    shoulders: list[list[Part]]
    gland: float

    @property
    def spine(self) -> Spine:
        """T1 to L5."""
        return self.places.spine


def draw_chest(
    rng: np.random.Generator,
    spine: Spine,
    trunk: ChestTrunk,
    bones: dict[str, Trabecular],
    vessels: Vessels,
    ribs: list[Rib],
    age: float,
) -> tuple[Chest, list[Rib]]:
    """Draw a chest.

    Args:
        rng: Random stream of the chest alone.
        spine: T1 to L5.
        trunk: Its outline.
        bones: Spongy bone of T4 to L5.
        vessels: Of the abdomen.
        ribs: Of the abdomen, T7 to T12.
        age: Years.

    Returns:
        The chest, and ribs T1 to T12.
    """
    places = Places(spine, trunk)
    all_ribs, cage = draw_cage(rng, places, age, ribs)
    great = draw_great_vessels(places, vessels)
    chest = Chest(
        places=places,
        bones=upper_bones(bones),
        cage=cage,
        heart=draw_heart(rng, places),
        vessels=great,
        airways=draw_airways(rng, places),
        mediastinum=mediastinum(places, great),
        branches=draw_lung_vessels(rng, places),
        shoulders=shoulder_bones(places),
        gland=_gland(rng, age),
    )
    return chest, all_ribs


def _gland(rng: np.random.Generator, age: float) -> float:
    """Share of gland in the breasts' middle, which fat replaces with age (design)."""
    return float(np.clip(rng.normal(0.75 - 0.012 * (age - 25), 0.2), 0.0, 0.9))


def paint_chest(paint: Paint, chest: Chest, broad: Texture, strands: Texture) -> None:
    """Paint what lies inside and over the cage, before the abdomen's organs.

    Args:
        paint: Canvas and HU.
        chest: What is painted.
        broad: Slow texture of soft tissue.
        strands: Fine texture.
    """
    trunk = chest.places.trunk
    paint_planes(paint, trunk, broad)
    paint_armpits(paint, chest.places)
    paint_glands(paint, trunk, strands, chest.gland)
    paint_lungs(paint, trunk, strands)
    paint_lung_vessels(paint, chest.branches)
    paint_mediastinum(paint, chest.mediastinum, trunk)
    paint_heart(paint, chest.heart, chest.places)
    paint_great_vessels(paint, chest.vessels)
    paint_airways(paint, chest.airways)


def paint_chest_bones(paint: Paint, chest: Chest, cortex: float, spongy: float) -> None:
    """Paint cartilages, sternum and shoulders.

    Args:
        paint: Canvas and HU.
        chest: Whose.
        cortex: HU of the cortex.
        spongy: HU inside.
    """
    paint_cage(paint, chest.cage, cortex, spongy)
    paint_shoulders(paint, chest.shoulders, cortex, spongy)


def paint_upper_spine(paint: Paint, chest: Chest, labels: Labels) -> None:
    """Paint T1 to T3 with their canal; the label maps stay empty there.

    Args:
        paint: Canvas and HU.
        chest: Whose.
        labels: Maps of the canvas' grid; no label names these levels.
    """
    bodies = [chest.spine.vertebrae[level] for level in UPPER_SIZES]
    canal = {level: chest.spine.vertebrae[level] for level in ("T4", *UPPER_SIZES)}
    paint_canal(paint, replace(chest.spine, vertebrae=canal), np.empty((0, 3)))
    for paint_part in (paint_ligament, paint_disc):
        for body in bodies:
            paint_part(paint, body)
    for body in bodies:
        paint_vertebra(paint, body, chest.bones[body.level], labels)
