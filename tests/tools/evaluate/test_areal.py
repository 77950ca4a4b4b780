"""Areal density against DXA: agreement, osteoporosis by T-score, lost scans, wrong quantities."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.tools.evaluate import made_up
from tests.tools.evaluate.conftest import LOST, UNSEEN, Evaluation, run
from tools.evaluate.command import evaluate

LIMIT = 1.065 - 2.5 * 0.122
PATIENTS = 12


def areal(density: float) -> float:
    """An areal density that goes with a volumetric one, g/cm²."""
    return 0.5 + 0.004 * density


def cohort() -> dict[str, Any]:
    """A truth.json with areal densities; few patients of every scanner are osteoporotic."""
    truth = made_up.cohort(PATIENTS)
    for case in truth["cases"].values():
        for level in case["levels"].values():
            level["areal_bmd_g_cm2"] = round(areal(level["qct_ha_mg_cm3"]), 4)
    return truth


def datalist(truth: dict[str, Any]) -> dict[str, Any]:
    """The datalist of areal density of a cohort."""
    lists = made_up.datalist(truth)
    for part in ("test", "test_2", "test_3"):
        for record in lists[part]:
            levels = truth["cases"][Path(record["image"]).name[:5]]["levels"]
            record |= {"unit": "g/cm2", "reference": "DXA", "mineral": None}
            record["bmd"] = {name: level["areal_bmd_g_cm2"] for name, level in levels.items()}
    return lists


def predicted(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a predictions.csv; one case was refused, one failed, one is not among them."""
    rng, rows = np.random.default_rng(3), []
    for case in truth["cases"].values():
        shift = rng.normal(0, 0.03)
        for name, level in case["levels"].items():
            status, reason = LOST.get(case["case"], ("measured", ""))
            read = level["areal_bmd_g_cm2"] + shift + rng.normal(0, 0.02)
            row = {
                **{key: case[key] for key in ("case", "patient_id", "scanner")},
                "level": name,
                "status": status,
                "reason": reason,
                "areal_bmd_g_cm2": round(read, 4) if status == "measured" else None,
                "slices": 3 if status == "measured" else 0,
                "slices_sd_g_cm2": 0.01,
                "kvp": 120,
                "reference_g_cm2": level["areal_bmd_g_cm2"],
                "reference_kind": "DXA",
            }
            rows += [row] if case["case"] != UNSEEN else []
    return rows


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return cohort()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, truth: dict[str, Any]) -> Path:
    """Truth, both datalists and the predictions in one folder."""
    folder = tmp_path_factory.mktemp("areal")
    made_up.write_json(folder / "truth.json", truth)
    made_up.write_json(folder / "bmd_regression.json", made_up.datalist(truth))
    made_up.write_json(folder / "bmd_regression_dxa.json", datalist(truth))
    made_up.write_csv(folder / "predictions.csv", predicted(truth))
    return folder


@pytest.fixture(scope="module")
def evaluated(place: Path) -> Evaluation:
    """The evaluation against the datalist, with its picture."""
    return run(place / "predictions.csv", place / "bmd_regression_dxa.json", place / "out")


def means(truth: dict[str, Any], scanners: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Patients' true and read means of the measured scans, and how many scans there are."""
    rows, true, read = predicted(truth), [], []
    cases = [case for case in truth["cases"].values() if case["scanner"] in scanners]
    for case in cases:
        own = [row for row in rows if row["case"] == case["case"] and row["status"] == "measured"]
        if own:
            true.append(np.mean([row["reference_g_cm2"] for row in own]))
            read.append(np.mean([row["areal_bmd_g_cm2"] for row in own]))
    return np.array(true), np.array(read), len(cases)


@pytest.mark.parametrize(
    ("name", "scanners"),
    [
        *(("A", "A"), ("B", "B"), ("C", "C"), ("all scanners", "ABC")),
        *(("internal", "A"), ("external", "BC")),
    ],
)
def test_agreement_and_auc_of_every_set(
    name: str, scanners: str, evaluated: Evaluation, truth: dict[str, Any]
) -> None:
    true, read, count = means(truth, scanners)
    found = evaluated.number("areal_agreement", name, "cnn", "mean")
    assert found["r"]["value"] == pytest.approx(np.corrcoef(true, read)[0, 1])
    assert found["r"]["low"] < found["r"]["value"] < found["r"]["high"]
    assert found["bias"]["value"] == pytest.approx((read - true).mean())
    broken = evaluated.number("areal_osteoporosis", name, "cnn", "mean")
    area = roc_auc_score(true <= LIMIT, -read)
    assert broken["osteoporosis_auc"]["value"] == pytest.approx(area)
    assert broken["measured"]["value"] == pytest.approx(len(true) / count)
    assert broken["measured"]["n"] == count


def test_lost_scans_count_among_all(evaluated: Evaluation, truth: dict[str, Any]) -> None:
    """A0001, which was refused, and B0001 are osteoporotic: of A none of one was found."""
    own = truth["cases"]["A0001"]["levels"].values()
    assert np.mean([level["areal_bmd_g_cm2"] for level in own]) < LIMIT
    true, read, count = means(truth, "A")
    lost = count - len(true)
    found = evaluated.number("areal_osteoporosis", "A", "cnn", "mean")
    hits, have = ((read <= LIMIT) & (true <= LIMIT)).sum(), (true <= LIMIT).sum()
    assert found["osteoporosis_sensitivity_all"]["value"] == pytest.approx(hits / (have + lost))
    assert found["osteoporosis_sensitivity_all"]["value"] < 1
    assert evaluated.content["scans"]["A"]["refused"] == lost == 1


def test_the_page_names_unit_reference_and_s4(evaluated: Evaluation) -> None:
    text = evaluated.page
    for words in ("S4 internal", "0.852", "0.965", "S4 external", "0.840", "0.970", "NHANES",
                  "g/cm²", "T ≤ −2.5", "phantom results", "internal", "external"):  # fmt: skip
        assert words in text, words
    assert "mg/cm³" not in text
    assert (evaluated.out / "scatter_areal.png").is_file()
    areal_part = evaluated.content["areal"]
    assert areal_part["sets"] == {"internal": PATIENTS, "external": 2 * PATIENTS}
    assert areal_part["t_score_reference"]["mean_g_cm2"] == 1.065
    assert evaluated.table["published", "S4 internal", "S4", "mean", "r"]["value"] == "0.852"


def test_truth_says_the_same(place: Path, evaluated: Evaluation) -> None:
    from_truth = run(place / "predictions.csv", place / "truth.json", place / "from_truth")
    assert from_truth.content["tables"] == evaluated.content["tables"]


def _changed(place: Path, tmp_path: Path, change: Any) -> Path:
    lists = json.loads((place / "bmd_regression_dxa.json").read_text())
    change(lists["test"][1])
    return made_up.write_json(tmp_path / "list.json", lists)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reference": "QCT"}, "record 2 of test holds no density by DXA"),
        ({"unit": "mg/cm3"}, "has the unit 'mg/cm3'; g/cm2 is wanted"),
        ({"bmd": {"L1": 98.0}}, "L1 is 98.0, no areal density"),
        ({"bmd": {"L9": 0.9}}, "has a bmd of 'L9'"),
        ({"bmd": {"L1": 0.31, "L2": 0.9}}, "has the reference .* give the references of this run"),
    ],
    ids=["QCT", "unit", "volumetric", "level", "other cohort"],
)
def test_wrong_references_are_refused(
    change: dict[str, Any], words: str, place: Path, tmp_path: Path
) -> None:
    true = _changed(place, tmp_path, lambda record: record.update(change))
    with pytest.raises(ValueError, match=words):
        evaluate(place / "predictions.csv", true, tmp_path / "out")


def test_the_datalist_of_volumetric_density_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"by DXA; .* give bmd_regression_dxa\.json"):
        evaluate(place / "predictions.csv", place / "bmd_regression.json", tmp_path / "out")
    true = place / "bmd_regression_dxa.json"
    with pytest.raises(ValueError, match=r"--methods: .* areal densities of one method"):
        evaluate(place / "predictions.csv", true, tmp_path / "out", methods="cnn")
