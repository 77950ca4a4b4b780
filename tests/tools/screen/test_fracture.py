"""The fracture network in a screening: levels looked at, and the level of the evidence."""

import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from tests.tools.screen.runs import run
from tools import bundles, fractures
from tools.levels import HEAD_TO_FOOT
from tools.screen import fracture
from tools.screen.settings import Settings

#: Three slices 3 mm apart at x = 3, 0, -3 mm.
PLACE = np.array([[-3.0, 0, 0, 3], [0, 0, -1, 100], [0, -1, 0, 100], [0, 0, 0, 1]])


def body(name: str | None, x: float, complete: bool = True) -> dict:
    return {"name": name, "complete": complete, "centroid_ras_mm": [x, 0.0, 0.0]}


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        pytest.param([body("L2", 0), body("L1", 0)], ["L1", "L2"], id="head to foot"),
        pytest.param([body("L1", 0, False)], [], id="cut off by the scan"),
        pytest.param([body(None, 0)], [], id="without a name"),
        pytest.param([body("L1", 12.9), body("L2", -12.9)], ["L1", "L2"], id="just cut"),
        pytest.param([body("L1", 13.1), body("L2", -13.1)], [], id="just beside"),
    ],
)
def test_levels_covered_are_those_that_slices_cut_near_the_middle(chain, expected) -> None:
    assert fracture.covered(chain, PLACE[None], 3) == expected


def test_of_a_long_scan_any_part_may_cover_a_level() -> None:
    other = PLACE.copy()
    other[0, 3] = 103.0
    places = np.stack([other, PLACE])
    assert fracture.covered([body("L1", 0), body("T9", 100)], places, 6) == ["T9", "L1"]


@pytest.mark.parametrize(
    ("point", "level"),
    [
        pytest.param([0, 0, 0], "L1", id="inside"),
        pytest.param([0, 0, -20], "L1", id="in the disc above"),
        pytest.param([0, 0, -60], None, id="far from every body"),
        pytest.param([0, 0, 80], None, id="on a body without a name"),
    ],
)
def test_the_level_at_a_point(point, level) -> None:
    cube = np.stack(np.meshgrid(*[np.arange(-10.0, 11)] * 3), axis=-1).reshape(-1, 3)
    bodies = {"L1": cube, "L2": cube + [0, 0, -200.0], "#3": cube + [0, 0, 80.0]}
    assert fracture.level_at(np.array(point, dtype=float), bodies) == level


def test_no_bodies_name_no_level() -> None:
    assert fracture.level_at(np.zeros(3), {}) is None


@pytest.fixture
def suspicious(tmp_path, monkeypatch):
    """The bundle with weights of chance, but for a suspicion that nothing talks it out of."""
    path = tmp_path / "model.pt"
    bundles.module(fractures.NAME, "ovf_bundle")  # puts the package on the path
    config = bundles.FOLDER / fractures.NAME / "configs" / "inference.yaml"
    parser = ConfigParser(ConfigParser.load_config_file(config))
    torch.manual_seed(0)
    state = parser.get_parsed_content("network_def").state_dict()
    state["head.aggregator.out.bias"] += 9.0
    torch.save(state, path)
    monkeypatch.setattr(Settings, "fractures", lambda self: fractures.load("cpu", path))
    return path


@pytest.mark.slow
def test_a_suspected_fracture_is_in_report_table_and_page(ct, suspicious, tmp_path) -> None:
    assert run(ct, tmp_path / "out") == 0
    folder = tmp_path / "out" / "small"
    report = json.loads((folder / "report.json").read_text())
    ovf = report["ovf"]
    assert (ovf["status"], ovf["decision"], ovf["reasons"]) == ("measured", "positive", [])
    assert ovf["probability"] > 0.99
    assert ovf["slices"] == len(ovf["slice_probabilities"]) >= 3
    assert {"L1", "L2", "L3", "L4"} <= set(ovf["levels_covered"])
    assert 0 <= ovf["evidence"]["slice"] < ovf["slices"]
    assert ovf["evidence"]["level"] is None or ovf["evidence"]["level"] in HEAD_TO_FOOT
    assert report["software"]["weights"][fractures.NAME] == bundles.checksum(suspicious)
    assert report["timing_s"]["ovf"] > 0
    assert (folder / "fracture.png").is_file()
    assert "fracture" in (folder / "report.html").read_text().lower()
