"""The abdominal aorta and its blood, as `bmd_regression` finds it.

    found = aorta.find(image, affine, bodies.points_mm(instances, grid, names))
    found.hu_median          # None where no aorta was found with certainty

`screen` asks whether the scan is enhanced, the bundle what unenhanced blood reads; both with the
one finder of `bmd_bundle.aorta`, where its arguments and limits stand.
"""

from __future__ import annotations

from typing import Any

from tools import bundles
from tools.screen.settings import MEASURING

_finder = bundles.module(MEASURING, "bmd_bundle.aorta")

NOT_FOUND: Any = _finder.NOT_FOUND
"""What `find` returns where nothing is certain."""

find = _finder.find
