"""Signed distances against the nearest of many points on the surface."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from tools.phantom.drawing.shapes import (
    capsule,
    ellipsoid,
    smooth_max,
    smooth_min,
    superellipse,
    triple,
)

ANGLES = np.linspace(0, 2 * np.pi, 20_001)


def tensors(points):
    return [torch.tensor(part, dtype=torch.float32) for part in np.asarray(points).T]


def superellipse_outline(a, b, power):
    """Points on |u/a|^p + |v/b|^p = 1, [N, 2]."""
    cosine, sine = np.cos(ANGLES), np.sin(ANGLES)
    return np.stack(
        [
            a * np.sign(cosine) * np.abs(cosine) ** (2 / power),
            b * np.sign(sine) * np.abs(sine) ** (2 / power),
        ],
        1,
    )


@pytest.mark.parametrize(("a", "b", "power"), [(20, 20, 2.0), (22, 16, 2.0), (22, 16, 2.6)])
def test_superellipse_is_first_order_near_its_outline(a, b, power):
    outline = superellipse_outline(a, b, power)[::500]
    # Step off the outline along its normal, so the true distance is the step.
    gradient = np.sign(outline) * np.abs(outline / [a, b]) ** (power - 1) / [a, b]
    normal = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    for step in (-0.5, -0.1, 0.0, 0.1, 0.5):
        u, v = tensors(outline + step * normal)
        found = superellipse(u, v, a, b, power).numpy()
        np.testing.assert_allclose(found, step, atol=0.02)


def test_superellipse_has_the_right_sign_far_away_and_no_nan_on_axes():
    u, v = tensors([[0, 0], [30, 0], [0, 30], [1e-9, -1e-9]])
    found = superellipse(u, v, 20.0, 10.0, 2.4).numpy()
    assert np.isfinite(found).all()
    assert (np.sign(found) == [-1, 1, 1, -1]).all()


def exact_rod(point, start, end, radii):
    """Distance to a round cone by minimising over its balls."""
    start, end = np.array(start), np.array(end)

    def gap(share):
        middle = start + share * (end - start)
        return np.linalg.norm(point - middle) - (radii[0] + share * (radii[1] - radii[0]))

    inner = minimize_scalar(gap, bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).fun
    return min(inner, gap(0), gap(1))


@given(
    point=st.tuples(*[st.floats(-30, 30)] * 3),
    end=st.tuples(*[st.floats(-12, 12)] * 3),
    radius=st.floats(0.5, 6),
)
def test_capsule_is_exact_with_equal_radii(point, end, radius):
    found = float(capsule(*tensors([point]), (0.0, 0.0, 0.0), end, (radius, radius))[0])
    expected = exact_rod(np.array(point), (0, 0, 0), end, (radius, radius))
    assert found == pytest.approx(expected, abs=2e-3)


def test_tapering_capsule_is_first_order():
    rng = np.random.default_rng(0)
    start, end, radii = (0.0, 0.0, 0.0), (20.0, 6.0, -4.0), (5.0, 2.5)
    points = rng.uniform([-8, -8, -12], [28, 14, 8], (400, 3))
    found = capsule(*tensors(points), start, end, radii).numpy()
    expected = np.array([exact_rod(point, start, end, radii) for point in points])
    near = np.abs(expected) < 2
    assert near.sum() > 40
    np.testing.assert_allclose(found[near], expected[near], atol=0.05)


def test_flattened_capsule_has_its_surface_at_the_stretched_radius():
    points = [[10, 0, 6.0], [10, 0, -6.0], [10, 3, 0], [10, -3, 0]]
    found = capsule(*tensors(points), (0, 0, 0), (20, 0, 0), (3, 3), (1, 1, 2)).numpy()
    np.testing.assert_allclose(found, 0, atol=1e-5)


def test_ellipsoid_is_zero_on_its_surface_and_exact_along_the_shortest_axis():
    half = (30.0, 20.0, 10.0)
    points = [[30, 0, 0], [0, 20, 0], [0, 0, 10], [0, 0, 12], [0, 0, 5]]
    np.testing.assert_allclose(ellipsoid(*tensors(points), half), [0, 0, 0, 2, -5], atol=1e-4)
    # Elsewhere it is too small, never too large.
    assert 0 < float(ellipsoid(*tensors([[33, 0, 0]]), half)) <= 3


@given(a=st.floats(-20, 20), b=st.floats(-20, 20), radius=st.floats(0.5, 8))
def test_smooth_union_and_intersection_round_only_near_the_crease(a, b, radius):
    first, second = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    union = float(smooth_min(first, second, radius))
    inner = float(smooth_max(first, second, radius))
    assert min(a, b) - radius / 4 - 1e-9 <= union <= min(a, b) + 1e-9
    assert inner == pytest.approx(-float(smooth_min(-first, -second, radius)))
    if abs(a - b) >= radius:
        assert union == pytest.approx(min(a, b))
        assert inner == pytest.approx(max(a, b))


def test_triple_gives_plain_floats():
    values = triple(np.array([1, 2, 3], dtype=np.float32))
    assert values == (1.0, 2.0, 3.0)
    assert all(type(value) is float for value in values)
    with pytest.raises(ValueError, match="unpack"):
        triple([1.0, 2.0])
