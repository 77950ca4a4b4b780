"""Short ribs on L1, and twelfth ribs that are short or missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.phantom.anatomy.ribs import Rib
from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.trunk import Trunk

#: Length of a lumbar rib, mm (design: shorter than a 12th rib).
LUMBAR_RIB_MM = (18.0, 75.0)
#: Share of lumbar ribs and of short 12th ribs on both sides (design).
BOTH_SIDES = 0.6
#: A 12th rib under 38 mm counts as short (design after the usual radiographic limit); some are
#: missing altogether.
SHORT_RIB_MM = (12.0, 38.0)
MISSING_SHARE = 0.2
#: Between the process of L1 and its rib, mm.
JOINT_MM = 5.0
#: A lumbar rib sinks and runs backwards by this share of its length, then follows the wall.
SINK, BACKWARDS = 0.45, 0.12
#: It stays this deep under the subcutaneous fat, mm.
COVER_MM = 8.0
STATIONS = 6
#: Share of the way to its tip at which the process of L1 ends where a lumbar rib begins, and its
#: radii, mm.
STUMP, STUMP_MM = 0.35, (4.4, 3.6)

#: Start and end, mm, and the radii there.
Rod = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float]]


@dataclass(frozen=True)
class LastRibs:
    """Lengths by side (-1 left, +1 right), mm; a side that is not listed is usual.

    Attributes:
        lumbar: Of ribs on L1.
        short: Of short 12th ribs, 0 for a missing one.
    """

    lumbar: tuple[tuple[int, float], ...] = ()
    short: tuple[tuple[int, float], ...] = ()

    def lumbar_mm(self) -> dict[str, float] | None:
        """For the truth: lengths by side, null without lumbar ribs."""
        return _named(self.lumbar)

    def short_mm(self) -> dict[str, float] | None:
        """For the truth: lengths of short 12th ribs by side, null without."""
        return _named(self.short)


def draw_last_ribs(rng: np.random.Generator, lumbar: float, short: float) -> LastRibs:
    """Draw which of the last ribs are unusual.

    Args:
        rng: Random stream.
        lumbar: Probability of ribs on L1.
        short: Probability of short or missing 12th ribs.
    """
    has_lumbar, has_short = rng.random() < lumbar, rng.random() < short
    lumbar_sides, short_sides = _sides(rng), _sides(rng)
    length = float(rng.uniform(*LUMBAR_RIB_MM))
    lumbar_ribs = tuple((side, length * float(rng.uniform(0.8, 1.2))) for side in lumbar_sides)
    missing = rng.random() < MISSING_SHARE
    length = 0.0 if missing else float(rng.uniform(*SHORT_RIB_MM))
    short_ribs = tuple((side, length) for side in short_sides)
    return LastRibs(lumbar_ribs if has_lumbar else (), short_ribs if has_short else ())


def change_ribs(ribs: list[Rib], plan: LastRibs, spine: Spine, trunk: Trunk) -> list[Rib]:
    """Cut the 12th ribs short and add those of L1.

    Args:
        ribs: The usual ones.
        plan: What the patient has.
        spine: Vertebrae that carry them.
        trunk: The wall they follow.
    """
    lengths = dict(plan.short)
    changed = []
    for rib in ribs:
        wanted = lengths.get(rib.side) if rib.level == "T12" else None
        if wanted is None:
            changed.append(rib)
        elif wanted > 0:
            changed.append(Rib(rib.level, rib.side, cut_short(rib.course, wanted)))
    return changed + [
        Rib("L1", side, _lumbar_course(spine, trunk, side, length)) for side, length in plan.lumbar
    ]


def stump(vertebra: Vertebra, side: int) -> Rod:
    """The short process of L1 that carries a lumbar rib, in the vertebra's frame.

    Args:
        vertebra: L1.
        side: +1 right.
    """
    scale, height = vertebra.scale, vertebra.height
    back = -vertebra.depth / 2
    root = vertebra.canal_width / 2 + vertebra.pedicle_width - 1
    tip = root + STUMP * (vertebra.width / 2 + 23 * scale - root)
    start = (side * root, back - 9 * scale, 0.15 * height)
    end = (side * tip, back - 13 * scale, 0.18 * height)
    return start, end, STUMP_MM


def cut_short(course: np.ndarray, length_mm: float) -> np.ndarray:
    """The first stretch of a course [N, 3], RAS+ mm, at most so long."""
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(course, axis=0), axis=1))])
    end = min(length_mm, float(run[-1]))
    stations = np.append(run[run < end], end)
    return np.stack([np.interp(stations, run, axis) for axis in course.T], 1)


def _lumbar_course(spine: Spine, trunk: Trunk, side: int, length: float) -> np.ndarray:
    """From the stump of L1's process sideways, down and a little backwards."""
    body = spine.vertebrae["L1"]
    start, tip, _ = stump(body, side)
    first, last = body.frame.point(*start), body.frame.point(*tip)
    along = (last - first) / np.linalg.norm(last - first)
    head = last + JOINT_MM * along
    share = np.linspace(0, 1, STATIONS)[:, None]
    across = length * np.sqrt(1 - SINK**2 - BACKWARDS**2)
    # It leaves sideways and bends down more and more.
    course = head + np.concatenate(
        [
            side * across * share,
            -BACKWARDS * length * share * (1.6 - share),
            -SINK * length * share**1.5,
        ],
        axis=1,
    )
    return trunk.held(course, trunk.fat[0] + COVER_MM)


def _sides(rng: np.random.Generator) -> tuple[int, ...]:
    both, right = rng.random() < BOTH_SIDES, rng.random() < 0.5
    return (-1, 1) if both else ((1,) if right else (-1,))


def _named(lengths: tuple[tuple[int, float], ...]) -> dict[str, float] | None:
    names = {-1: "left", 1: "right"}
    return {names[side]: length for side, length in lengths} or None
