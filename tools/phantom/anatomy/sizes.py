"""Published sizes of the thoracolumbar spine, per level, in millimetres and degrees.

Each table names its source; `docs/anatomy.md` shows them beside what is measured on the drawn
label maps. Marked "design" is our own choice where no source was found.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple


class LevelSize(NamedTuple):
    """Mean size of one vertebra, both sexes together.

    Attributes:
        height: Posterior body height, mm (Panjabi 1991/92; L5 Cook 2021).
        depth: Antero-posterior depth of the upper endplate, mm (Panjabi; L5 Cook 2021).
        width: Transverse width of the upper endplate, mm (Panjabi).
        wedge_women: Body wedge, degrees, + = lower in front (Masharawi 2008).
        wedge_men: The same for men.
        canal_width: Vertebral canal, transverse, mm (Panjabi; L5 Cook 2021).
        canal_depth: Vertebral canal, sagittal, mm (Panjabi; L5 Cook 2021).
        pedicle_width: mm (Panjabi; L5 Cook 2021; thoracic: design).
        density: Factor on the patient's trabecular density (design).
    """

    height: float
    depth: float
    width: float
    wedge_women: float
    wedge_men: float
    canal_width: float
    canal_depth: float
    pedicle_width: float
    density: float


#: T4-T9 height, depth and width follow Panjabi's trend; their other values are design.
LEVEL_SIZES = MappingProxyType(
    {
        "T4": LevelSize(17.0, 22.0, 24.0, 2.0, 2.5, 16.0, 15.5, 4.7, 1.15),
        "T5": LevelSize(17.8, 23.6, 25.2, 2.5, 3.0, 16.0, 15.5, 4.8, 1.14),
        "T6": LevelSize(18.6, 25.2, 26.6, 3.0, 3.5, 16.2, 15.5, 5.0, 1.13),
        "T7": LevelSize(19.4, 26.8, 28.0, 3.2, 3.8, 16.5, 15.5, 5.3, 1.12),
        "T8": LevelSize(20.2, 28.4, 29.4, 3.0, 3.8, 16.8, 15.5, 5.8, 1.10),
        "T9": LevelSize(21.0, 30.0, 31.0, 2.8, 3.8, 17.4, 15.5, 6.4, 1.09),
        "T10": LevelSize(21.5, 30.5, 32.0, 2.6, 3.8, 18.0, 15.5, 7.0, 1.08),
        "T11": LevelSize(22.5, 31.5, 35.0, 4.6, 5.4, 19.5, 16.0, 8.0, 1.07),
        "T12": LevelSize(24.0, 32.5, 39.0, 3.5, 4.9, 22.0, 18.0, 8.2, 1.05),
        "L1": LevelSize(25.5, 33.0, 41.0, 2.6, 4.1, 23.7, 17.5, 8.5, 1.03),
        "L2": LevelSize(26.0, 34.0, 43.0, 0.7, 2.6, 23.8, 17.0, 8.8, 1.01),
        "L3": LevelSize(26.0, 35.0, 44.5, -1.1, 1.3, 24.3, 16.5, 10.2, 0.97),
        "L4": LevelSize(26.0, 35.5, 47.0, -3.1, -0.7, 25.4, 16.5, 13.0, 0.99),
        "L5": LevelSize(26.3, 35.7, 49.0, -7.8, -4.6, 27.5, 15.6, 16.1, 1.05),
    }
)

#: Foot to head, the order in which the spine is built on the sacrum.
FOOT_TO_HEAD: tuple[str, ...] = tuple(reversed(LEVEL_SIZES))


class DiscSize(NamedTuple):
    """The disc under a vertebra: mean mid height and between-person SD, mm; lordosis share."""

    height: float
    sd: float
    share: float


#: Disc under each level (T10 = T10/T11). Heights between two MR series; share of the segment, the
#: body above with this disc, in the L1-S1 lordosis after Been & Kalichman 2014; thoracic discs are
#: design.
DISCS = MappingProxyType(
    {
        "L5": DiscSize(10.8, 2.4, 0.43),
        "L4": DiscSize(11.5, 2.0, 0.25),
        "L3": DiscSize(10.3, 1.8, 0.18),
        "L2": DiscSize(9.3, 1.6, 0.12),
        "L1": DiscSize(8.0, 1.5, 0.02),
        "T12": DiscSize(6.5, 1.3, 0.0),
        "T11": DiscSize(5.3, 1.1, 0.0),
        "T10": DiscSize(4.5, 1.0, 0.0),
        **{f"T{number}": DiscSize(4.0, 0.8, 0.0) for number in range(9, 3, -1)},
    }
)

#: Between-person SD of sizes: one factor for the patient, one per level.
SIZE_SD = 0.06
LEVEL_SD = 0.02
#: SD of one length of one vertebra on top (design: together 3 %).
LENGTH_SD = 0.02
#: Sexual dimorphism of lengths.
SIZE_WOMEN = 0.95
SIZE_MEN = 1.05
#: SD of the body wedge, degrees (design; Masharawi prints 2-3).
WEDGE_SD = 2.0

#: Endplate concavity in the middle, mm: about 0.7 above and 1.5 below (Wang 2012, men's lumbar
#: spines: most upper endplates are nearly flat), with a design spread.
CONCAVITY_UPPER_MM = (0.2, 1.4)
CONCAVITY_LOWER_MM = (0.8, 2.4)
#: Hollow of the posterior wall in its middle, mm (design).
DENT_MM = (0.8, 2.8)
#: Lower endplate's size over the upper's (design; L5 tapers, Cook 2021).
FLARE = (1.0, 1.06)
FLARE_L5 = (0.94, 1.02)
#: The waist is narrower than the endplates by this fraction (design; a real L3 flares 10-15 %).
WAIST = (0.03, 0.10)
#: Cortical shell and endplate thickness, mm (Silva 1994: 0.35 mean, 0.2-0.8).
SHELL_MEAN_MM = 0.38
SHELL_SD_MM = 0.1
SHELL_RANGE_MM = (0.2, 0.8)
#: Mineral of the porous shell, mg HA/cm³ (design).
SHELL_HA = (600.0, 900.0)
