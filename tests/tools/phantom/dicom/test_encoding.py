"""How series are stored is drawn per case."""

from collections import Counter

import pytest

from tools.phantom.dicom.encoding import draw_encoding


def drawn(count=400, seed=0, scanner="A", **settings):
    settings = {"transfer_syntax": ["rle", "rle", "jpeg_2000"], "padded": 0.25} | settings
    return [draw_encoding(settings, seed, index, scanner) for index in range(count)]


def test_shares_are_those_of_the_recipe():
    made = drawn()
    shares = Counter(one.syntax for one in made)
    assert shares["rle"] / 400 == pytest.approx(2 / 3, abs=0.07)
    assert sum(one.padded for one in made) / 400 == pytest.approx(0.25, abs=0.07)


def test_a_case_is_always_stored_alike_and_others_otherwise():
    assert drawn() == drawn()
    assert drawn() != drawn(seed=1)
    assert drawn() != drawn(scanner="B")


def test_padding_is_all_or_nothing_at_the_ends():
    assert not any(one.padded for one in drawn(padded=0.0))
    assert all(one.padded for one in drawn(padded=1.0))
