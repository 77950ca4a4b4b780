"""Stored numbers and padding."""

import numpy as np
import pytest

from tools.phantom.dicom.pixels import PADDING_HU, reconstructed_circle, store


def hu(*values):
    return np.array(values, dtype=np.int16).reshape(len(values), 1, 1)


@pytest.mark.parametrize(
    ("values", "whole_words", "kind", "bits"),
    [
        ((-1024, 3071), False, np.uint16, 12),
        ((-1024, 3071), True, np.uint16, 16),
        ((-1024, 3072), False, np.uint16, 16),
        ((-1025, 0), False, np.int16, 16),
        ((-1024, 32767), False, np.uint16, 16),
    ],
)
def test_numbers_hold_every_hu(values, whole_words, kind, bits):
    stored = store(hu(*values), whole_words=whole_words)
    assert stored.numbers.dtype == kind
    assert stored.bits == bits
    assert stored.signed is (kind == np.int16)
    assert stored.padding is None
    assert int(stored.numbers.max()) < 2**bits
    back = stored.numbers.astype(int).ravel() + stored.intercept
    np.testing.assert_array_equal(back, values)


def test_values_that_no_word_holds_are_refused():
    with pytest.raises(ValueError, match="-2000 and 32767 HU do not fit in 16 bits"):
        store(hu(-2000, 32767))


def test_corners_are_padded_and_the_circle_is_not():
    image = np.full((40, 40, 2), 100, dtype=np.int16)
    circle = reconstructed_circle((40, 40), (0.8, 0.8))
    stored = store(image, circle)
    back = stored.numbers.astype(int) + stored.intercept
    assert stored.signed
    assert stored.padding == -2000
    assert (back[0, 0] == PADDING_HU).all()
    assert (back[20, 0] == 100).all()
    assert circle.mean() == pytest.approx(np.pi / 4, abs=0.02)
    np.testing.assert_array_equal(back == 100, np.broadcast_to(circle[..., None], back.shape))


def test_circle_spans_the_longer_side():
    circle = reconstructed_circle((50, 30), (1.0, 1.0))
    assert circle[0, 14:16].all()
    assert circle[25].all()
    assert not circle[0, 0]
