"""What cannot be evaluated is refused in one line that names file and mend; nothing is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tools.evaluate import made_up
from tools import cli
from tools.__main__ import COMMANDS, INTRO
from tools.evaluate.command import evaluate

Change = Callable[[list[dict[str, Any]]], Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A small cohort with its truth, its datalist and predictions."""
    cohort = made_up.cohort(4)
    made_up.write_json(tmp_path / "cohort" / "truth.json", cohort)
    made_up.write_json(tmp_path / "cohort" / "bmd_regression.json", made_up.datalist(cohort))
    made_up.write_json(tmp_path / "list.json", made_up.datalist(cohort))
    made_up.write_csv(tmp_path / "predictions.csv", made_up.predicted(cohort))
    return tmp_path


def refused(place: Path, said: str, true: str, words: str, **options: Any) -> None:
    """Expect one line, and no OUT."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        evaluate(place / said, place / true, place / "out", **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (place / "out").exists()


def edit(column: str, value: Any, row: int = 5) -> Change:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[row][column] = value

    return change


def rename(old: str, new: str) -> Change:
    def change(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row[new] = row.pop(old)

    return change


PREDICTIONS = {
    "text number": (edit("bmd_cnn_mg_cm3", "12O"), "line 7: bmd_cnn_mg_cm3 is '12O', not a number"),
    "nan": (edit("bmd_cnn_mg_cm3", "nan"), "line 7: bmd_cnn_mg_cm3 is nan; leave it empty"),
    "infinite": (edit("high_95_mg_cm3", "inf"), "line 7: high_95_mg_cm3 is inf"),
    "comma": (edit("low_95_mg_cm3", "98,5"), "'98,5', not a number"),
    "no column": (rename("level", "niveau"), "the column 'level' is missing"),
    "misspelt column": (
        rename("bmd_cnn_mg_cm3", "bmd_cnn_mg_cm"),
        "unknown column 'bmd_cnn_mg_cm'; did you mean 'bmd_cnn_mg_cm3'?",
    ),
    "no density": (
        lambda rows: [row.pop(key) for row in rows for key in list(row) if key.startswith("bmd_")],
        "neither bmd_cnn_mg_cm3 nor bmd_hu_linear_mg_cm3",
    ),
    "unknown level": (edit("level", "L6"), "level is 'L6'; did you mean"),
    "unknown status": (edit("status", "mesured"), "did you mean 'measured'"),
    "empty case": (edit("case", ""), "line 7: case is empty"),
    "level twice": (edit("level", "L1"), "case A0002 has L1 twice"),
    "half an interval": (edit("low_95_mg_cm3", ""), "make no interval"),
    "interval upside down": (edit("low_95_mg_cm3", 999), "make no interval"),
    "measured nothing": (
        lambda rows: rows[5].update(bmd_cnn_mg_cm3=None, bmd_hu_linear_mg_cm3=None),
        "measured, but bmd_cnn_mg_cm3 and bmd_hu_linear_mg_cm3 are empty",
    ),
    "two scanners": (edit("scanner", "B"), "the rows of one case differ in scanner"),
    "other cohort": (
        edit("reference_mg_cm3", 31.0),
        "L2 of case A0002 has the reference 31, but",
    ),
    "other scanner": (
        lambda rows: [row.update(scanner="Z") for row in rows if row["case"] == "A0002"],
        "case A0002 is of scanner 'Z', but of 'A' in truth.json",
    ),
    "no match": (
        lambda rows: [row.update(case="ct" + row["case"]) for row in rows],
        "has a reference in",
    ),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_unusable_predictions(name: str, place: Path) -> None:
    change, words = PREDICTIONS[name]
    rows = made_up.predicted(made_up.cohort(4))
    change(rows)
    made_up.write_csv(place / "predictions.csv", rows)
    refused(place, "predictions.csv", "cohort/truth.json", words)


TEXTS = {
    "empty": ("", "empty; no table"),
    "blank": (" \n\n", "empty; no table"),
    "head only": ("case,level,status,reason,bmd_cnn_mg_cm3\n", "a head without rows"),
    "binary": ("\0\0\0", "no text"),
    "cells": ("case,level,status,reason,bmd_cnn_mg_cm3\na,L1\n", "line 2: 2 cells under 5 columns"),
    "column twice": ("case,case\na,b\n", "the column 'case' stands there twice"),
    "quotes": ('case,level\n"a,b\n', "damaged CSV"),
    "json": ('{"cases": {}}', "a head without rows"),
    "other table": ("a,b\n1,2\n", "the column 'case' is missing"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_files_that_are_no_table(name: str, place: Path) -> None:
    text, words = TEXTS[name]
    (place / "predictions.csv").write_text(text)
    refused(place, "predictions.csv", "cohort/truth.json", words)


def test_bytes_that_are_no_text(place: Path) -> None:
    (place / "predictions.csv").write_bytes(b"case,level\n\xff\xfe,L1\n")
    refused(place, "predictions.csv", "cohort/truth.json", "no UTF-8 text")


RECORDS = {
    "no unit": ({"unit": None}, "record 2 of test has the unit None; mg/cm3 is wanted"),
    "areal": ({"unit": "g/cm2"}, "has the unit 'g/cm2'"),
    "dxa": ({"reference": "DXA", "unit": "g/cm2"}, "areal density does not compare"),
    "no mineral": ({"mineral": None}, "has the mineral None; say HA or K2HPO4"),
    "other mineral": ({"mineral": "CaHA"}, "say HA or K2HPO4"),
    "no bmd": ({"bmd": None}, "has no bmd; for densities give a datalist of bmd_regression"),
    "text": ({"bmd": {"L1": "98"}}, "L1 is '98', not a number"),
    "nan": ({"bmd": {"L1": float("nan")}}, "L1 is nan; null is unknown"),
    "truth value": ({"bmd": {"L1": True}}, "L1 is True, not a number"),
    "level": ({"bmd": {"l1": 98}}, "has a bmd of 'l1'; did you mean 'L1'"),
    "areal numbers": ({"bmd": {"L1": 0.95, "L2": 1.02}}, "has a bmd of 0.95, as in g/cm²"),
    "hu": ({"bmd": {"L1": 9500}}, "L1 is 9500, no density of trabecular bone in mg/cm³"),
    "no image": ({"image": None}, "record 2 of test names no image; give the path of its CT"),
    "several images": ({"image": ["a.nii.gz"]}, "record 2 of test names no image"),
    "twice": ({"image": "other/A0001.nii.gz"}, "case A0001 stands there twice (test and test)"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_unusable_records(name: str, place: Path) -> None:
    change, words = RECORDS[name]
    content = made_up.datalist(made_up.cohort(4))
    content["test"][1] |= change
    made_up.write_json(place / "list.json", content)
    refused(place, "predictions.csv", "list.json", words)


@pytest.mark.parametrize("record", ["A0002", None, {"file": "a.nii.gz"}], ids=repr)
def test_a_list_with_a_record_that_is_none_is_not_left_out_as_a_whole(
    record: Any, place: Path
) -> None:
    """Its other scans would drop out of the denominator without a word."""
    content = made_up.datalist(made_up.cohort(4))
    content["test"].insert(1, record)
    made_up.write_json(place / "list.json", content)
    refused(place, "predictions.csv", "list.json", "record 2 of test names no image")


def test_a_scan_in_two_lists_is_refused(place: Path) -> None:
    content = made_up.datalist(made_up.cohort(4))
    content["training"] = content["test"][:1]
    made_up.write_json(place / "list.json", content)
    refused(place, "predictions.csv", "list.json", "A0001 stands there twice (test and training)")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("{", "cannot be read as JSON", id="damaged"),
        pytest.param("[]", "no JSON object", id="list"),
        pytest.param("{}", "neither the truth.json of a phantom cohort nor a datalist", id="empty"),
        pytest.param('{"cases": {}}', "holds no case", id="no case"),
        pytest.param('{"cases": {"a": {"levels": 3}}}', "case a is no truth", id="other cases"),
        pytest.param('{"cases": {"a": 3}}', "case a is no truth", id="numbers"),
        pytest.param('{"test": [{"file": "a"}]}', "nor a datalist with records", id="no images"),
    ],
)
def test_files_that_are_no_references(content: str, words: str, place: Path) -> None:
    (place / "references.json").write_text(content)
    refused(place, "predictions.csv", "references.json", words)


@pytest.mark.parametrize(
    ("said", "true", "options", "words"),
    [
        pytest.param("no.csv", "list.json", {}, "no such file or folder", id="no predictions"),
        pytest.param("predictions.csv", "no.json", {}, "No such file", id="no references"),
        pytest.param("cohort", "list.json", {}, "holds neither results.csv", id="other folder"),
        pytest.param("predictions.csv", "cohort", {}, "a folder; give its truth.json", id="folder"),
        pytest.param(
            "predictions.csv", "list.json", {"lists": "tset"},
            "--lists: list.json has no list 'tset'; did you mean 'test'", id="misspelt list",
        ),
        pytest.param(
            "predictions.csv", "list.json", {"methods": "cn"},
            "unknown method 'cn'; did you mean 'cnn'", id="misspelt method",
        ),
        pytest.param("predictions.csv", "list.json", {"methods": ","}, "names none", id="none"),
        pytest.param("predictions.csv", "list.json", {"seed": -1}, "seed is a whole", id="seed"),
    ],
)  # fmt: skip
def test_unusable_requests(
    said: str, true: str, options: dict[str, Any], words: str, place: Path
) -> None:
    refused(place, said, true, words, **options)


def test_a_list_without_lists_is_refused(place: Path) -> None:
    (place / "cohort" / "bmd_regression.json").unlink()
    refused(place, "predictions.csv", "cohort/truth.json", "has no lists", lists="test")


def test_a_method_that_read_nothing_is_refused(place: Path) -> None:
    rows = made_up.predicted(made_up.cohort(4))
    for row in rows:
        row["bmd_cnn_mg_cm3"] = None
    made_up.write_csv(place / "predictions.csv", rows)
    words = "holds no density that CNN read"
    refused(place, "predictions.csv", "list.json", words, methods="cnn")


def test_a_folder_of_two_tables_is_refused(place: Path) -> None:
    (place / "results.csv").write_text("case\n")
    refused(place, ".", "list.json", "holds results.csv and predictions.csv; name the file")


def test_other_files_in_out_are_left_alone(place: Path) -> None:
    (place / "out").mkdir()
    (place / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"holds other files \(thesis\.tex\); choose another OUT"):
        evaluate(place / "predictions.csv", place / "list.json", place / "out", overwrite=True)
    with pytest.raises(ValueError, match="names a file, not a folder"):
        evaluate(place / "predictions.csv", place / "list.json", place / "list.json")
    assert (place / "out" / "thesis.tex").read_text() == "mine"


def test_the_command_line_says_it_in_one_line(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(place / "predictions.csv"), str(place / "nothing.json"), str(place / "out")]
    assert cli.main(COMMANDS, INTRO, ["evaluate", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert json.dumps(str(place / "nothing.json"))[1:-1] in error
