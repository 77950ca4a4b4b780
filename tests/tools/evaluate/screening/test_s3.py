"""S3's table against scikit-learn and plain loops; what failed counts; leaks are refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from bmd_bundle.screening import patient_probability
from tests.tools.evaluate import made_up
from tests.tools.evaluate.conftest import Evaluation, run
from tests.tools.evaluate.screening.made_up import FOLDS, LIMIT, crossed, fold_of, lose, part_of
from tests.tools.evaluate.test_html import cells
from tests.tools.report.reader import read
from tests.tools.report.test_words import NEVER
from tools.evaluate.screening import published
from tools.evaluate.words import counted
from tools.report.words import RESEARCH_USE
from tools.statistics import Estimate, clopper_pearson

LOST, UNSEEN = {"A0002": ("refused", "no_anchor"), "B0003": ("failed", "no NIfTI file")}, "A0007"
ALL = "all folds"


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return made_up.cohort(20, seed=3)


@pytest.fixture(scope="module")
def tables(truth: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Rows of classifier and regressor, with cases lost and one never named."""
    found = {}
    for name, classifier in (("classifier", True), ("regressor", False)):
        rows = crossed(truth, classifier)
        for case, how in LOST.items():
            rows = lose(rows, case, *how)
        found[name] = [row for row in rows if row["case"] != UNSEEN]
    return found


@pytest.fixture(scope="module")
def place(truth: dict[str, Any], tables: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("s3")
    made_up.write_json(folder / "cohort" / "truth.json", truth)
    made_up.write_json(folder / "cohort" / "bmd_regression.json", made_up.datalist(truth))
    for name, rows in tables.items():
        made_up.write_csv(folder / name / "predictions.csv", rows)
    return folder


@pytest.fixture(scope="module")
def found(place: Path) -> Evaluation:
    """Both tables in one."""
    beside = (place / "regressor" / "predictions.csv",)
    return run(place / "classifier", place / "cohort" / "truth.json", place / "out", beside=beside)


def scans(
    truth: dict[str, Any], rows: list[dict[str, Any]], part: str, fold: int | None = None
) -> list[tuple[str, bool, float, float]]:
    """Case, truth, probability or density, and mean reference of every scan judged, by loops."""
    found = []
    for number in range(1, FOLDS + 1):
        for case, patient in truth["cases"].items():
            own = [r for r in rows if r["case"] == case and r["fold"] == number]
            if part_of(case, number) != part or fold not in (None, number) or not own:
                continue
            if own[0]["status"] != "measured":
                continue
            mean = np.mean([level["qct_ha_mg_cm3"] for level in patient["levels"].values()])
            if own[0].get("probability_reduced") is not None:
                said = patient_probability([r["probability_reduced"] for r in own])
            else:
                said = float(np.mean([r["bmd_cnn_mg_cm3"] for r in own]))
            found.append((case, bool(mean <= LIMIT), said, float(mean)))
    return found


@pytest.mark.parametrize("part", ["train", "test", "independent"])
def test_the_classifier_s_rates_are_scikit_learn_s(
    part: str, found: Evaluation, truth: dict[str, Any], tables: dict
) -> None:
    own = scans(truth, tables["classifier"], part)
    has, said = [h for _, h, _, _ in own], [p > 0.5 for _, _, p, _ in own]
    number = found.number("screening", part, "classifier", ALL)
    for name, score in (
        ("sensitivity", metrics.recall_score), ("precision", metrics.precision_score),
        ("accuracy", metrics.accuracy_score), ("f1", metrics.f1_score),
    ):  # fmt: skip
        assert number[f"{name}_measured"]["value"] == pytest.approx(score(has, said)), name
    specific = metrics.recall_score([not h for h in has], [not s for s in said])
    assert number["specificity_measured"]["value"] == pytest.approx(specific)
    areas = []
    for fold in range(1, FOLDS + 1):
        one = scans(truth, tables["classifier"], part, fold)
        areas.append(metrics.roc_auc_score([h for _, h, _, _ in one], [p for _, _, p, _ in one]))
        by_fold = found.number("screening", part, "classifier", f"fold {fold}", "auc")
        assert by_fold["value"] == pytest.approx(areas[-1])
    assert number["auc"]["value"] == pytest.approx(np.mean(areas))
    assert "bootstrap over patients" in number["auc"]["method"]
    assert number["auc"]["low"] <= number["auc"]["value"] <= number["auc"]["high"]
    assert "mae" not in number  # a probability has no error in mg/cm³


@pytest.mark.parametrize("part", ["train", "test", "independent"])
def test_the_regressor_s_errors_are_scikit_learn_s(
    part: str, found: Evaluation, truth: dict[str, Any], tables: dict
) -> None:
    own = scans(truth, tables["regressor"], part)
    true, said = [m for _, _, _, m in own], [d for _, _, d, _ in own]
    number = found.number("screening", part, "cnn", ALL)
    assert number["mae"]["value"] == pytest.approx(metrics.mean_absolute_error(true, said))
    assert number["rmse"]["value"] == pytest.approx(metrics.root_mean_squared_error(true, said))
    called = [d <= LIMIT for d in said]
    has = [h for _, h, _, _ in own]
    assert number["accuracy_measured"]["value"] == pytest.approx(np.mean(np.equal(has, called)))
    assert found.number("screening", part, "hu_linear", ALL, "mae")["value"] > 0


def test_refused_failed_and_unnamed_scans_stay_in_the_denominator(
    found: Evaluation, truth: dict[str, Any]
) -> None:
    def reduced(case: str) -> bool:
        levels = truth["cases"][case]["levels"].values()
        return bool(np.mean([level["qct_ha_mg_cm3"] for level in levels]) <= LIMIT)

    test = found.number("screening", "test", "classifier", ALL)
    assert test["accuracy_all"]["n"] == 20  # every patient of A once
    assert test["accuracy_measured"]["n"] == 18
    pool = [case for case in truth["cases"] if case[0] == "A"]
    assert test["sensitivity_all"]["n"] == sum(map(reduced, pool))
    hits = test["accuracy_measured"]["value"] * 18
    assert test["accuracy_all"]["value"] == pytest.approx(hits / 20)
    limits = clopper_pearson(round(hits), 20)
    assert [test["accuracy_all"][key] for key in ("low", "high")] == pytest.approx(limits)
    train = found.number("screening", "train", "classifier", ALL)
    assert train["accuracy_all"]["n"] == 20 * (FOLDS - 1)
    assert train["accuracy_measured"]["n"] == 18 * (FOLDS - 1)
    apart = found.number("screening", "independent", "classifier", ALL)
    assert (apart["accuracy_all"]["n"], apart["accuracy_measured"]["n"]) == (200, 195)
    assert "effective" in apart["accuracy_all"]["method"]
    everyone = found.content["scans"]["all scanners"]
    assert {key: everyone[key] for key in ("references", "done", "refused", "failed")} == {
        "references": 60, "done": 57, "refused": 1, "failed": 2,
    }  # fmt: skip


def test_scanners_stand_by_themselves(found: Evaluation) -> None:
    for scanner in "BC":
        number = found.number("screening", f"independent: {scanner}", "classifier", ALL)
        assert number["accuracy_all"]["n"] == 100
    assert found.content["screening"]["groups"] == {
        "train": 80, "test": 20, "independent": 200, "independent: B": 100, "independent: C": 100,
    }  # fmt: skip


def test_the_page_sets_s3_beside_and_calls_phantoms_phantoms(found: Evaluation) -> None:
    text = read(found.page).text
    assert "<h1>Evaluation of screening for reduced density: phantom results</h1>" in found.page
    assert RESEARCH_USE in text
    assert "no diagnosis" in text
    assert not re.search(NEVER, text, re.IGNORECASE)
    assert "A-0005" not in found.page
    rows = cells(found.page, "test", "classifier")
    test = found.number("screening", "test", "classifier", ALL)
    assert rows[0][4] == counted(Estimate(**test["sensitivity_measured"]), 3)
    assert rows[1][3] == counted(Estimate(**test["sensitivity_all"]), 3)
    (beside,) = cells(found.page, "S3 test")
    assert beside[2:] == ["0.974", *["0.910 to 1.000"] * 5, "8.52", "10.80"]
    assert cells(found.page, "S3 train")[0][-2:] == ["1.42", "1.93"]
    assert cells(found.page, "S3 independent")[0][2] == "0.938"
    assert published.INDEPENDENT_CASES == 42


def test_one_table_of_the_classifier_is_read_without_folds(
    place: Path, truth: dict[str, Any], tables: dict, tmp_path: Path
) -> None:
    rows = [
        {key: value for key, value in row.items() if key not in ("fold", "part")}
        for row in tables["classifier"]
        if row["fold"] == 1 and row["part"] == "independent"
    ]
    made_up.write_csv(tmp_path / "predictions.csv", rows)
    datalist = place / "cohort" / "bmd_regression.json"
    out = run(tmp_path / "predictions.csv", datalist, tmp_path / "out")
    number = out.number("screening", "test", "classifier", ALL)
    assert number["accuracy_all"]["n"] == 40
    assert out.number("screening", "test: B", "classifier", ALL, "accuracy_all")["n"] == 20
    assert "DeLong" in number["auc"]["method"]
    assert out.content["screening"]["folds"] == []


Change = Callable[[list[dict[str, Any]]], Any]


def edit(row: int, **cells_: Any) -> Change:
    return lambda rows: rows[row].update(cells_)


def same_patient(rows: list[dict[str, Any]]) -> None:
    """A scan of the first fold's test is learnt from as well."""
    for row in rows:
        if row["case"] == "A0005" and row["fold"] == 1:
            row["part"] = "train"
    assert fold_of("A0005") == fold_of("A0010") == 1
    for row in rows:
        if row["case"] in ("A0005", "A0010"):
            row["patient_id"] = "same"


BAD = {
    "fold": (edit(3, fold="1.5"), "line 5: fold is '1.5'; a number from 1 on is wanted"),
    "no fold": (edit(3, fold=""), "line 5: fold is None; a number"),
    "part": (edit(3, part="tset"), "did you mean 'test'"),
    "two parts": (edit(1, part="test"), "case A0001 is in two parts of fold 1"),
    "probability": (
        edit(0, probability_reduced=1.2),
        "probability_reduced is 1.2, not from 0 to 1",
    ),
    "no probability": (edit(0, probability_reduced=None), "probability_reduced is empty"),
    "level twice": (edit(1, level="L1"), "case A0001 has L1 twice"),
    "no part": (lambda rows: [row.pop("part") for row in rows], "the column 'part' is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_unusable_tables_are_refused_in_one_line(
    name: str, truth: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    change, words = BAD[name]
    rows = [dict(row) for row in crossed(truth, True) if row["fold"] <= 2]
    change(rows)
    made_up.write_csv(tmp_path / "predictions.csv", rows)
    with pytest.raises(ValueError, match=words) as caught:
        run(tmp_path / "predictions.csv", place / "cohort" / "truth.json", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_patient_on_both_sides_of_a_fold_is_refused(
    truth: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    rows = [dict(row) for row in crossed(truth, True)]
    same_patient(rows)
    made_up.write_csv(tmp_path / "predictions.csv", rows)
    datalist = made_up.datalist(truth)
    for record in datalist["test"]:
        if record["image"] in ("images/A0005.nii.gz", "images/A0010.nii.gz"):
            record["patient_id"] = "same"
    made_up.write_json(tmp_path / "bmd_regression.json", datalist)
    with pytest.raises(ValueError, match="the patient of case A0010 was learnt from by fold 1 too"):
        run(tmp_path / "predictions.csv", tmp_path / "bmd_regression.json", tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"methods": "cnn"}, "holds a screening, no densities; leave it out"),
        ({"heights": Path("results")}, "--heights is for fractures, not for the screening"),
        ({"beside": ("classifier",)}, "holds classifier again; give one table of each"),
        ({"beside": ("cohort/plain.csv",)}, "is no table of a screening or a cross-validation"),
    ],
    ids=["methods", "heights", "twice", "plain"],
)
def test_options_that_do_not_fit_are_refused(
    options: dict[str, Any], words: str, place: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    made_up.write_csv(place / "cohort" / "plain.csv", made_up.predicted(truth))
    if "beside" in options:
        options = {"beside": tuple(place / name for name in options["beside"])}
    with pytest.raises(ValueError, match=words):
        run(place / "classifier", place / "cohort" / "truth.json", tmp_path / "out", **options)
