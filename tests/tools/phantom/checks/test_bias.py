"""The bias of density between scanners: the sums, and the floor it was designed for."""

from __future__ import annotations

import numpy as np
import pytest

from tools.phantom import recipe
from tools.phantom.checks import bias
from tools.phantom.checks.bias import Line, Reading

LEVELS = ("L1", "L2", "L3", "L4")


def readings(shift: dict[str, float], patients: int = 20, other: bool = False) -> list[Reading]:
    """Patients whose HU are 1.25 per mg/cm³ and 5, plus what a scanner adds."""
    rng = np.random.default_rng(0)
    found = []
    for patient in range(patients):
        for level in LEVELS:
            density = float(rng.uniform(40, 200))
            for scanner, hu in shift.items():
                truth = density + (1.0 if other and scanner != "A" else 0.0)
                found.append(Reading(scanner, patient, level, 5 + 1.25 * truth + hu, truth))
    return found


def test_the_line_and_the_bias_are_those_put_in():
    drawn = readings({"A": 0.0, "B": -2.5, "C": 12.5})
    lines = bias.lines_of(drawn)
    for line in lines:
        np.testing.assert_allclose(line, (0.8, -4.0), atol=1e-9)
    found = bias.biases(drawn, lines)
    for scanner, expected in (("A", 0.0), ("B", -2.0), ("C", 10.0)):
        assert found[scanner].mean == pytest.approx(expected, abs=1e-6)
        assert found[scanner].patients == 20
    gaps = bias.differences(drawn, lines)
    assert gaps["C - A"].mean == pytest.approx(10.0, abs=1e-6)
    assert gaps["C - A"].sd == pytest.approx(0.0, abs=1e-6)


def test_every_patient_is_read_with_the_others_line():
    drawn = readings({"A": 0.0})
    # Even patients read 10 HU too high: their line is used on the odd ones.
    moved = [one._replace(hu=one.hu + 10) if one.patient % 2 == 0 else one for one in drawn]
    errors = bias.patient_errors(moved, bias.lines_of(moved))
    assert errors[0] == pytest.approx(8.0, abs=1e-6)
    assert errors[1] == pytest.approx(-8.0, abs=1e-6)


def test_interval_is_the_t_interval():
    found = bias.summarise([1.0, 2.0, 3.0], 100.0)
    # t(0.975, 2) = 4.303, SD 1, n 3.
    assert found.mean == 2.0
    assert found.high - found.mean == pytest.approx(4.303 / np.sqrt(3), abs=1e-3)
    assert found.low == pytest.approx(2 * found.mean - found.high)


def test_other_patients_are_not_taken_for_paired_ones():
    drawn = readings({"A": 0.0, "B": 0.0}, other=True)
    with pytest.raises(ValueError, match="scanner B shows other patients than A"):
        bias.differences(drawn, bias.lines_of(drawn))


def test_the_table_names_line_bias_and_limits():
    text = bias.table(Line(0.8, -4.0), {"C": bias.Bias(100, 120.0, 10.04, 9.0, 11.0, 5.0)})
    assert "0.8000 mg/cm³ per HU" in text
    assert "| C | 100 | 120.0 | +10.04 (+9.00 to +11.00) | 5.00 | +0.2 to +19.8 |" in text


def test_unusable_arguments_are_refused(capsys):
    assert bias.main(["out", "--recipe", "scaners"]) == 2
    assert "did you mean 'scanners'" in capsys.readouterr().err
    assert bias.main(["out", "--recipe", "s2_cohorts", "--paired"]) == 2
    assert "cannot be paired" in capsys.readouterr().err


@pytest.mark.slow
def test_a_calibration_of_scanner_a_errs_on_b_and_c_as_designed():
    """S2's CNN: -2.1 on set 2, +10.5 mg/cm³ on set 3. The interval must reach the design's."""
    found = bias.measure(recipe.load("scanners"), 11, 24, True, 2)
    lines = bias.lines_of(found)
    gaps = bias.differences(found, lines)
    print(bias.table(lines[0], bias.biases(found, lines) | gaps))
    assert gaps["B - A"].low < -1.0
    assert gaps["B - A"].high > -3.0
    assert gaps["C - A"].low < 12.0
    assert gaps["C - A"].high > 8.0
    assert gaps["C - A"].low > 5.0
