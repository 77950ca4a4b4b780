"""Where answers and labels come from, and what cannot be evaluated."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tools.evaluate import made_up as densities
from tests.tools.evaluate.conftest import Evaluation, run
from tests.tools.evaluate.fractures import made_up
from tools import cli
from tools.__main__ import COMMANDS, INTRO
from tools.evaluate.command import evaluate
from tools.evaluate.fractures import findings


def test_a_phantoms_datalist_says_what_its_truth_says(
    place: Path, fractures: Evaluation, tmp_path: Path
) -> None:
    found = run(place / "lstm", place / "cohort" / "ovf_classification.json", tmp_path / "out")
    for key in ("main", "all cases", "kind: crush", "left out: grade 1", "mimic: burst"):
        assert found.number("fractures", "B", "lstm", key) == fractures.number(
            "fractures", "B", "lstm", key
        )
    assert found.content["phantom"]


def test_a_list_of_patients_has_no_strata(
    place: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    densities.write_json(tmp_path / "list.json", made_up.datalist(truth))
    found = run(place / "lstm", tmp_path / "list.json", tmp_path / "out")
    own = found.number("fractures", "all scanners", "lstm")
    assert list(own) == ["main"]
    assert own["main"]["accuracy_all"]["n"] == 80
    assert not found.content["phantom"]
    assert "Kinds of fractures" not in found.page


def screen_folder(
    place: Path, truth: dict[str, Any], network: dict[str, Any] | None, case: str = "A0002"
) -> Path:
    """A `screen` folder whose case has a report with a block of the fracture network."""
    densities.write_csv(place / "results.csv", made_up.screened(made_up.losses(truth)))
    densities.write_json(place / case / "report.json", {"case": case, "ovf": network})
    return place


NETWORK = {"status": "measured", "reasons": [], "probability": 0.81, "decision": "positive",
           "slices": 9, "levels_covered": []}  # fmt: skip


@pytest.mark.parametrize(
    ("network", "judged"),
    [
        pytest.param(NETWORK, 1, id="measured"),
        pytest.param({**NETWORK, "status": "refused", "probability": None, "decision": None}, 0,
                     id="refused"),
        pytest.param(None, 0, id="did not run"),
    ],
)  # fmt: skip
def test_a_screen_folder_speaks_of_fractures_to_labels(
    place: Path, truth: dict[str, Any], fractures: Evaluation, tmp_path: Path,
    network: dict[str, Any] | None, judged: int,
) -> None:  # fmt: skip
    folder = screen_folder(tmp_path / "results", truth, network)
    found = run(folder, place / "cohort" / "ovf_classification.json", tmp_path / "out")
    names = ["fracture network"] * judged + ["height loss"]
    assert found.content["methods"] == names
    rule = found.number("fractures", "all scanners", "height loss", "main")
    assert rule == fractures.number("fractures", "all scanners", "height loss", "main")
    if judged:
        own = found.number("fractures", "A", "fracture network", "main")
        assert own["sensitivity_measured"]["n"] == 1
        assert own["measured"]["value"] == pytest.approx(1 / own["measured"]["n"])


def test_with_densities_a_screen_folder_speaks_of_densities(
    place: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    folder = screen_folder(tmp_path / "results", truth, NETWORK)
    with pytest.raises(ValueError, match="give a datalist of ovf_classification"):
        evaluate(folder, place / "cohort" / "truth.json", tmp_path / "out",
                 readers=place / "readers.csv")  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"L2": made_up.fracture("crush", 3)}, ("crush", 3, False, True), id="one"),
        pytest.param(
            {"T12": made_up.fracture("wedge", 2, side_mm=-8.0), "L1": made_up.fracture("crush", 1)},
            ("wedge", 2, True, True), id="the deepest",
        ),
        pytest.param(
            {"T12": made_up.fracture("given", 0, side_mm=None, generator=None)},
            ("given", 0, None, False), id="a given map's reader",
        ),
        pytest.param({"L2": made_up.fracture("crush", 0, loss=0.19)}, (None, None, None, False),
                     id="too little"),
        pytest.param({}, (None, None, None, False), id="none"),
    ],
)  # fmt: skip
def test_a_patient_is_filed_under_the_deepest_fracture(
    change: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    truth = next(iter(made_up.cohort(1, scanners="A")["cases"].values()))
    made_up.patient(truth, change)
    found = findings.of_truth(truth)
    assert (found.kind, found.grade, found.beside, found.lumbar) == expected


def test_a_cut_fracture_is_none_and_a_near_one_is_left_out() -> None:
    truth = next(iter(made_up.cohort(1, scanners="A")["cases"].values()))
    truth["levels"]["L2"]["complete"] = False
    made_up.patient(truth, {"L2": made_up.fracture("crush", 3)})
    cut = findings.of_truth(truth)
    assert (cut.kind, cut.cut, cut.main) == (None, True, True)
    truth["levels"]["L2"]["complete"] = True
    made_up.patient(truth, {"L2": made_up.fracture("crush", 3, threshold=True)})
    near = findings.of_truth(truth)
    assert (near.kind, near.near_limit, near.main) == ("crush", True, False)


def test_one_patient_on_two_scanners_counts_once_in_tests(tmp_path: Path) -> None:
    truth = made_up.cohort(30, scanners="A")
    for name, case in list(truth["cases"].items()):
        twin = f"B{name[1:]}"
        truth["cases"][twin] = case | {"case": twin, "scanner": "B"}
    densities.write_json(tmp_path / "truth.json", truth)
    densities.write_csv(tmp_path / "predictions.csv", made_up.predicted(truth))
    rows = [{"case": name, "reader": n} for name, n in made_up.read_by(truth, 1, 0.3).items()]
    densities.write_csv(tmp_path / "readers.csv", rows)
    found = run(tmp_path / "predictions.csv", tmp_path / "truth.json", tmp_path / "out",
                readers=tmp_path / "readers.csv")  # fmt: skip
    assert found.content["references"]["patients"] == 30
    own = found.number("against_readers", "all scanners", "lstm", "reader")
    assert own["mcnemar_measured"]["n"] <= 30
    assert "bootstrap over patients" in own["accuracy_difference_all"]["method"]
    auc = found.number("fractures", "all scanners", "lstm", "main", "auc")
    assert "bootstrap over patients" in auc["method"]


Change = Callable[[list[dict[str, Any]]], Any]


def edit(**cells: Any) -> Change:
    return lambda rows: rows[5].update(cells)


ROWS = {
    "above 1": (edit(probability=1.2), "line 7: probability is 1.2, not from 0 to 1"),
    "text": (edit(probability="high"), "probability is 'high', not a number"),
    "empty": (edit(probability_vote=None, probability=None), "measured, but probability is empty"),
    "decision": (edit(decision="pos"), "decision is 'pos'"),
    "status": (edit(status="done"), "status is 'done'"),
    "label": (edit(label=0), "case A0006 has the label 0, but 1 in truth.json"),
    "label word": (edit(label="yes"), "label is 'yes'"),
    "twice": (edit(case="A0005"), "line 7: case A0005 stands there twice"),
    "no column": (
        lambda rows: [row.pop("decision") for row in rows], "the column 'decision' is missing",
    ),
    "misspelt": (
        lambda rows: [row.update(probabilty_max=row.pop("probability_max")) for row in rows],
        "did you mean 'probability_max'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_unusable_predictions(
    name: str, place: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    change, words = ROWS[name]
    rows = made_up.predicted(truth)
    change(rows)
    densities.write_csv(tmp_path / "predictions.csv", rows)
    refused(tmp_path / "predictions.csv", place / "cohort" / "truth.json", tmp_path, words)


def refused(said: Path, true: Path, place: Path, words: str, **options: Any) -> None:
    """Expect one line, and no OUT."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        evaluate(said, true, place / "out", **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (place / "out").exists()


READERS = {
    "word": ("case,R\nA0001,maybe\n", "line 2: R is 'maybe'"),
    "no reader": ("case\nA0001\n", "one column with a name for each reader"),
    "no name": ("case,\nA0001,1\n", "one column with a name for each reader"),
    "no case": ("scan,R\nA0001,1\n", "the column 'case' is missing"),
    "twice": ("case,R\nA0001,1\nA0001,0\n", "line 3: case A0001 stands there twice"),
    "a method's name": ("case,lstm\nA0001,1\n", "reader 'lstm' has a method's name"),
    "other cases": ("case,R\nX1,1\n", "has a reference in"),
}


@pytest.mark.parametrize("name", READERS)
def test_unusable_readers(name: str, place: Path, tmp_path: Path) -> None:
    text, words = READERS[name]
    (tmp_path / "readers.csv").write_text(text)
    refused(place / "lstm", place / "cohort" / "truth.json", tmp_path, words,
            readers=tmp_path / "readers.csv")  # fmt: skip


@pytest.mark.parametrize(
    ("label", "words"),
    [
        pytest.param(2, "record 2 of test has the label 2; 0 or 1 is wanted", id="2"),
        pytest.param("a.nii.gz", "has the label 'a.nii.gz'; 0 or 1", id="mask"),
        pytest.param(None, "has the label None; 0 or 1", id="none"),
    ],
)
def test_unusable_labels(
    label: Any, words: str, place: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    lists = made_up.datalist(truth)
    lists["test"][1]["label"] = label
    densities.write_json(tmp_path / "list.json", lists)
    refused(place / "lstm", tmp_path / "list.json", tmp_path, words)


def test_labels_that_contradict_the_truth_beside_are_refused(
    place: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    lists = made_up.datalist(truth)
    lists["test"][0]["label"] = 1
    densities.write_json(tmp_path / "cohort" / "list.json", lists)
    densities.write_json(tmp_path / "cohort" / "truth.json", truth)
    refused(place / "lstm", tmp_path / "cohort" / "list.json", tmp_path,
            "record 1 of test has the label 1, but 0 in the truth.json beside it")  # fmt: skip


def test_a_truth_without_fractures_is_refused(place: Path, tmp_path: Path) -> None:
    densities.write_json(tmp_path / "truth.json", densities.cohort(5))
    refused(place / "lstm", tmp_path / "truth.json", tmp_path,
            "case A0001 does not say what is fractured")  # fmt: skip


def test_unusable_files_beside(place: Path, truth: dict[str, Any], tmp_path: Path) -> None:
    true = place / "cohort" / "truth.json"
    lstm, said = place / "lstm" / "predictions.csv", "both hold 'lstm'; give one table per"
    refused(lstm, true, tmp_path, said, beside=(lstm,))
    refused(lstm, true, tmp_path, "is of screen", beside=(place / "results",))
    refused(lstm, true, tmp_path, "the column 'input' is missing", heights=lstm)
    refused(lstm, true, tmp_path, "holds fractures, no densities", methods="cnn")
    folder = screen_folder(tmp_path / "results", truth, NETWORK | {"probability": 7})
    labels = place / "cohort" / "ovf_classification.json"
    refused(folder, labels, tmp_path, "the probability 7; screen the case again")
    (folder / "A0002" / "report.json").write_text("{")
    refused(folder, labels, tmp_path, "no report of `screen` (JSONDecodeError)")
    screen_folder(folder, truth, NETWORK)
    refused(folder, labels, tmp_path, "has heights of its own", heights=place / "results")


def test_nothing_judged_is_still_an_evaluation(
    place: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    rows = [made_up.unmeasured(r, "failed", "out of memory") for r in made_up.predicted(truth)]
    densities.write_csv(tmp_path / "predictions.csv", rows)
    found = run(tmp_path / "predictions.csv", place / "cohort" / "truth.json", tmp_path / "out")
    own = found.number("fractures", "all scanners", "network", "main")
    assert own["sensitivity_all"]["value"] == 0
    assert own["sensitivity_measured"]["value"] is None
    assert not list((tmp_path / "out").glob("*.png"))


def test_the_command_line_runs_it(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        str(place / "lstm"), str(place / "cohort" / "truth.json"), str(tmp_path / "out"),
        "--beside", str(place / "max" / "predictions.csv"), "--heights", str(place / "results"),
        "--readers", str(place / "readers.csv"), "--lists", "all",
    ]  # fmt: skip
    assert cli.main(COMMANDS, INTRO, ["evaluate", *words]) == 0
    said = capsys.readouterr().out
    assert "phantom results: 80 references: 78 done, 1 refused, 1 failed" in said
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert content["fractures"]["files"] == {
        "beside": "predictions.csv", "heights": "results.csv", "readers": "readers.csv",
    }  # fmt: skip
