"""The tables of fractures against plain loops, SciPy and scikit-learn."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from tests.tools.evaluate.conftest import Evaluation
from tests.tools.evaluate.fractures import made_up
from tests.tools.evaluate.fractures.conftest import LOST
from tools.report.minerals import category, to_k2hpo4

Rows = dict[str, tuple[float, bool]]
"""Case -> score and answer."""


def grade(case: dict[str, Any]) -> int:
    """Grade of a made-up patient's only fracture."""
    return max((one["fracture"]["grade"] for one in case["levels"].values() if one["fracture"]),
               default=0)  # fmt: skip


def main(truth: dict[str, Any], scanner: str | None = None) -> list[str]:
    """Cases of the main result, by plain loops."""
    return [
        name
        for name, case in truth["cases"].items()
        if scanner in (None, case["scanner"]) and grade(case) != 1
    ]


def said_by(method: str, truth: dict[str, Any], lstm: list[dict[str, Any]]) -> Rows:
    """Every case's score and answer of a method."""
    if method == "height loss":
        read = made_up.losses(truth)
        largest = {name: max(one.values()) for name, one in read.items() if one is not None}
        return {name: (value, value >= 0.2) for name, value in largest.items()}
    rows = lstm if "lstm" in method else made_up.predicted(truth, "max", 7, 1.6)
    known = [row for row in rows if row["status"] == "measured"]
    column = "probability" if " " not in method else f"probability_{method.split()[0]}"
    return {row["case"]: (row[column], row[column] > 0.5) for row in known}


METHODS = (
    "lstm", "max", "max of slices (lstm)", "mean of slices (lstm)", "vote of slices (lstm)",
    "mean of slices (max)", "vote of slices (max)", "height loss",
)  # fmt: skip


def test_every_aggregator_has_a_row_and_none_two(fractures: Evaluation) -> None:
    found = fractures.content["methods"]
    assert found == [*METHODS, "Reader 1", "Reader 2"]
    assert "max of slices (max)" not in found  # the network's own answer


@pytest.mark.parametrize("scanner", ["A", "all scanners"])
@pytest.mark.parametrize("method", METHODS)
def test_table_1_is_that_of_scikit_learn(
    fractures: Evaluation, truth: dict[str, Any], lstm: list[dict[str, Any]], method: str,
    scanner: str,
) -> None:  # fmt: skip
    cases = main(truth, None if scanner == "all scanners" else scanner)
    rows = said_by(method, truth, lstm)
    judged = [name for name in cases if name in rows]
    true = [truth["cases"][name]["fractured"] for name in judged]
    said = [bool(rows[name][1]) for name in judged]
    found = fractures.number("fractures", scanner, method, "main")
    expected = {
        "accuracy": (metrics.accuracy_score(true, said), len(judged)),
        "precision": (metrics.precision_score(true, said), sum(said)),
        "sensitivity": (metrics.recall_score(true, said), sum(true)),
        "specificity": (metrics.recall_score(true, said, pos_label=False), len(true) - sum(true)),
    }
    for rate, (value, n) in expected.items():
        one = found[f"{rate}_measured"]
        assert (one["value"], one["n"]) == (pytest.approx(value), n)
        exact = stats.binomtest(round(value * n), n).proportion_ci(method="exact")
        assert (one["low"], one["high"]) == pytest.approx((exact.low, exact.high))
    assert found["f1_measured"]["value"] == pytest.approx(metrics.f1_score(true, said))
    assert "bootstrap" in found["f1_measured"]["method"]
    scores = [rows[name][0] for name in judged]
    assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(true, scores))
    matrix = metrics.confusion_matrix(true, said, labels=[True, False])
    assert fractures.content["confusion"][scanner][method] == matrix.tolist()


def test_scans_not_judged_are_wrong_among_all(fractures: Evaluation, truth: dict[str, Any]) -> None:
    found = fractures.number("fractures", "all scanners", "lstm", "main")
    cases = main(truth)
    ill = sum(truth["cases"][name]["fractured"] for name in cases)
    lost_ill = sum(truth["cases"][name]["fractured"] for name in LOST)
    assert 0 < lost_ill < len(LOST)
    for rate, n, lost in (("sensitivity", ill, lost_ill), ("accuracy", len(cases), len(LOST)),
                          ("specificity", len(cases) - ill, len(LOST) - lost_ill)):  # fmt: skip
        judged, everyone = found[f"{rate}_measured"], found[f"{rate}_all"]
        assert (judged["n"], everyone["n"]) == (n - lost, n)
        right = round(judged["value"] * judged["n"])
        assert everyone["value"] == pytest.approx(right / n)


def pair(
    truth: dict[str, Any], first: dict[str, bool], second: dict[str, bool], everyone: bool
) -> np.ndarray:
    """Cases by whether each of two methods is right [right or wrong, right or wrong]."""
    counts = np.zeros((2, 2), dtype=int)
    for name in main(truth):
        if not everyone and not (name in first and name in second):
            continue
        true = truth["cases"][name]["fractured"]
        counts[int(first.get(name) != true), int(second.get(name) != true)] += 1
    return counts


@pytest.mark.parametrize("ending", ["measured", "all"])
def test_the_network_against_the_height_loss_rule(
    fractures: Evaluation, truth: dict[str, Any], lstm: list[dict[str, Any]], ending: str
) -> None:
    first, second = (
        {name: bool(said) for name, (_, said) in said_by(method, truth, lstm).items()}
        for method in ("lstm", "height loss")
    )
    counts = pair(truth, first, second, ending == "all")
    found = fractures.number("against_rule", "all scanners", "lstm", "main")
    test, apart = found[f"mcnemar_{ending}"], found[f"accuracy_difference_{ending}"]
    only = int(counts[0, 1]), int(counts[1, 0])
    assert test["p"] == pytest.approx(stats.binomtest(only[0], sum(only)).pvalue)
    assert apart["n"] == counts.sum()
    assert apart["value"] == pytest.approx((only[0] - only[1]) / counts.sum())
    assert apart["low"] < apart["value"] < apart["high"]


@pytest.mark.parametrize("method", ["lstm", "height loss"])
@pytest.mark.parametrize("reader", ["Reader 1", "Reader 2"])
def test_every_method_against_every_reader(
    fractures: Evaluation, truth: dict[str, Any], lstm: list[dict[str, Any]], method: str,
    reader: str,
) -> None:  # fmt: skip
    first = {name: bool(said) for name, (_, said) in said_by(method, truth, lstm).items()}
    wrong = {"Reader 1": 0.1, "Reader 2": 0.25}[reader]
    answers = made_up.read_by(truth, int(reader[-1]), wrong)
    second = {name: bool(one) for name, one in answers.items()}
    if reader == "Reader 2":
        del second["A0004"]  # an empty cell
    counts = pair(truth, first, second, everyone=False)
    found = fractures.number("against_readers", "all scanners", method, reader)
    assert found["mcnemar_measured"]["p"] == pytest.approx(
        stats.binomtest(int(counts[0, 1]), int(counts[0, 1] + counts[1, 0])).pvalue
    )
    table = [[counts[0].sum(), counts[1].sum()], [counts[:, 0].sum(), counts[:, 1].sum()]]
    other = stats.chi2_contingency(table, correction=False)
    assert (found["chi2"]["statistic"], found["chi2"]["p"]) == pytest.approx(
        (other.statistic, other.pvalue)
    )
    row = fractures.number("fractures", "all scanners", reader, "main")
    own = [name for name in main(truth) if name in second]
    true = [truth["cases"][name]["fractured"] for name in own]
    assert row["f1_measured"]["value"] == pytest.approx(
        metrics.f1_score(true, [second[name] for name in own])
    )
    assert row["auc"]["reason"] == "a yes or no has no curve"


def has(case: dict[str, Any], key: str) -> set[Any]:
    return {one["fracture"][key] for one in case["levels"].values() if one["fracture"]}


STRATA = {
    "kind: wedge": lambda case: "wedge" in has(case, "kind"),
    "kind: biconcave": lambda case: "biconcave" in has(case, "kind"),
    "kind: crush": lambda case: "crush" in has(case, "kind"),
    "grade: grade 2": lambda case: grade(case) == 2,
    "grade: grade 3": lambda case: grade(case) == 3,
    "generator: collapse": lambda case: "collapse" in has(case, "generator"),
    "deepest place: beside the mid-plane": lambda case: 9.0 in has(case, "side_mm"),
    "level: above or below L1–L4 alone": lambda case: bool(case["levels"]["T12"]["fracture"]),
    "mimics: with any": lambda case: bool(case["mimics"]) and not case["fractured"],
    "mimics: without any": lambda case: not case["mimics"] and not case["fractured"],
    "mimics: with one that breaks a body": lambda case: (
        case["mimics"] == ["burst"] and not case["fractured"]
    ),
    "mimic: schmorl": lambda case: case["mimics"] == ["schmorl"] and not case["fractured"],
}


@pytest.mark.parametrize("stratum", STRATA)
def test_strata_of_one_side_count_their_cases(
    fractures: Evaluation, truth: dict[str, Any], lstm: list[dict[str, Any]], stratum: str
) -> None:
    rows = said_by("lstm", truth, lstm)
    kept = main(truth)
    own = [name for name in kept if STRATA[stratum](truth["cases"][name])]
    ill = "mimic" not in stratum
    found = fractures.number("fractures", "all scanners", "lstm", stratum)
    rate = found["sensitivity_all" if ill else "specificity_all"]
    right = [name in rows and rows[name][1] == ill for name in own]
    assert own
    assert (rate["value"], rate["n"]) == (pytest.approx(np.mean(right)), len(own))
    assert ("specificity_all" if ill else "sensitivity_all") not in found
    others = [name for name in kept if truth["cases"][name]["fractured"] != ill]
    held = [name for name in (*own, *others) if name in rows]
    area = metrics.roc_auc_score(
        [truth["cases"][name]["fractured"] for name in held], [rows[name][0] for name in held]
    )
    assert found["auc"]["value"] == pytest.approx(area)


def test_grade_1_stands_apart_and_all_cases_beside(
    fractures: Evaluation, truth: dict[str, Any], lstm: list[dict[str, Any]]
) -> None:
    mild = [name for name, case in truth["cases"].items() if grade(case) == 1]
    found = fractures.number("fractures", "all scanners", "lstm")
    assert found["left out: grade 1"]["sensitivity_all"]["n"] == len(mild) > 0
    assert found["main"]["accuracy_all"]["n"] == 80 - len(mild)
    assert found["all cases"]["accuracy_all"]["n"] == 80
    assert fractures.content["fractures"]["main"] == {
        "cases": 80 - len(mild), "left_out": {"grade 1": len(mild)},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["osteoporosis", "osteopenia", "normal"])
def test_densities_have_an_area_each(
    fractures: Evaluation, truth: dict[str, Any], lstm: list[dict[str, Any]], name: str
) -> None:
    rows, own = said_by("lstm", truth, lstm), []
    for case in main(truth):
        levels = truth["cases"][case]["levels"]
        known = [one["qct_ha_mg_cm3"] for level, one in levels.items()
                 if level != "T12" and not one["fracture"]]  # fmt: skip
        if category(to_k2hpo4(float(np.mean(known)))) == name and case in rows:
            own.append(case)
    found = fractures.number("fractures", "all scanners", "lstm", f"density: {name}", "auc")
    assert found["n"] == len(own)
    true = [truth["cases"][case]["fractured"] for case in own]
    assert len(set(true)) == 2
    area = metrics.roc_auc_score(true, [rows[case][0] for case in own])
    assert found["value"] == pytest.approx(area)
