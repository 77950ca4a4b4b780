"""Whole runs: counts, tables, matching, and what a second run does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.evaluate import made_up
from tests.tools.evaluate.conftest import LOST, UNKNOWN, UNSEEN, Evaluation, run
from tools import cli
from tools.__main__ import COMMANDS, INTRO
from tools.evaluate.numbers import COLUMNS


def test_every_reference_has_an_outcome(evaluated: Evaluation) -> None:
    scans = evaluated.content["scans"]
    assert list(scans) == ["A", "B", "C", "all scanners"]
    for scanner, lost in (("A", "refused"), ("B", "failed"), ("C", "failed")):
        found = {key: scans[scanner][key] for key in ("references", "done", "refused", "failed")}
        expected = {"references": 30, "done": 29, "refused": 0, "failed": 0} | {lost: 1}
        assert found == expected
    everyone = scans["all scanners"]
    assert everyone["reasons"] == {"no NIfTI file": 1, "no prediction": 1, "no_anchor": 1}
    assert everyone["levels_not_measured"] == {
        "no NIfTI file": 4, "no prediction": 4, "no_anchor": 4, "touches_border": 1,
    }  # fmt: skip
    assert evaluated.content["predictions_without_reference"] == [UNKNOWN]
    assert {UNSEEN, *LOST} <= {f"{s}{n:04d}" for s in "ABC" for n in range(1, 31)}


def test_the_long_table_holds_every_number_of_the_json(evaluated: Evaluation) -> None:
    head = (evaluated.out / "tables.csv").read_text().splitlines()[0]
    assert tuple(head.split(",")) == COLUMNS
    for key, row in evaluated.table.items():
        found = evaluated.number(*(part for part in key if part))
        value = found["p"] if "statistic" in found else found["value"]
        assert row["value"] == ("" if value is None else str(value)), key
        assert row["n"] == str(found["n"])


def test_every_missing_number_says_why(evaluated: Evaluation) -> None:
    def visit(found: dict[str, Any]) -> None:
        if "statistic" in found:
            assert found["p"] is not None or found["reason"]
        elif "value" in found and "low" in found:
            known = found["low"] is not None and found["value"] is not None
            assert known or found["reason"], found
        else:
            for part in found.values():
                visit(part)

    tables = dict(evaluated.content["tables"])
    del tables["published"]  # the studies do not say
    visit(tables)


def test_no_patient_is_named(evaluated: Evaluation) -> None:
    for name in ("evaluation.json", "tables.csv", "index.html"):
        text = (evaluated.out / name).read_text()
        assert "A-0005" not in text
        assert str(evaluated.out.parent) not in text


def test_the_same_command_gives_the_same_files(evaluated: Evaluation, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in evaluated.out.iterdir()}
    truth = folder / "cohort" / "truth.json"
    run(folder / "predictions.csv", truth, evaluated.out, overwrite=True)
    assert {path.name: path.read_bytes() for path in evaluated.out.iterdir()} == before


def test_an_evaluation_is_not_overwritten_unasked(evaluated: Evaluation, folder: Path) -> None:
    with pytest.raises(ValueError, match="holds an evaluation; give --overwrite"):
        run(folder / "predictions.csv", folder / "cohort" / "truth.json", evaluated.out)


def test_a_screen_folder_says_the_same(
    folder: Path, evaluated: Evaluation, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    screened = [made_up.screened(row) for row in rows if row["case"] not in LOST]
    lost = [made_up.screened(row) for row in rows if row["case"] == "A0001"]
    failed = dict.fromkeys(screened[0]) | {
        "case": "B0002", "input": "B0002.nii.gz", "status": "failed", "reason": "no NIfTI file",
    }  # fmt: skip
    for row in screened:
        row["status"] = "done"  # A0004's refused level does not refuse the case
    for row in lost:
        row["reason"] = "no_anchor"
    made_up.write_csv(tmp_path / "results" / "results.csv", [*screened, *lost, failed])
    truth = folder / "cohort" / "truth.json"
    found = run(tmp_path / "results", truth, tmp_path / "out", pictures=False)
    assert found.content["methods"] == ["hu_linear"]
    assert found.content["scans"] == evaluated.content["scans"]
    for table in ("agreement", "intervals", "categories"):
        for scanner in ("A", "B", "C", "all scanners"):
            assert found.number(table, scanner, "hu_linear") == evaluated.number(
                table, scanner, "hu_linear"
            )
    assert "paired" not in found.content["tables"]


@pytest.mark.parametrize(
    ("lists", "scans"),
    [("predicted", 30), ("all", 90), ("test", 30), ("test, test_2", 60)],
)
def test_the_lists_are_the_denominator(
    folder: Path, rows: list[dict[str, Any]], tmp_path: Path, lists: str, scans: int,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made_up.write_csv(tmp_path / "predictions.csv", [r for r in rows if r["case"][0] == "A"])
    for name in ("truth.json", "bmd_regression.json"):
        out = tmp_path / name.partition(".")[0]
        found = run(tmp_path / "predictions.csv", folder / "cohort" / name, out, lists=lists,
                    methods="hu_linear", pictures=False)  # fmt: skip
        counts = found.content["scans"]["all scanners"]
        assert (counts["references"], counts["failed"]) == (scans, scans - 30)
        assert found.content["phantom"]
    if lists == "predicted":
        said = capsys.readouterr().out
        assert "left out: test_2, test_3 (--lists all counts them)" in said


def test_nothing_measured_is_still_an_evaluation(
    folder: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    lost = [made_up.unmeasured(row, "failed", "out of memory") for row in rows]
    made_up.write_csv(tmp_path / "predictions.csv", lost)
    truth = folder / "cohort" / "truth.json"
    found = run(tmp_path / "predictions.csv", truth, tmp_path / "out")
    assert found.content["scans"]["all scanners"]["failed"] == 90
    rate = found.number("categories", "all scanners", "cnn", "mean")
    assert rate["osteoporosis_sensitivity_all"]["value"] == 0
    assert rate["osteoporosis_sensitivity_measured"]["value"] is None
    assert not list((tmp_path / "out").glob("*.png"))


def test_the_command_line_runs_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        str(folder / "predictions.csv"), str(folder / "cohort" / "bmd_regression.json"),
        str(tmp_path / "out"), "--methods", "cnn",
    ]  # fmt: skip
    assert cli.main(COMMANDS, INTRO, ["evaluate", *words]) == 0
    said = capsys.readouterr().out
    assert "phantom results: 90 references: 87 done, 1 refused, 2 failed" in said
    assert "1 predictions have no reference and are not scored" in said
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert content["arguments"] == {"methods": "cnn", "lists": "predicted", "seed": 0}
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == [
        "bland_altman_cnn.png", "confusion_cnn.png", "scatter_cnn.png",
    ]  # fmt: skip
