"""Stored numbers and padding."""

import numpy as np
import pytest

from tools.phantom.dicom.pixels import PADDING_HU, choose, reconstructed_circle


@pytest.mark.parametrize(
    ("low", "high", "whole_words", "kind", "bits"),
    [
        (-1024, 3071, False, np.uint16, 12),
        (-1024, 3071, True, np.uint16, 16),
        (-1024, 3072, False, np.uint16, 16),
        (-1025, 0, False, np.int16, 16),
        (-1024, 32767, False, np.uint16, 16),
    ],
)
def test_numbers_hold_every_hu(low, high, whole_words, kind, bits):
    storage = choose(low, high, whole_words=whole_words)
    hu = np.array([[low, high]], dtype=np.int16)
    numbers = storage.numbers(hu)
    assert numbers.dtype == kind
    assert storage.signed is (kind == np.int16)
    assert storage.bits == bits
    assert storage.padding is None
    assert int(numbers.max()) < 2**bits
    np.testing.assert_array_equal(numbers.astype(int) + storage.intercept, hu)


def test_values_that_no_word_holds_are_refused():
    with pytest.raises(ValueError, match="-2000 and 32767 HU do not fit in 16 bits"):
        choose(-2000, 32767)


@pytest.mark.parametrize(("low", "padding_hu", "number"), [(-1024, -1024, 0), (-2000, -2000, -976)])
def test_a_scan_that_comes_padded_says_with_what(low, padding_hu, number):
    assert choose(low, 900, padding_hu=padding_hu).padding == number


def test_corners_are_padded_and_the_circle_is_not():
    circle = reconstructed_circle((40, 40), (0.8, 0.8))
    storage = choose(-1000, 100, circle)
    numbers = storage.numbers(np.full((40, 40), 100, dtype=np.int16))
    back = numbers.astype(int) + storage.intercept
    assert storage.signed
    assert storage.padding == -2000
    assert back[0, 0] == PADDING_HU
    assert back[20, 0] == 100
    assert circle.mean() == pytest.approx(np.pi / 4, abs=0.02)
    np.testing.assert_array_equal(back == 100, circle)


def test_circle_spans_the_longer_side():
    circle = reconstructed_circle((50, 30), (1.0, 1.0))
    assert circle[0, 14:16].all()
    assert circle[25].all()
    assert not circle[0, 0]
