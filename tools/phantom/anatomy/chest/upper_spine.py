"""T1 to T3, above the labelled levels: painted like the others, named by no label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools.phantom.anatomy.alignment import tilt
from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.drawing.canvas import Frame

#: Height in a person of scale 1, mm, and size relative to T4: depth, width, canal width, pedicle
#: width. Depth falls and width rises towards the neck (trend after Panjabi 1991; design).
UPPER_SIZES = {
    "T3": (16.6, 0.94, 1.02, 1.00, 1.05),
    "T2": (16.4, 0.86, 1.08, 1.06, 1.25),
    "T1": (16.0, 0.78, 1.18, 1.22, 1.50),
}
#: The discs under them are at least this high at the rims, mm.
LEAST_DISC_MM = 2.5
#: Angle by which each leans against the one below, degrees, + = backwards (design): the kyphosis
#: ends here.
UPPER_LEAN_DEG = 1.5
#: Where in the textures of spongy bone they lie, mm apart.
SHIFT_MM = 61.0


def draw_upper_spine(spine: Spine) -> Spine:
    """Stack T3, T2 and T1 on T4.

    Args:
        spine: T4 to L5.

    Returns:
        The same spine with the three on top: for painting, never for labels.
    """
    vertebrae = dict(spine.vertebrae)
    base = below = vertebrae["T4"]
    for level, (height, depth, width, canal, pedicle) in UPPER_SIZES.items():
        body = replace(
            base,
            level=level,
            height=height * spine.scale,
            depth=base.depth * depth,
            width=base.width * width,
            canal_width=base.canal_width * canal,
            pedicle_width=base.pedicle_width * pedicle,
            disc_height=max(base.disc_height, LEAST_DISC_MM),
            wedge=1.0,
            lean=0.0,
        )
        vertebrae[level] = below = replace(body, frame=_on(below, body))
    return replace(spine, vertebrae=vertebrae)


def _on(below: Vertebra, body: Vertebra) -> Frame:
    """Frame of a body on the disc over another, posterior walls in line."""
    axes = below.frame.axes @ tilt(below.wedge / 2 - UPPER_LEAN_DEG / 2, 0.0)
    top = below.frame.point(0.0, 0.0, below.height / 2)
    step = np.array([0.0, (body.depth - below.depth) / 2, body.disc_height + body.height / 2])
    return Frame(top + axes @ step, axes @ tilt(body.wedge / 2 - UPPER_LEAN_DEG / 2, 0.0))


def upper_bones(bones: dict[str, Trabecular]) -> dict[str, Trabecular]:
    """Spongy bone of T1 to T3: as T4's, in other parts of its textures."""
    return {
        level: replace(bones["T4"], shift=bones["T4"].shift - SHIFT_MM * number)
        for number, level in enumerate(UPPER_SIZES, start=1)
    }
