"""Drawing the outline of a chest: its courses along z from spine, trunk and sex."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tools.phantom.anatomy.chest.outline import APEX_ASIDE_MM, APEX_MM, CHEST_FAT, ChestTrunk
from tools.phantom.anatomy.chest.pose import spinous_tip
from tools.phantom.anatomy.chest.profile import Profile
from tools.phantom.anatomy.ribs import CAGE_WIDTH, COVER_MM
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.drawing.canvas import vec
from tools.phantom.drawing.shapes import Triple, triple

#: Muscle, fat and skin behind the tips of thoracic spinous processes: above the fat's own
#: thickness, least and most, mm (design; thin people's tips lie close under the skin).
COVER_OVER_FAT_MM, COVER_RANGE_MM = 7.0, (12.0, 34.0)
#: More cover over T12, T11 and T10, where the back rises from the hollow of the loins, mm (design).
LOW_COVER_MM = (9.0, 6.0, 3.0)
#: Levels at which the outline is the abdomen's own, for the courses' lower ends.
LOWER = ("L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9")
#: The cage's back lies this far in front of the spinous tips: the ribs' angles, mm (design).
ANGLES_AHEAD_MM = 10.0
#: Half width of the cage relative to its width at T10 (design after chest CT).
CAGE_HALF = {
    "T12": 1.0, "T11": 1.0, "T10": 1.0, "T9": 0.99, "T8": 0.97, "T7": 0.94, "T6": 0.90,
    "T5": 0.85, "T4": 0.77, "T3": 0.68, "T2": 0.56, "T1": 0.42, "C7": 0.32,
}  # fmt: skip
#: Half the cage's width in a person of scale 1, mm: wide bellies widen the cage by a quarter.
USUAL_HALF_MM = 140.0
#: From the front of a body to the cage's outside in front, relative to T9's (design).
CAGE_DEPTH = {
    "T8": 0.99, "T7": 0.96, "T6": 0.91, "T5": 0.84, "T4": 0.75, "T3": 0.66, "T2": 0.57,
    "T1": 0.48, "C7": 0.40,
}  # fmt: skip
#: T9's depth in a person of scale 1, mm, and its weight against the trunk's own at T3 (design):
#: the upper chest hardly grows with the belly.
USUAL_DEPTH_MM, USUAL_WEIGHT = 104.0, 0.75
#: Pectoral muscle in front of the cage, mm at bulk 1 (design).
PECTORAL_MM = {
    "T8": 7.0, "T7": 8.0, "T6": 10.0, "T5": 12.0, "T4": 14.0, "T3": 14.0, "T2": 12.0,
    "T1": 8.0, "C7": 6.0,
}  # fmt: skip
#: Half width of the skin relative to the abdomen's outline continued upwards: shoulders with
#: raised arms, then the neck (design).
SKIN_HALF = {
    "T8": 1.0, "T7": 1.0, "T6": 1.01, "T5": 1.02, "T4": 1.02, "T3": 0.99, "T2": 0.88,
    "T1": 0.70, "C7": 0.50, "C5": 0.40,
}  # fmt: skip
#: Muscle over the side of the cage, mm at scale 1 (design): serratus and broad back muscle below
#: the armpit; the fat over it makes up what is left to the skin.
SIDE_MUSCLE_MM = {"T10": 8.0, "T9": 9.0, "T8": 10.0, "T7": 12.0, "T6": 15.0, "T5": 21.0}
#: Breasts of a supine woman: level, share of the skin's half width, how deep their middle lies
#: under the skin, mm; half axes at BMI 24, mm, growth per kg/m², relative SD (design).
BREAST_LEVEL, BREAST_ASIDE, BREAST_DEPTH_MM = 6.6, 0.60, 12.0
BREAST_HALF_MM, BREAST_GROWTH, BREAST_SD = (56.0, 33.0, 60.0), 0.035, 0.15
#: Raised arms: skin's radius at shoulder and above, mm at scale 1 (design).
ARM_RADII_MM = (52.0, 47.0, 42.0)


def draw_chest_trunk(rng: np.random.Generator, trunk: Trunk, spine: Spine, sex: str) -> ChestTrunk:
    """Give a trunk its chest.

    Args:
        rng: Random stream.
        trunk: Of the abdomen.
        spine: T1 to L5.
        sex: "F" or "M".
    """
    origin = {level: body.frame.origin for level, body in spine.vertebrae.items()}
    neck = origin["T1"] - origin["T2"]
    origin["C7"], origin["C5"] = origin["T1"] + neck, origin["T1"] + 3 * neck
    z = {level: float(place[2]) for level, place in origin.items()}
    scale = spine.scale
    tips = np.array([spinous_tip(spine.vertebrae[f"T{n}"]) for n in range(12, 0, -1)])
    fat_back = float(np.clip(trunk.fat[2] + COVER_OVER_FAT_MM, *COVER_RANGE_MM))
    trunk = _made_to_cover(trunk, float(tips[:, 1].min()) - fat_back)
    tip = Profile.through(tips[:, 2].tolist(), _smoothed(tips[:, 1]).tolist())

    def base_half(level: str) -> float:
        return float(trunk.half_axes(torch.tensor(z[level]))[0])

    cage_wide = trunk.half_width * CAGE_WIDTH - trunk.fat[0] - COVER_MM[0]
    levels = [level for level in CAGE_HALF if level in origin]
    usual = min(cage_wide, USUAL_HALF_MM * scale + 0.25 * (cage_wide - USUAL_HALF_MM * scale))
    cage_half = []
    for level in levels:
        # From T11 to T7 the belly's width gives way to the chest's own.
        weight = float(np.interp(-z[level], [-z["T7"], -z["T11"]], [1.0, 0.0]))
        wide = cage_wide + weight * (usual - cage_wide)
        cage_half.append(max(wide * CAGE_HALF[level], 40.0))
    beside = Profile.through([z[level] for level in levels], cage_half)
    cage_front, skin_front = _fronts(trunk, spine, origin, scale, float(rng.normal(1, 0.04)))
    skin = [level for level in SKIN_HALF if level in origin]
    lower = LOWER
    ramp = [(z[level], base_half(level)) for level in lower]
    ramp += [(z[level], base_half("T8") * SKIN_HALF[level]) for level in skin]
    half = Profile.through(*zip(*ramp, strict=True))
    least = CHEST_FAT[0] * trunk.fat[0]
    sides = [(z["L5"], trunk.fat[0]), (z["L1"], trunk.fat[0])]
    for level, muscle in SIDE_MUSCLE_MM.items():
        left = half.at(z[level]) - beside.at(z[level]) - muscle * scale
        sides.append((z[level], max(least, left)))
    sides.append((z["T4"], least))
    heights = [z["L5"] - 30, *tips[:, 2], z["C5"]]
    covers = np.minimum(fat_back + np.pad(LOW_COVER_MM, (0, 9)), COVER_RANGE_MM[1] + 2)
    back = [trunk.back, *(_smoothed(tips[:, 1]) - covers), tips[-1, 1] - fat_back + 12]
    cover = max(2.5, min(trunk.fat[2], fat_back - 5))
    shoulder = np.array([[1, -4, z["T3"]], [1.1, 2, z["T1"]], [1.22, 14, z["T1"] + 150]])
    side = base_half("T8") * 0.80
    middle = (tip.at(z["T2"]) + cage_front.at(z["T2"])) / 2
    arms = [shoulder * vec(sign * side, 1, 1) + vec(trunk.lean, middle, 0) for sign in (1.0, -1.0)]
    apex = vec(
        trunk.lean + APEX_ASIDE_MM,
        float(origin["T1"][1]) + 6.0,
        z["T1"] + APEX_MM + float(rng.normal(0, 5)),
    )
    return ChestTrunk(
        **vars(trunk),
        joins=(z["L5"], z["L1"]),
        skin_back=Profile.through(heights, back),
        skin_front=skin_front,
        skin_half=half,
        fat_back=Profile.through([z["L5"], z["T12"]], [trunk.fat[2], cover]),
        fat_side=Profile.through(*zip(*sides, strict=True)),
        cage_back=replace(tip, values=tip.values + ANGLES_AHEAD_MM),
        cage_front=cage_front,
        cage_half=beside,
        apex=apex,
        arms=np.array(arms),
        arm_radii=triple(scale * radius for radius in ARM_RADII_MM),
        sheets_from=z["T6"],
        bare_from=z["T10"],
        breasts=_breasts(rng, trunk, z, half, skin_front) if sex == "F" else (),
    )


def _breasts(
    rng: np.random.Generator, trunk: Trunk, z: dict[str, float], half: Profile, front: Profile
) -> tuple[tuple[Triple, Triple], ...]:
    """Both breasts of a woman lying on her back."""
    height = float(np.interp(-BREAST_LEVEL, [-7.0, -6.0], [z["T7"], z["T6"]]))
    size = max(0.6, float(rng.normal(1, BREAST_SD)) * (1 + BREAST_GROWTH * (trunk.bmi - 24)))
    axes = triple(size * part for part in BREAST_HALF_MM)
    aside = BREAST_ASIDE * half.at(height)
    # The chest falls away to the side.
    fall = (1 - (1 - BREAST_ASIDE**trunk.squareness) ** (1 / trunk.squareness)) * trunk.half_depth
    y = front.at(height) - BREAST_DEPTH_MM - fall
    return tuple(((trunk.lean + side * aside, y, height), axes) for side in (1.0, -1.0))


def _made_to_cover(trunk: Trunk, rear: float) -> Trunk:
    """Move the back to `rear` if spinous tips lie nearer, the front staying."""
    if rear >= trunk.back:
        return trunk
    return replace(trunk, back=rear, half_depth=trunk.half_depth + (trunk.back - rear) / 2)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A course without the small steps from one vertebra to the next."""
    padded = np.pad(values, 1, mode="edge")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def _fronts(
    trunk: Trunk, spine: Spine, origin: dict[str, np.ndarray], scale: float, factor: float
) -> tuple[Profile, Profile]:
    """Courses of the cage's outside and of the skin in front, from L3 to the neck."""
    heights, cage, skin = [], [], []
    fat = trunk.fat[1]

    def at(level: str) -> tuple[float, float]:
        place = origin[level]
        body = spine.vertebrae.get(level, spine.vertebrae["T1"])
        return float(place[2]), float(place[1]) + body.depth / 2

    for level in LOWER:
        z, _ = at(level)
        front = trunk.back + 2 * float(trunk.half_axes(torch.tensor(z))[1])
        heights.append(z)
        skin.append(front)
        cage.append(front - fat - COVER_MM[1])
    own = cage[-1] - at("T9")[1]
    for number, (level, share) in enumerate(CAGE_DEPTH.items()):
        z, ahead = at(level)
        weight = USUAL_WEIGHT * min(1.0, number / 5)
        depth = share * ((1 - weight) * own + weight * USUAL_DEPTH_MM * scale * factor)
        fade = min(1.0, (number + 1) / 3)
        heights.append(z)
        cage.append(ahead + depth)
        thinner = 1 - (1 - CHEST_FAT[1]) * fade
        skin.append(ahead + depth + PECTORAL_MM[level] * scale + fat * thinner)
    heights.append(float(origin["C5"][2]))
    cage.append(cage[-1] - 4)
    skin.append(skin[-1] - 2)
    return Profile.through(heights, cage), Profile.through(heights, skin)
