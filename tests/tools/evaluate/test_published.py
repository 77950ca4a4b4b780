"""The studies' rows are what the studies print."""

import pytest

from tests.tools.statistics import studies
from tools.evaluate import published
from tools.evaluate.numbers import Numbers


@pytest.mark.parametrize("number", published.S2_SETS)
def test_s2s_rates_follow_from_its_counts(number: int) -> None:
    assert published.S2_CONFUSION[number] == tuple(map(tuple, studies.S2_MATRICES[number].tolist()))
    found = published.s2_categories(number)
    assert round(found["kappa"].value, 3) == studies.S2_KAPPA[number]
    measured = found["osteoporosis_sensitivity_measured"]
    everyone = found["osteoporosis_sensitivity_all"]
    assert round(measured.value, 2) == studies.S2_MEASURED[number]
    assert round(everyone.value, 2) == studies.S2_ALL[number]
    assert everyone.n == studies.S2_OSTEOPOROSIS[number]


def test_set_3_misses_more_than_half_of_all() -> None:
    found = published.s2_categories(3)["osteoporosis_sensitivity_all"]
    assert round(found.value * found.n) == 18
    assert (round(found.low, 2), round(found.high, 2)) == (0.30, 0.63)


@pytest.mark.parametrize(("number", "bias"), [(1, 0.9), (2, -2.1), (3, 10.5)])
def test_biases_are_the_middles_of_the_limits(number: int, bias: float) -> None:
    numbers = Numbers()
    published.put(numbers)
    found = numbers.get("published", published.set_name(number), "bias", "S2", "mean")
    assert found.value == pytest.approx(bias, abs=0.01)


def test_measured_scans_are_the_valid_ones() -> None:
    for number, matrix in studies.S2_MATRICES.items():
        valid, scans = published.S2_VALID[number]
        assert matrix.sum() == valid
        assert sum(published.S2_SCANS[number]) == scans
