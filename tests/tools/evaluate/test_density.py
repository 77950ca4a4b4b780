"""The tables of density against plain loops, SciPy and scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from tests.tools.evaluate import made_up
from tests.tools.evaluate.conftest import Evaluation, run
from tools.report.minerals import category, to_k2hpo4

METHODS = {"cnn": "bmd_cnn_mg_cm3", "hu_linear": "bmd_hu_linear_mg_cm3"}


def means(
    cohort: dict[str, Any], rows: list[dict[str, Any]], scanner: str | None, column: str
) -> tuple[np.ndarray, np.ndarray]:
    """Patients' means of reference and reading over the levels measured, by plain loops."""
    true, read = [], []
    for name, case in cohort["cases"].items():
        if scanner is not None and case["scanner"] != scanner:
            continue
        own = [r for r in rows if r["case"] == name and r["status"] == "measured"]
        if own:
            true.append(np.mean([case["levels"][r["level"]]["qct_ha_mg_cm3"] for r in own]))
            read.append(np.mean([r[column] for r in own]))
    return np.array(true), np.array(read)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scanner", ["A", "B", "C", "all scanners"])
def test_means_agree_as_scipy_and_scikit_learn_find(
    evaluated: Evaluation, cohort: dict[str, Any], rows: list[dict[str, Any]], scanner: str,
    method: str,
) -> None:  # fmt: skip
    one = None if scanner == "all scanners" else scanner
    x, y = means(cohort, rows, one, METHODS[method])
    found = evaluated.number("agreement", scanner, method, "mean")
    assert found["r"]["n"] == len(x) == (87 if one is None else 29)
    r = stats.pearsonr(x, y)
    assert found["r"]["value"] == pytest.approx(r.statistic)
    assert found["r"]["low"] == pytest.approx(r.confidence_interval().low)
    assert found["bias"]["value"] == pytest.approx((y - x).mean())
    sd = (y - x).std(ddof=1)
    assert found["limit_high"]["value"] == pytest.approx((y - x).mean() + 1.959964 * sd)
    assert found["mae"]["value"] == pytest.approx(metrics.mean_absolute_error(x, y))
    assert found["rmse"]["value"] == pytest.approx(metrics.root_mean_squared_error(x, y))
    assert found["wilcoxon_p"]["p"] == pytest.approx(stats.wilcoxon(y, x).pvalue)
    assert found["slope"]["value"] == pytest.approx(stats.linregress(x, y).slope)


def test_known_biases_are_found(evaluated: Evaluation) -> None:
    for scanner, bias in made_up.BIAS.items():
        found = evaluated.number("agreement", scanner, "hu_linear", "mean", "bias")
        assert found["low"] - 2 < bias < found["high"] + 2


@pytest.mark.parametrize("method", METHODS)
def test_categories_are_counted_both_ways(
    evaluated: Evaluation, cohort: dict[str, Any], rows: list[dict[str, Any]], method: str
) -> None:
    truth = {
        name: category(to_k2hpo4(np.mean([lv["qct_ha_mg_cm3"] for lv in case["levels"].values()])))
        for name, case in cohort["cases"].items()
    }
    said: dict[str, str] = {}
    for name in truth:
        own = [
            row[METHODS[method]]
            for row in rows
            if row["case"] == name and row["status"] == "measured"
        ]
        if own:
            said[name] = category(to_k2hpo4(np.mean(own)))
    one, other = [truth[name] for name in said], list(said.values())
    names = ["osteoporosis", "osteopenia", "normal"]
    matrix = metrics.confusion_matrix(one, other, labels=names)
    assert evaluated.content["confusion"]["all scanners"][method] == matrix.tolist()
    found = evaluated.number("categories", "all scanners", method, "mean")
    order = {name: place for place, name in enumerate(names)}
    kappa = metrics.cohen_kappa_score(
        [order[n] for n in one], [order[n] for n in other], weights="linear"
    )
    assert found["kappa"]["value"] == pytest.approx(kappa)
    has = sum(name == "osteoporosis" for name in truth.values())
    measured, everyone = (found[f"osteoporosis_sensitivity_{n}"] for n in ("measured", "all"))
    assert measured["n"] == matrix[0].sum()
    assert everyone["n"] == has > measured["n"]
    assert everyone["value"] == pytest.approx(matrix[0, 0] / has)
    assert everyone["value"] < measured["value"]
    free = len(truth) - has
    assert found["osteoporosis_specificity_all"]["n"] == free
    assert found["osteoporosis_specificity_all"]["value"] == pytest.approx(
        matrix[1:, 1:].sum() / free
    )
    assert found["measured"]["value"] == pytest.approx(87 / 90)


def test_intervals_hold_what_they_hold(
    evaluated: Evaluation, cohort: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    held, inner = [], []
    for row in rows:
        if row["status"] != "measured" or row["case"] not in cohort["cases"]:
            continue
        true = cohort["cases"][row["case"]]["levels"][row["level"]]["qct_ha_mg_cm3"]
        held.append(row["low_95_mg_cm3"] <= true <= row["high_95_mg_cm3"])
        if 60 <= true <= 100:
            inner.append(held[-1])
    found = evaluated.number("intervals", "all scanners", "cnn", "levels")
    assert found["coverage"]["n"] == len(held)
    assert found["coverage"]["value"] == pytest.approx(np.mean(held))
    assert "effective" in found["coverage"]["method"]
    assert found["coverage_60_100"]["value"] == pytest.approx(np.mean(inner))
    assert found["median_width"]["value"] == pytest.approx(20)
    assert "exact" in evaluated.number("intervals", "A", "cnn", "L1", "coverage")["method"]


def test_the_methods_are_compared_on_the_same_scans(
    evaluated: Evaluation, cohort: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    x, cnn = means(cohort, rows, "C", METHODS["cnn"])
    _, linear = means(cohort, rows, "C", METHODS["hu_linear"])
    found = evaluated.number("paired", "C", "mean", "absolute_error_difference")
    assert found["value"] == pytest.approx((abs(cnn - x) - abs(linear - x)).mean())
    assert found["high"] < 0  # made up so that the CNN is nearer on scanner C
    assert "bootstrap over patients" in found["method"]


def test_the_fat_error_is_told_apart(evaluated: Evaluation, cohort: dict[str, Any]) -> None:
    apart = [
        level["qct_ha_mg_cm3"] - level["ha_mass_mg_cm3"]
        for case in cohort["cases"].values()
        for level in case["levels"].values()
    ]
    found = evaluated.number("fat_error", "all scanners", "qct", "levels", "bias")
    assert (found["n"], found["value"]) == (360, pytest.approx(np.mean(apart)))
    assert evaluated.number("fat_error", "A", "cnn", "mean", "bias")["value"] < -3


def test_a_level_suspected_of_fracture_counts_for_itself_alone(
    folder: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    screened = [made_up.screened(row, cnn=True) for row in rows if row["case"][0] == "C"]
    for row in screened:
        if row["level"] == "L1":
            row["warnings"] = "noisy;fracture_suspected"
            row["bmd_cnn_mg_cm3"] += 500
            row["bmd_high_95_mg_cm3"] += 500
    made_up.write_csv(tmp_path / "results.csv", screened)
    truth = folder / "cohort" / "truth.json"
    options = {"methods": "cnn", "lists": "test_3", "pictures": False}
    found = run(tmp_path / "results.csv", truth, tmp_path / "out", **options)
    assert found.number("agreement", "C", "cnn", "L1", "bias")["value"] > 400
    assert found.number("agreement", "C", "cnn", "mean", "bias")["value"] < 20


def test_one_measured_level_gives_a_mean_but_no_category(
    folder: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    own = [
        row if row["level"] == "L1" else made_up.unmeasured(row, "refused", "noisy")
        for row in rows
        if row["case"][0] == "C"
    ]
    made_up.write_csv(tmp_path / "predictions.csv", own)
    truth = folder / "cohort" / "truth.json"
    found = run(tmp_path / "predictions.csv", truth, tmp_path / "out", lists="test_3")
    assert found.number("agreement", "C", "cnn", "mean", "bias")["n"] == 29
    assert np.sum(found.content["confusion"]["C"]["cnn"]) == 0
    sensitivity = found.number("categories", "C", "cnn", "mean", "osteoporosis_sensitivity_all")
    assert sensitivity["value"] == 0
    assert sensitivity["n"] > 0


def test_references_in_k2hpo4_are_converted(
    folder: Path, cohort: dict[str, Any], evaluated: Evaluation, tmp_path: Path
) -> None:
    path = made_up.write_json(tmp_path / "list.json", made_up.datalist(cohort, "K2HPO4"))
    found = run(folder / "predictions.csv", path, tmp_path / "out", pictures=False)
    for metric in ("r", "bias", "slope", "mae"):
        key = ("agreement", "all scanners", "cnn", "mean", metric, "value")
        assert found.number(*key) == pytest.approx(evaluated.number(*key))
    assert "Faulkner 1993" in found.page
    assert not found.content["phantom"]
    assert "phantom results" not in found.page
    assert "fat_error" not in found.content["tables"]


def test_one_patient_on_three_scanners_is_one_patient(tmp_path: Path) -> None:
    truth = made_up.cohort(12, scanners="A")
    for scanner in "BC":
        for name, case in list(truth["cases"].items()):
            if name[0] == "A":
                twin = f"{scanner}{name[1:]}"
                truth["cases"][twin] = case | {"case": twin, "scanner": scanner}
    made_up.write_json(tmp_path / "truth.json", truth)
    made_up.write_csv(tmp_path / "predictions.csv", made_up.predicted(truth))
    said, true = tmp_path / "predictions.csv", tmp_path / "truth.json"
    found = run(said, true, tmp_path / "out", pictures=False)
    assert found.content["references"]["patients"] == 12
    everyone = found.number("agreement", "all scanners", "cnn", "mean")
    assert everyone["bias"]["n"] == 36
    assert "bootstrap over patients" in everyone["bias"]["method"]
    assert everyone["wilcoxon_p"]["n"] == 12
    assert "Student" in found.number("agreement", "A", "cnn", "mean", "bias")["method"]
