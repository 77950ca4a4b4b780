"""Heights of healthy vertebral bodies by level, the norm that a height loss is measured against.

L5 and L4 are naturally lower behind, T11 to L1 in front: a body is compared with what its level
should be, never with its neighbour's millimetres.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from tools.morphometry.model import Heights
from tools.morphometry.published import LUMBAR_CONCAVITY_MM
from tools.phantom.anatomy.sizes import LEVEL_SIZES, LevelSize

#: Places at which a height is measured, front to back.
PLACES: tuple[str, ...] = ("anterior", "middle", "posterior")


def _heights(size: LevelSize) -> Heights:
    """Mean heights of both sexes: the wedge takes from the front, the endplates' bowls the middle.

    >>> from tools.phantom.anatomy.sizes import LEVEL_SIZES
    >>> front = _heights(LEVEL_SIZES["L5"]).anterior  # Cook & Baker 2021 measured 30.3 +- 1.9 mm
    >>> 28.4 < front < 32.2
    True
    """
    wedge = math.radians((size.wedge_women + size.wedge_men) / 2)
    front = size.height - size.depth * math.tan(wedge)
    middle = (front + size.height) / 2 - LUMBAR_CONCAVITY_MM
    return Heights(front, middle, size.height)


#: Level -> mean heights, mm: posterior heights and depths after Panjabi 1991/92, wedges after
#: Masharawi 2008, L5 after Cook 2021, endplates after Wang 2012. L6, which no series lists, is
#: taken to be built like L5 (design).
HEIGHTS_MM = MappingProxyType(
    {level: _heights(size) for level, size in LEVEL_SIZES.items()}
    | {"L6": _heights(LEVEL_SIZES["L5"])}
)
