"""The check of robustness pairs every level with itself in the usual scan."""

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from tools import bundles, density
from tools.phantom import recipe
from tools.phantom.checks import robustness
from tools.phantom.checks.robustness import Row


def rows(moved: float) -> list[Row]:
    """Two patients of two levels; thickness 5 moves the network of L1 by so much."""
    return [
        Row(patient, "slice thickness, mm", value, level, 100.0 + 10 * patient + shift, 90.0, 95.0)
        for patient in (0, 1, 2)
        for value in ("1", "5")
        for level in ("L1", "L2")
        for shift in [moved * (value == "5" and level == "L1") * (1 if patient else -1)]
    ]


def test_changes_are_those_of_a_level_against_itself():
    found = robustness.changes(rows(4.0), "slice thickness, mm", "5", "network")
    assert found == {0: [-4.0, 0.0], 1: [4.0, 0.0], 2: [4.0, 0.0]}
    assert robustness.mean_over_levels(found, absolute=True).value == pytest.approx(2.0)
    assert robustness.mean_over_levels(found, absolute=False).value == pytest.approx(2 / 3)


def test_a_level_that_one_scan_refuses_is_not_counted_as_unmoved():
    given = rows(4.0)
    given[2] = given[2]._replace(network=float("nan"))
    found = robustness.changes(given, "slice thickness, mm", "5", "network")
    assert found[0] == [0.0]
    assert "5 of 6" in robustness.table(given)


@pytest.mark.slow
def test_one_patient_is_read_in_every_scan(tmp_path, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(
        robustness, "USUAL", {**robustness.USUAL, "pixel_mm": [1.5, 1.5], "thickness_mm": [4.0]}
    )
    monkeypatch.setattr(
        robustness,
        "CHANGES",
        {"noise, times the usual": {"1": {}, "3": {"noise_scale": [3.0, 3.0]}}},
    )
    found = robustness.scan_patient(
        recipe.load("scanners"), 1, 0, "A", str(random_weights(tmp_path))
    )
    assert [(row.value, row.level) for row in found] == [
        (value, f"L{number}") for value in ("1", "3") for number in (1, 2, 3, 4)
    ]
    once, thrice = (
        np.array([row.hu_linear for row in found if row.value == value]) for value in ("1", "3")
    )
    assert 0 < np.abs(thrice - once).max() < 15
    assert [row.qct_ha for row in found[:4]] == [row.qct_ha for row in found[4:]]


def random_weights(folder):
    path = folder / "model.pt"
    if not path.exists():
        workflow = bundles.FOLDER / density.NAME / "configs" / "inference.yaml"
        parser = ConfigParser(ConfigParser.load_config_file(workflow))
        torch.save(parser.get_parsed_content("network_def").state_dict(), path)
    return path


def test_weights_that_are_missing_are_one_line(tmp_path, capsys):
    assert robustness.main([str(tmp_path / "out"), "--weights", str(tmp_path / "none.pt")]) == 2
    error = capsys.readouterr().err
    assert "none.pt" in error
    assert error.count("\n") == 1
