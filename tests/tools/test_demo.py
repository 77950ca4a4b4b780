import json
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import yaml
from PIL import Image

from tools import demo as demo_module
from tools.__main__ import COMMANDS, INTRO
from tools.cli import main
from tools.demo import FILES, SCANS, patient_recipe
from tools.demo_page import middle_level, truth_table
from tools.levels import LABEL_IDS
from tools.phantom import recipe as recipes
from tools.phantom.case import Case

TOWER = ("L1", "L2", "L3", "L4", "L5")  # five boxes, one above the other, 20 mm apart


def box_case() -> Case:
    """A patient of boxes: quick to make, and every number in it is known."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -60
    labels = np.zeros((60, 60, 60), np.uint8)
    levels: dict[str, Any] = {}
    for number, name in enumerate(TOWER):
        top = 55 - 10 * number
        labels[20:40, 20:35, top - 7 : top] = LABEL_IDS[name]
        centre = (np.array([29.5, 27.0, top - 4.0]) * 2 - 60).tolist()
        levels[name] = {
            "complete": name != "L5",
            "centroid_ras_mm": centre,
            "volume_mm3": 16800.0,
            "ha_mass_mg_cm3": 100.0 + number,
            "qct_ha_mg_cm3": 110.04 + number,
            "areal_bmd_g_cm2": 0.9,
            "height_mm": {"anterior": 14.0, "middle": 13.0, "posterior": 12.0},
            "height_loss": {"anterior": 0.0, "middle": 0.0, "posterior": 0.0},
        }
    core = (labels > 0).astype(np.uint8)
    image = np.where(labels > 0, 300, 40).astype(np.int16)
    scan = {"kvp": 110.0, "kernel": "soft", "thickness_mm": 2.0}
    truth = {"sex": "F", "age": 61.0, "scanner": "A", "fractured": False, "scan": scan}
    return Case(image, labels, core, np.zeros_like(core), affine, {**truth, "levels": levels})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Replace the simulation by the boxes; note what was asked of it."""
    noted: list[tuple[Any, ...]] = []

    def simulate(recipe: dict[str, Any], seed: int, index: int) -> Case:
        noted.append((recipe, seed, index))
        return box_case()

    def screen(given: str, out: Path, kvp: float, overwrite: bool) -> None:
        """Measure L2 alone; `box_case` has another voltage than the 120 kV assumed without one."""
        assert Path(given).is_file()
        assert kvp == 110.0  # the report warned of an unknown voltage that the recipe had said
        assert overwrite
        found = {
            "bmd_cnn_mg_cm3": 104.26,
            "bmd_hu_linear_mg_cm3": 101.32,
            "bmd_interval_95_mg_cm3": [94.0, 115.0],
        }
        none = dict.fromkeys(found)
        (out / "image").mkdir(parents=True, exist_ok=True)
        levels = {"L1": none, "L2": found, "L3": none, "L4": none}
        (out / "image" / "report.json").write_text(json.dumps({"levels": levels}))

    monkeypatch.setattr(demo_module, "simulate", simulate)
    monkeypatch.setattr(demo_module, "screen", screen)
    return noted


def run(*words: str) -> int:
    return main(COMMANDS, INTRO, ["demo", *words])


def test_the_demo_writes_everything_and_names_the_report(
    tmp_path: Path, calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "demo"
    assert run("--output", str(out), "--seed", "5") == 0
    assert calls == [(patient_recipe("standard"), 5, 0)]
    assert f"truth beside it: {out / 'index.html'}" in capsys.readouterr().out.splitlines()[-1]
    assert {entry.name for entry in out.iterdir()} == FILES
    case = box_case()
    for name in ("image", "labels", "trabecular", "posterior"):
        stored = nib.Nifti1Image.from_filename(out / f"{name}.nii.gz")
        np.testing.assert_array_equal(np.asarray(stored.dataobj), getattr(case, name))
        np.testing.assert_array_equal(stored.affine, case.affine)
    assert json.loads((out / "truth.json").read_text()) == case.truth
    assert len(list((out / "pictures").glob("*.png"))) == 9
    html = (out / "index.html").read_text()
    assert html.count("data:image/png;base64,") == 9
    assert "a patient who does not exist" in html
    assert "neither is a diagnosis" in html
    assert 'href="results/image/report.html"' in html
    assert "A woman of 61 years" in html
    assert (
        "<td>L2 *</td><td>101.0</td><td>111.0</td><td>104.3 (94 to 115)</td><td>101.3</td>"
        "<td>0.900</td>" in html
    )


@pytest.mark.parametrize("words", [["--seed", "5"], ["--seed", "5", "--size", "small"]])
def test_the_printed_command_draws_the_same_demo_again(
    words: list[str], tmp_path: Path, calls: list[Any]
) -> None:
    assert run("--output", str(tmp_path), *words) == 0
    html = (tmp_path / "index.html").read_text()
    printed = re.search(r"the command was: python -m tools demo ([^<]*)<", html)
    assert printed
    assert run("--output", str(tmp_path), *printed[1].split()) == 0
    assert calls[0] == calls[1]


def test_pictures_show_levels_where_they_are(tmp_path: Path, calls: list[Any]) -> None:
    assert run("--output", str(tmp_path)) == 0
    picture = np.asarray(Image.open(tmp_path / "pictures" / "sagittal_labels.png"))
    # L1's box is uppermost and in front of the middle: its orange outline lies there.
    rows, columns = np.nonzero((picture == (230, 159, 0)).all(axis=-1))
    height, width = picture.shape[:2]
    assert rows.max() < 0.35 * height
    assert columns.mean() == pytest.approx((1 - 27 / 59) * width, abs=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--seed", "-1"], "--seed is a whole number from 0", id="negative seed"),
        pytest.param(["--seed", str(2**32)], "to 4294967295, not 4294967296", id="large seed"),
        pytest.param(["--size", "big"], "--size takes one of standard, small", id="size"),
        pytest.param(["--sed", "1"], "--sed; did you mean '--seed'?", id="misspelt"),
    ],
)
def test_bad_requests_start_nothing(
    words: list[str],
    message: str,
    tmp_path: Path,
    calls: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--output", str(tmp_path / "out"), *words) == 2
    assert message in capsys.readouterr().err
    assert calls == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["notes.txt", "index.htm"])
def test_other_files_are_left_alone(
    name: str, tmp_path: Path, calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("mine")
    assert run("--output", str(tmp_path)) == 2
    assert f"holds other files ({name})" in capsys.readouterr().err
    assert run("--output", str(tmp_path / name)) == 2
    assert "names a file" in capsys.readouterr().err
    assert calls == []
    assert (tmp_path / name).read_text() == "mine"


def test_a_broken_run_leaves_no_page(
    tmp_path: Path, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--output", str(tmp_path)) == 0
    (tmp_path / ".part-x").write_bytes(b"left by a kill")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device", "image.nii.gz")

    with monkeypatch.context() as patch:
        patch.setattr(demo_module, "save_nifti", full_disk)
        assert run("--output", str(tmp_path)) == 1
    assert not (tmp_path / "index.html").exists()
    assert run("--output", str(tmp_path)) == 0
    assert {entry.name for entry in tmp_path.iterdir()} == FILES


def test_results_of_a_demo_that_was_moved_are_replaced(tmp_path: Path, calls: list[Any]) -> None:
    """Their record names the scan's former place, for which `screen` would keep them."""
    record = tmp_path / "results" / "image" / "case.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert run("--output", str(tmp_path)) == 0
    assert not record.exists()


@pytest.mark.parametrize("size", list(SCANS))
def test_every_size_is_a_valid_recipe(size: str, tmp_path: Path) -> None:
    recipe = patient_recipe(size)
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump(recipe))
    assert recipes.load(str(path)) == recipe


def test_the_packaged_recipe_is_not_changed() -> None:
    before = recipes.load("standard")
    patient_recipe("small")
    assert recipes.load("standard") == before


def test_the_planes_go_through_l3_or_the_middle() -> None:
    assert middle_level({"L5": {}, "L3": {}, "T4": {}}) == "L3"
    assert middle_level({"T9": {}, "T8": {}, "T10": {}}) == "T9"


def test_a_level_that_is_cut_off_has_no_numbers() -> None:
    levels = box_case().truth["levels"]
    assert "<td>L5</td>" + 7 * "<td>–</td>" in truth_table(levels, {})
