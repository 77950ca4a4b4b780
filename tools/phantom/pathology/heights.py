"""Height that a body has lost: against itself before the fracture, and against its level's norm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from tools.phantom.anatomy.sizes import CONCAVITY_LOWER_MM, CONCAVITY_UPPER_MM, LEVEL_SIZES
from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.anatomy.vertebra import RIM_ROUNDING_MM, BodyShape
from tools.phantom.pathology.warp import LayeredWarp

#: Loss from which a fracture is mild, moderate and severe (Genant 1993).
GRADE_LIMITS = (0.20, 0.25, 0.40)
#: Where heights are read.
PLACES = ("anterior", "middle", "posterior")
#: Half width of the sagittal band they are read in, and how far to the side it may reach, widths.
BAND, EDGE = 0.25, 0.45
#: Samples of the band.
SAMPLES_ACROSS, SAMPLES_ALONG = 11, 33
#: Bisections: the size of a deformation is found to 1 in 2^24.
ROUNDS = 24
#: A deformation may be made this many mm deep, more than any body is high.
DEEPEST_MM = 40.0


def before(body: Vertebra) -> Vertebra:
    """The same body without its fracture or mimic."""
    warp = body.warp
    return replace(body, warp=warp.without_deep()) if isinstance(warp, LayeredWarp) else body


def losses(body: Vertebra, side_mm: float = 0.0) -> dict[str, float]:
    """Share of the height lost by the fracture or mimic, at front, middle and back.

    Read from the trend of each endplate in a sagittal band, as a reader's six points are: a step
    or notch of a millimetre or two is no height.

    Args:
        body: The deformed body.
        side_mm: How far to the right of the mid-sagittal plane, mm.
    """
    warp = body.warp
    if not isinstance(warp, LayeredWarp) or not (warp.deep.top or warp.deep.bottom):
        return dict.fromkeys(PLACES, 0.0)
    then = before(body)
    u, v, weights = _trend(body, side_mm)
    heights = []
    for shape in (BodyShape(body), BodyShape(then)):
        top, bottom = shape.endplates(u, v)
        heights.append(weights @ (top - bottom).double().numpy().ravel())
    return dict(zip(PLACES, (1 - heights[0] / heights[1]).tolist(), strict=True))


def _trend(body: Vertebra, side_mm: float) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Sample places of a sagittal band, and weights of their heights at front, middle and back.

    The weights evaluate a polynomial fitted by least squares: of fourth order from front to back,
    of second order across.
    """
    half_band = min(BAND, EDGE - abs(side_mm) / body.width) * body.width
    front = body.depth / 2 - RIM_ROUNDING_MM
    back = -front + body.dent
    across = torch.linspace(-half_band, half_band, SAMPLES_ACROSS)
    along = torch.linspace(back, front, SAMPLES_ALONG)
    u, v = torch.meshgrid(across, along, indexing="ij")
    terms = _terms(u.double().numpy().ravel() / half_band, v.double().numpy().ravel() / front)
    ends = _terms(np.zeros(3), np.array([1.0, 0.0, back / front]))
    return u + side_mm, v, ends @ np.linalg.pinv(terms)


def _terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Terms of the trend at normalised places, [N, 9]."""
    one = np.ones_like(x)
    return np.stack([one, y, y**2, y**3, y**4, x, x * y, x * x, x * x * y], 1)


def norm_losses(body: Vertebra, sex: str) -> dict[str, float]:
    """Share of the level's normal height that lacks, the patient's size allowed for.

    Args:
        body: The body.
        sex: "F" or "M", for the level's normal wedge.
    """
    size = LEVEL_SIZES.get(body.level, LEVEL_SIZES["L5"])  # L6 is compared with L5
    wedge = float(np.radians(size.wedge_women if sex == "F" else size.wedge_men))
    depth = body.scale * size.depth
    back = body.scale * size.height
    middle = back - depth / 2 * np.tan(wedge)
    middle -= float(np.mean(CONCAVITY_UPPER_MM)) + float(np.mean(CONCAVITY_LOWER_MM))
    normal = {"anterior": back - depth * np.tan(wedge), "middle": middle, "posterior": back}
    now = BodyShape(body).heights_mm()
    return {place: 1 - now[place] / float(normal[place]) for place in now}


def grade(loss: float) -> int:
    """Grade of the largest loss: 0 below 20 %, 1 to 25 %, 2 to 40 %, 3 above.

    >>> [grade(loss) for loss in (0.19, 0.2, 0.25, 0.4, 0.41)]
    [0, 1, 2, 2, 3]
    """
    mild, moderate, severe = GRADE_LIMITS
    return int(loss >= mild) + int(loss >= moderate) + int(loss > severe)


def sized(
    make: Callable[[float], Vertebra], loss: float, side_mm: float, most_mm: float = DEEPEST_MM
) -> Vertebra:
    """Find the body whose largest loss, in one sagittal plane, is the one asked for.

    Args:
        make: Body whose deformation has a size in mm.
        loss: Largest of the three losses, a fraction.
        side_mm: The plane, mm to the right.
        most_mm: Largest size tried.
    """
    low, high = 0.0, most_mm
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if max(losses(make(middle), side_mm).values()) < loss:
            low = middle
        else:
            high = middle
    return make((low + high) / 2)
