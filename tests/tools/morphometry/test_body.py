"""Shapes of single bodies against analytic truth: any direction, orientation, spacing."""

import numpy as np
import pytest

from tests.tools.morphometry.bodies import Body, draw, turn
from tools.morphometry import measure

SHAPES = {
    "box-like": Body(bowl=0.0, waist=0.0),
    "concave": Body(),
    "lower-in-front": Body(depth=32.0, width=38.0, anterior=21.0, posterior=25.0, bowl=1.5),
    "higher-in-front": Body(anterior=30.0, posterior=25.0, bowl=3.0, apex=0.5),
    "thoracic": Body(depth=30.5, width=32.0, anterior=20.0, posterior=22.0, waist=0.04),
}
CODES = ("RAS", "LPS", "PIR", "SRA", "ILA", "ARS", "LAS", "SPL")


def truth(body: Body) -> dict[str, float]:
    return {
        "anterior": body.anterior,
        "middle": body.middle,
        "posterior": body.posterior,
        "upper depth": body.plate_depth,
        "middle depth": body.depth * (1 - body.waist),
        "lower depth": body.plate_depth,
        "upper width": body.width,
        "middle width": body.width * (1 - body.waist),
        "wedge": body.wedge,
    }


def errors(body: Body, spacing: tuple[float, float, float], draws: int) -> dict[str, np.ndarray]:
    """Measured minus true values over random directions, grids and orientations."""
    rng = np.random.default_rng(7)
    found: dict[str, list[float]] = {name: [] for name in truth(body)}
    for code in CODES[:draws]:
        rotation = turn(*rng.uniform([-28, -12, -12], [28, 12, 12]))
        grid = turn(*rng.uniform(-8, 8, 3))
        labels, affine = draw([(2, body, rotation, rng.uniform(-9, 9, 3))], spacing, grid, code)
        one = measure(labels, affine).levels["L2"]
        assert one.complete
        assert one.height_mm is not None
        assert one.depth_mm is not None
        assert one.width_mm is not None
        assert one.wedge_deg is not None
        values = [
            one.height_mm.anterior,
            one.height_mm.middle,
            one.height_mm.posterior,
            one.depth_mm.upper,
            one.depth_mm.middle,
            one.depth_mm.lower,
            one.width_mm.upper,
            one.width_mm.middle,
            one.wedge_deg,
        ]
        for (name, true), value in zip(truth(body).items(), values, strict=True):
            found[name].append(value - true)
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES.keys())
def test_one_millimetre_maps_are_measured_below_a_voxel(body: Body) -> None:
    for name, off in errors(body, (1.0, 1.0, 1.0), 8).items():
        limit = 1.0 if name == "wedge" else 0.3
        assert abs(off.mean()) < limit, name
        assert np.sqrt((off**2).mean()) < (1.0 if name == "wedge" else 0.4), name
        assert abs(off).max() < 2.2 * limit if name == "wedge" else 0.9, name


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES.keys())
def test_three_millimetre_maps_are_measured_within_half_a_voxel(body: Body) -> None:
    for name, off in errors(body, (3.0, 3.0, 3.0), 8).items():
        if name == "wedge":
            assert abs(off.mean()) < 3.5
        else:
            assert abs(off.mean()) < 1.5, name
            assert np.median(abs(off)) < 1.5, name


def test_thick_slices_keep_lengths() -> None:
    for name, off in errors(SHAPES["concave"], (0.8, 0.8, 3.0), 6).items():
        assert abs(off.mean()) < (3.0 if name == "wedge" else 1.5), name
