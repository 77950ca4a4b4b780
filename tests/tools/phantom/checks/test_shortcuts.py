"""The check for shortcuts: it finds those that are there, and its cover hides the bodies."""

import json

import nibabel as nib
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tools.levels import LABEL_IDS
from tools.phantom import recipe
from tools.phantom.case import simulate
from tools.phantom.checks.shortcuts import cover, metadata, network, planned
from tools.phantom.checks.shortcuts.__main__ import auc, main

LEVELS = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")


def truth(fractured: bool, age: float, rng: np.random.Generator) -> dict:
    level = {"qct_ha_mg_cm3": rng.normal(100, 20), "marrow_fat": 0.5, "fracture": None}
    scan = {name: float(rng.normal()) for name in metadata.FROM_SCAN}
    return {
        "sex": "F",
        "age": age,
        "bmi_kg_m2": rng.normal(25, 3),
        "fractured": fractured,
        "scanner": "A",
        "scan": scan | {"kernel": "soft", "interval_mm": 3.0},
        "levels": {"L1": level},
        "alignment": {"cobb_deg": rng.normal()},
    }


@pytest.mark.parametrize(("years", "low", "high"), [(0, 0.4, 0.6), (20, 0.85, 1.0)])
def test_an_older_fractured_group_is_found(years, low, high):
    rng = np.random.default_rng(1)
    labels = np.arange(300) % 2
    rows = [
        metadata.features(truth(bool(label), rng.normal(60 + years * label, 10), rng), (3, 2, 1))
        for label in labels
    ]
    for name, scores in metadata.scores(rows, labels, 0).items():
        found = auc(labels, scores)
        assert found["auc"] == pytest.approx(roc_auc_score(labels, scores))
        assert low <= found["auc"] <= high, name
        assert found["ci95"][0] < found["auc"] < found["ci95"][1]


def test_the_density_of_fractured_levels_is_left_out():
    case = truth(True, 60, np.random.default_rng(0))
    case["levels"] |= {"L2": case["levels"]["L1"] | {"qct_ha_mg_cm3": 900.0, "fracture": {}}}
    case["levels"]["L2"]["fracture"] = {"kind": "crush"}
    assert metadata.features(case, (1, 1, 1))["density"] < 200


def scene(squeezed: str = "", noise: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, labels and matrix of a made-up spine of 4 mm voxels on a gently curved course."""
    labels = np.zeros((50, 60, 90), np.uint8)
    for number, level in enumerate(reversed(LEVELS)):
        low, bend = 12 + 9 * number, round(0.1 * (number - 3) ** 2)
        high = low + (4 if level == squeezed else 7)
        labels[20:30, 26 + bend : 34 + bend, low:high] = LABEL_IDS[level]
    hu = np.where(labels > 0, 150, -50) + np.random.default_rng(noise).normal(0, 5, labels.shape)
    return hu, labels, np.diag([4.0, 4.0, 4.0, 1.0])


def test_the_cover_hides_what_happens_to_a_body():
    whole, broken = (cover.look(*scene(level), [level]) for level in ("", "L2"))
    difference = np.abs(whole.covered - broken.covered) > 0.05
    assert difference.mean() < 0.002  # rounding at the column's edge
    assert (np.abs(whole.sight - broken.sight) > 0.05).sum() > 200


def test_the_cover_leaves_the_back_in_sight():
    hu, labels, affine = scene()
    changed = hu.copy()
    changed[24:26, 14:20, 30:60] = 800  # spinous processes
    one, other = (cover.look(each, labels, affine, []).covered for each in (hu, changed))
    assert (one != other)[1].any()


def test_covered_vertebrae_hide_their_processes_and_leave_the_skin():
    hu, labels, affine = scene()
    changed = hu.copy()
    changed[20:30, 14:34, 30:60] = 800  # bodies with their processes
    skin = hu.copy()
    skin[:, :8] = -900
    plain, bone, air = (
        cover.look(each, labels, affine, []).without for each in (hu, changed, skin)
    )
    assert np.abs(plain - bone).max() < 0.05
    assert np.abs(plain - air).max() > 0.05


def test_rows_are_those_of_the_broken_body():
    hu, labels, affine = scene()
    rows = cover.look(hu, labels, affine, ["L3", "T4"]).rows  # T4 is not in the field
    middles = cover.BELOW_MM + 4 * 9 * 2  # L3's above the picture's lower end, mm
    heights = cover.SPACING_MM * (np.arange(len(rows)) + 0.5)
    assert rows.sum() == 2 * cover.BODY_MM / cover.SPACING_MM
    assert heights[rows].mean() == pytest.approx(middles, abs=cover.SPACING_MM)


def test_a_field_without_l5_is_refused():
    hu, labels, affine = scene()
    labels[labels == LABEL_IDS["L5"]] = 0
    with pytest.raises(ValueError, match="no L5"):
        cover.look(hu, labels, affine, [])


@pytest.mark.slow
def test_the_network_finds_a_mark_and_guesses_without_one(monkeypatch):
    monkeypatch.setattr(network, "EPOCHS", 50)
    monkeypatch.setattr(network, "STAGES", ((8, (1, 1)), (12, (2, 2)), (16, (2, 2))))
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    plain = rng.normal(0.3, 0.02, (40, 3, 32, 48)).astype(np.float16)
    rows, marked = np.zeros((40, 48), dtype=bool), plain.copy()
    for i in np.flatnonzero(labels):
        place = rng.integers(8, 36)
        rows[i, place : place + 6] = True
        marked[i, :, 10:20, place : place + 6] += 0.5
    seen, guessed = (network.scores(each, rows, labels, 2, 0) for each in (marked, plain))
    assert roc_auc_score(labels, seen) > 0.9
    assert 0.2 < roc_auc_score(labels, guessed) < 0.8


@pytest.mark.parametrize("seed", range(5))
def test_rows_move_with_the_picture(seed):
    picture, rows = np.zeros((3, 64, 150), dtype=np.float16), np.zeros(150, dtype=bool)
    picture[:, :, 70:80], rows[70:80] = 1, True
    moved, wanted = network._changed(picture, rows, np.random.default_rng(seed))
    shown = moved.mean((0, 1)) > 0.5
    assert (shown != (wanted > 0)).sum() <= 2
    assert 8 <= wanted.sum() <= 12


def test_a_cohort_is_examined_and_written(tmp_path, capsys):
    rng = np.random.default_rng(2)
    truths = {f"A{n:04d}": truth(n % 2 == 1, 60 + 30 * (n % 2), rng) for n in range(20)}
    cohort = tmp_path / "cohort"
    for folder in ("images", "labels"):
        (cohort / folder).mkdir(parents=True)
    for name in truths:
        hu, labels, affine = scene()
        nib.save(nib.Nifti1Image(hu.astype(np.int16), affine), cohort / f"images/{name}.nii.gz")
        nib.save(nib.Nifti1Image(labels, affine), cohort / f"labels/{name}.nii.gz")
    (cohort / "truth.json").write_text(json.dumps({"cases": truths}))
    assert main([str(cohort), str(tmp_path / "out"), "--metadata_only"]) == 0
    found = json.loads((tmp_path / "out" / "shortcuts.json").read_text())
    assert found["fractured"] == 10
    assert found["questions"]["metadata, logistic regression"]["auc"] > 0.8
    assert "AUC" in capsys.readouterr().out


def test_a_folder_without_a_cohort_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path), str(tmp_path / "out")])
    assert "no finished cohort" in capsys.readouterr().err


def test_a_planned_scan_is_the_one_that_is_drawn():
    given = recipe.load("fractures")
    given["scan"] |= {"field": "vertebrae", "pixel_mm": [2.0, 2.0], "thickness_mm": [5.0]}
    given["scan"]["orientation"] = ["RAS"]
    drawn = simulate(given, 3, 1, "B")
    truth, extent = planned.plan(given, 3, 1, "B")
    size = np.array(drawn.image.shape) * np.linalg.norm(drawn.affine[:3, :3], axis=0)
    assert extent == pytest.approx(size.tolist(), abs=1e-3)
    assert truth["fractured"] == drawn.truth["fractured"]
    assert truth["age"] == pytest.approx(drawn.truth["age"], abs=1e-3)
    assert {name: level["complete"] for name, level in truth["levels"].items()} == {
        name: level["complete"] for name, level in drawn.truth["levels"].items()
    }
    for key in metadata.FROM_SCAN:
        assert truth["scan"][key] == pytest.approx(drawn.truth["scan"][key], abs=1e-3)


@pytest.mark.parametrize("content", ["[]", "{", '{"cases": {"A": {}}}', '{"cases": []}'])
def test_a_damaged_truth_is_one_line(tmp_path, capsys, content):
    (tmp_path / "truth.json").write_text(content)
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "truth.json is damaged" in said
    assert said.count("\n") == 1


def test_a_cohort_of_series_is_refused(tmp_path, capsys):
    (tmp_path / "truth.json").write_text(json.dumps({"cases": {"A0001": {"fractured": True}}}))
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "draw the cohort as NIfTI" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path, capsys):
    """The networks of an hour were lost."""
    (tmp_path / "truth.json").write_text("{}")
    (tmp_path / "out").write_text("")
    with pytest.raises(SystemExit):
        main([str(tmp_path), str(tmp_path / "out")])
    assert "OUT names a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--recipe", "nope"], "unknown recipe"),
        (["--recipe", "hard"], "scan.truncate cuts scans"),
        (["--cases", "0"], "at least 1"),
        (["--seed", "-1"], "at least 0"),
    ],
)
def test_plans_of_nothing_are_one_line(capsys, words, says):
    assert planned.main(words) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
