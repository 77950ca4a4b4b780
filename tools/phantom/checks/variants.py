"""Pictures of the spine's variants for `docs/variants.md`.

    python -m tools.phantom.checks.variants scratch/variants

One PNG per variant, in the bone window: a sagittal and a coronal cut, both bent along the bodies,
and a cut square to one vertebra. Look at them after each change of the variants.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from tools import pictures
from tools.files import write_atomically
from tools.phantom import recipe
from tools.phantom.anatomy.patient import Patient, draw_patient
from tools.phantom.draw import draw
from tools.phantom.drawing.canvas import Frame
from tools.phantom.field import fine_grid
from tools.phantom.imaging.scanner import SCANNERS, acquire, fine_step_mm
from tools.phantom.physics.beam import Beam
from tools.volumes import Grid

PIXEL_MM = 0.9
AXIAL_PIXEL_MM = 0.6
#: Half extents of the pictures, mm: to the side, in front and behind; height from T11 to S3.
ASIDE_MM, AHEAD_MM, BEHIND_MM = 66.0, 32.0, 62.0
ABOVE_MM, BELOW_MM = 8.0, 62.0
#: The scan: fine, soft and quiet, so that shapes show.
SCAN = {
    "pixel_mm": [0.8, 0.8],
    "thickness_mm": [1.0],
    "interval_ratio": [1.0, 1.0],
    "kernel": ["soft"],
    "noise_scale": [0.5, 0.5],
}


class Shown(NamedTuple):
    """One picture.

    Attributes:
        name: Of the file.
        anatomy: Probabilities of the variants.
        age: Years.
        seed: Chosen so that the patient has what the picture shall show.
        level: Vertebra of the axial cut.
        up: Its height over that vertebra's middle, mm.
        behind: The coronal cut lies so far behind the bodies' middles, mm.
        aside: The sagittal cut lies so far right of the bodies' middles, mm.
    """

    name: str
    anatomy: dict[str, float]
    age: float
    seed: int
    level: str
    up: float = 0.0
    behind: float = 0.0
    aside: float = 0.0


KINDS = (
    Shown("lumbarised_s1", {"lumbarised_s1": 1.0}, 45, 1, "L6"),
    Shown("sacralised_joint", {"sacralised_l5": 1.0}, 45, 3, "L5", -15.0, 8.0),
    Shown("sacralised_fused", {"sacralised_l5": 1.0}, 45, 15, "L5", -15.0, 8.0),
    Shown("lumbar_rib", {"lumbar_rib": 1.0}, 45, 3, "L1", 3.0, 34.0),
    Shown("scoliosis", {"scoliosis": 1.0}, 45, 6, "L1", 3.0),
    Shown("worn_discs", {"degeneration": 1.0}, 80, 24, "L2", -10.0),
    Shown("slipped_l4", {"degeneration": 1.0}, 78, 22, "L4", -9.0),
)


def scan(shown: Shown) -> tuple[Patient, np.ndarray, Grid]:
    """Draw and scan one patient's lumbar spine: HU [X, Y, Z] and its grid."""
    loaded = recipe.load("standard")
    loaded["population"]["age_years"] = {"mean": shown.age, "sd": 0, "min": 18, "max": 100}
    loaded["scan"] |= SCAN
    rng, own = np.random.default_rng(shown.seed), np.random.default_rng([shown.seed, 3])
    chances = loaded["anatomy"] | shown.anatomy
    patient = draw_patient(rng, loaded["population"], 0.0, anatomy=chances, variants=own)
    protocol = SCANNERS["A"].draw_protocol(np.random.default_rng(0), loaded["scan"])
    places = _middles(patient)
    low = places.min(0) - [ASIDE_MM, BEHIND_MM, 0.0]
    high = places.max(0) + [ASIDE_MM, AHEAD_MM, ABOVE_MM]
    low[2] = -BELOW_MM
    step = fine_step_mm(protocol)
    grid = fine_grid(np.array([low, high]), protocol.pixel_mm, step, 1, np.zeros(3))
    water = patient.trunk.water_equivalent_cm()
    hu = draw(patient, grid, Beam(protocol.kvp, protocol.filter_al_mm, water)).hu
    generator = torch.Generator()
    generator.manual_seed(shown.seed)
    return patient, acquire(hu, protocol, step, generator, water).numpy(), grid


def picture(shown: Shown) -> np.ndarray:
    """Sagittal, coronal and axial cut side by side, uint8 [H, W]; the patient's right is left."""
    patient, hu, grid = scan(shown)
    middles, body = _middles(patient), patient.spine.vertebrae[shown.level]
    heights = np.arange(middles[-1, 2] + ABOVE_MM, -BELOW_MM, -PIXEL_MM)[:, None]
    order = np.argsort(middles[:, 2])
    x, y = (np.interp(heights, middles[order, 2], middles[order, axis]) for axis in (0, 1))
    along = np.arange(middles[:, 1].max() + AHEAD_MM, middles[:, 1].min() - BEHIND_MM, -PIXEL_MM)
    across = np.arange(ASIDE_MM, -ASIDE_MM, -PIXEL_MM)
    sagittal = (x + shown.aside, along, heights)
    coronal = (middles[:, 0].mean() + across, y - shown.behind, heights)
    cuts = [
        _cut(hu, grid, places) for places in (sagittal, coronal, _square_to(body.frame, shown.up))
    ]
    tall = max(len(cut) for cut in cuts)
    return np.hstack([np.pad(cut, ((0, tall - len(cut)), (0, 4))) for cut in cuts])


def _square_to(frame: Frame, up: float) -> np.ndarray:
    """Places of a cut square to a body's axis, [3, H, W]: a rotated body is seen rotated."""
    axis = frame.axes[:, 2]
    side = np.array([1.0, 0.0, 0.0]) - axis[0] * axis
    side /= np.linalg.norm(side)
    ahead = np.cross(axis, side)
    across = np.arange(ASIDE_MM, -ASIDE_MM, -AXIAL_PIXEL_MM)
    along = np.arange(AHEAD_MM, -BEHIND_MM, -AXIAL_PIXEL_MM)[:, None]
    start = frame.point(0.0, 0.0, up)[:, None, None]
    return start + across * side[:, None, None] + along * ahead[:, None, None]


def _middles(patient: Patient) -> np.ndarray:
    """Middles of the sacral segments and of the bodies to T10, foot to head, RAS+ mm [N, 3]."""
    sacral = [segment.frame.origin for segment in reversed(patient.sacrum.segments)]
    bodies = [body.frame.origin for body in patient.spine.vertebrae.values()]
    return np.array([*sacral, *bodies[: list(patient.spine.vertebrae).index("T10")]])


def _cut(hu: np.ndarray, grid: Grid, places: tuple[np.ndarray, ...] | np.ndarray) -> np.ndarray:
    """Grey values at RAS+ places that broadcast, uint8 [H, W]."""
    points = np.stack(np.broadcast_arrays(*places), -1)
    index = np.moveaxis(grid.to_index(points), -1, 0)
    sampled = map_coordinates(hu, index, order=1, cval=pictures.AIR_HU)
    return pictures.window(sampled, pictures.BONE_WINDOW)


def main() -> None:
    """Write one PNG per variant."""
    parser = argparse.ArgumentParser("python -m tools.phantom.checks.variants", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--only", choices=[shown.name for shown in KINDS], help="one of them")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for shown in KINDS:
        if options.only in (None, shown.name):
            content = pictures.png(picture(shown))
            path = options.out / f"variant_{shown.name}.png"
            write_atomically(path, partial(_write, content=content))
            print(f"wrote {path}, {len(content) / 1000:.0f} kB")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


if __name__ == "__main__":
    main()
