"""Decimal strings: legal, and close enough to place every voxel."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.phantom.dicom.numbers import decimal_string

#: PS3.5, table 6.2-1: a fixed or floating point number.
LEGAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (6e-17, "0"),
        (3.0, "3"),
        (-1024, "-1024"),
        (0.703125, "0.703125"),
        (2 / 3, "0.666666666667"),
        (-123456.123456789, "-123456.12345679"),
    ],
)
def test_numbers_are_written_as_people_would(value, text):
    assert decimal_string(value) == text


@given(st.floats(-1e6, 1e6))
def test_every_number_is_legal_and_keeps_what_sixteen_characters_hold(value):
    text = decimal_string(value)
    assert len(text) <= 16
    assert LEGAL.fullmatch(text)
    assert abs(float(text) - value) <= 1e-12 + 1e-8 * abs(value) / 10


@given(st.floats(-1, 1))
def test_direction_cosines_place_the_far_end_of_a_slice_to_a_nanometre(cosine):
    assert abs(float(decimal_string(cosine)) - cosine) * 512 < 1e-6


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_number_fits(value):
    assert len(decimal_string(value)) <= 16


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="DICOM holds no number"):
        decimal_string(value)
