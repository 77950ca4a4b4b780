"""Posterior elements of their own at every level: no two spinous processes of a spine are alike.

In a row of equal ones a gap or a lean tells what happened to the body before it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools.phantom.anatomy.spine import Back, Spine, Vertebra

#: Spread of a spinous process about its level's usual one, SD (design): length and thickness as
#: factors, the lean to the foot and to the side in degrees, and where its arch stands, mm.
LENGTH_SD, THICKNESS_SD, LEAN_SD_DEG, ASIDE_SD_DEG, RAISED_SD_MM = 0.12, 0.12, 6.0, 4.0, 1.2
#: Nobody lies further out than this, SD.
MOST_SD = 2.3


def draw_backs(rng: np.random.Generator, spine: Spine) -> Spine:
    """Give every vertebra posterior elements of its own.

    Args:
        rng: Random stream of them alone.
        spine: With frames; only `Vertebra.back` changes.
    """
    return replace(
        spine, vertebrae={name: _drawn(rng, each) for name, each in spine.vertebrae.items()}
    )


def _drawn(rng: np.random.Generator, vertebra: Vertebra) -> Vertebra:
    length, thickness, lean, aside, raised = np.clip(rng.normal(size=5), -MOST_SD, MOST_SD)
    return replace(
        vertebra,
        back=Back(
            length=float(1 + LENGTH_SD * length),
            thickness=float(1 + THICKNESS_SD * thickness),
            lean=float(LEAN_SD_DEG * lean),
            aside=float(ASIDE_SD_DEG * aside),
            raised=float(RAISED_SD_MM * raised),
        ),
    )
