"""Where slices lie, in millimetres, by hand and as properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovf_bundle.planning import OVERLAP_MM, Choice, cut_along, plan, refusal

S1 = Choice(share=0.05, least=3, slice_mm=3.0, most_mm=560.0, pixels=512)
NO_SPINE = np.zeros((0, 3))


def grid(shape, spacing, middle=(0.0, 0.0, 0.0)):
    """Affine of a grid in the order right to left, head to foot, front to back."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[-1, 0, 0], [0, 0, -1], [0, -1, 0]]) * spacing
    affine[:3, 3] = np.array(middle) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def sides(layout):
    """Right-left places of the slices, mm."""
    place = layout.places[0]
    return [place[0, 3] + n * place[0, 0] for n in range(layout.slices)]


@pytest.mark.parametrize(
    ("shape", "spacing", "expected"),
    [
        pytest.param(
            (500, 100, 500), (0.7, 4, 0.7), [7.5, 4.5, 1.5, -1.5, -4.5, -7.5], id="350 mm"
        ),
        pytest.param((500, 100, 500), (1.0, 4, 1.0), 8, id="500 mm: 25 mm are 8 slices"),
        pytest.param((100, 300, 300), (0.7, 1, 1), [3.0, 0.0, -3.0], id="70 mm: never under 3"),
        pytest.param((20, 300, 300), (4.0, 1, 1), [6.0, 2.0, -2.0], id="stack of 20: 3 of its own"),
        pytest.param((15, 300, 300), (3.5, 1, 1), [3.5, 0.0, -3.5], id="stack of 15"),
        pytest.param((2, 300, 300), (5.0, 1, 1), [2.5, -2.5], id="stack of 2"),
        pytest.param((1, 300, 300), (5.0, 1, 1), [0.0], id="single slice"),
        pytest.param((60, 300, 300), (0.9, 1, 1), [1.35, 0.45, -0.45], id="60 thin ones"),
        pytest.param((100, 300, 300), (3.0, 1, 1), 5, id="stack of 100: 5 %"),
    ],
)
def test_the_central_share_is_kept(shape, spacing, expected):
    layout = plan(shape, grid(shape, spacing), S1, NO_SPINE)
    if isinstance(expected, int):
        assert layout.slices == expected
    else:
        np.testing.assert_allclose(sides(layout), expected, atol=1e-9)


def test_a_picture_is_square_in_mm_and_holds_the_whole_slice():
    shape = (500, 100, 400)
    layout = plan(shape, grid(shape, (0.7, 4.0, 0.8), middle=(0, 10, 30)), S1, NO_SPINE)
    edge = 400 / 512  # 400 mm from head to foot, 320 from front to back
    expected = [[-3, 0, 0, 7.5], [0, 0, -edge, 10 + 255.5 * edge], [0, -edge, 0, 30 + 255.5 * edge]]
    np.testing.assert_allclose(layout.places[0][:3], expected, atol=1e-9)
    assert layout.field_mm == pytest.approx((400, 320))


@pytest.mark.parametrize(
    ("spine", "on_spine", "first", "reason"),
    [
        pytest.param(12.0, False, 7.5, "", id="12 mm beside: a body's edge"),
        pytest.param(40.0, False, 7.5, "spine_beside_slices", id="40 mm beside"),
        pytest.param(40.0, True, 47.5, "", id="on the spine"),
        pytest.param(-170.0, True, -158.5, "", id="not beyond the scan"),
        pytest.param(None, True, 7.5, "", id="no spine found"),
    ],
)
def test_slices_stand_on_the_scan_or_the_spine(spine, on_spine, first, reason):
    shape = (500, 100, 500)
    points = NO_SPINE if spine is None else np.array([[spine, 0, -50], [spine, 5, 0], [200, 0, 50]])
    layout = plan(shape, grid(shape, (0.7, 4, 0.7)), S1, points, on_spine)
    assert sides(layout)[0] == pytest.approx(first)
    assert refusal(layout) == reason


def test_a_stack_s_own_slices_stand_on_the_spine():
    shape = (30, 300, 300)
    points = np.array([[26.0, 0, 0], [25.0, 0, 30], [24.0, 0, 60]])
    layout = plan(shape, grid(shape, (4.0, 1, 1)), S1, points, on_spine=True)
    np.testing.assert_allclose(sides(layout), [30, 26, 22], atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        pytest.param((500, 20, 500), "field_too_small", id="60 mm high is enough, 59 not"),
        pytest.param((500, 300, 60), "field_too_small", id="42 mm deep"),
        pytest.param((500, 21, 500), "", id="63 mm high"),
    ],
)
def test_too_small_a_field_shows_no_body_between_others(shape, reason):
    layout = plan(shape, grid(shape, (0.7, 2.95, 0.7)), S1, NO_SPINE)
    assert refusal(layout) == reason


def test_a_long_scan_is_cut_into_parts():
    shape = (500, 700, 500)
    affine = grid(shape, (0.7, 1.0, 0.7))
    layout = plan(shape, affine, S1, NO_SPINE)
    assert layout.places.shape == (2, 4, 4)
    each = (700 + OVERLAP_MM) / 2
    middles = [place @ [0, 255.5, 255.5, 1] for place in layout.places]
    assert [middle[2] for middle in middles] == pytest.approx([350 - each / 2, each / 2 - 350])
    assert [-place[2, 1] for place in layout.places] == pytest.approx([each / 512] * 2)
    (whole,) = plan(shape, affine, Choice(0.05, 3, 3.0, None, 512), NO_SPINE).places
    assert -whole[2, 1] == pytest.approx(700 / 512)


@settings(max_examples=50)
@given(
    length=st.floats(1.0, 2200.0),
    most=st.floats(OVERLAP_MM + 50.0, 800.0),
    place=st.floats(0.0, 1.0),
)
def test_whatever_fits_into_the_overlap_is_whole_in_one_part(length, most, place):
    parts = cut_along(0.0, length, most)
    assert max(foot - head for head, foot in parts) <= most + 1e-6
    assert parts[0][0] == 0
    assert parts[-1][1] == pytest.approx(length)
    if len(parts) > 1:  # and one part fewer would not do
        assert (length + (len(parts) - 2) * OVERLAP_MM) / (len(parts) - 1) > most - 1e-3
    size = min(OVERLAP_MM, length)
    head = place * (length - size)
    inside = [a <= head + 1e-6 and head + size <= b + 1e-6 for a, b in parts]
    assert any(inside)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 0.0}, "share is above 0"),
        ({"least": 0}, "above 0"),
        ({"slice_mm": -1.0}, "above 0"),
        ({"most_mm": 100.0}, "give more than 105"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Choice(**{**S1.__dict__, **change})
