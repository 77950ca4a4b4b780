"""Many draws of a site's patients: what they leave to the others."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.phantom.checks.patches.tiers.made_up import write
from tools.phantom.checks.patches.tiers import calibrations, cohort, slabs
from tools.phantom.checks.patches.tiers.draws import repeat
from tools.phantom.checks.patches.tiers.readings import Values


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> cohort.Cohort:
    folder = write(tmp_path_factory.mktemp("made_up") / "bench", "A", 60)
    return cohort.load(folder, "A", slabs.weights(2.7, 2.7))


def shifted(patients: cohort.Cohort, shift: float, half: float = 5.0) -> Values:
    density = np.where(patients.read, patients.qct_ha + shift, np.nan)
    return Values(density, density - half, density + half)


def test_only_the_others_are_scored(patients: cohort.Cohort) -> None:
    """A correction that is right for the chosen alone is worth what it does to the others."""

    def correct(chosen: np.ndarray) -> Values:
        right, wrong = shifted(patients, 0.0), shifted(patients, 7.0)
        return Values(*(np.where(chosen[:, None], a, b) for a, b in zip(right, wrong, strict=True)))

    found = repeat(patients, correct, range(3))
    assert found.bias == pytest.approx([7.0] * 3)
    assert found.coverage == pytest.approx([0.0] * 3)


def test_bias_and_coverage_of_each_draw(patients: cohort.Cohort) -> None:
    shifts = iter([1.0, -1.0, 3.0, 6.0])
    found = repeat(patients, lambda _: shifted(patients, next(shifts)), range(4))
    assert found.bias == pytest.approx([1.0, -1.0, 3.0, 6.0])
    assert found.coverage == pytest.approx([1.0, 1.0, 1.0, 0.0])
    content = found.as_dict()
    assert content["beyond_2_mg_cm3"] == 2
    assert content["bias_mean_mg_cm3"] == pytest.approx(2.25)
    assert content["coverage_low_tenth"] == pytest.approx(np.percentile([1, 1, 1, 0], 10))
    assert "+2.25 ± 2.99 (SD), beyond 2 in 2" in found.in_words()


def test_every_draw_has_patients_of_its_own(patients: cohort.Cohort) -> None:
    seen = []

    def correct(chosen: np.ndarray) -> Values:
        seen.append(tuple(np.flatnonzero(chosen)))
        return shifted(patients, 0.0)

    repeat(patients, correct, range(5))
    assert len(set(seen)) == 5
    assert {len(each) for each in seen} == {calibrations.PAIRS}


def test_draws_without_a_correction_are_counted(patients: cohort.Cohort) -> None:
    numbers = iter(range(4))

    def correct(_: np.ndarray) -> Values:
        if next(numbers) % 2:
            raise ValueError("they do not agree")
        return shifted(patients, 1.0)

    found = repeat(patients, correct, range(4))
    assert (len(found.bias), found.failed) == (2, 2)
    assert "2 made no correction" in found.in_words()

    def never(_: np.ndarray) -> Values:
        raise ValueError("they do not agree")

    assert repeat(patients, never, range(2)).as_dict() == {"draws": 2, "failed": 2}
