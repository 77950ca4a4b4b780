"""The outlines' tables from the predictions.csv of lumbar_segmentation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tools.evaluate import made_up
from tests.tools.evaluate.conftest import Evaluation, run
from tools import bundles

COLUMNS = bundles.module("lumbar_segmentation", "lumbar_bundle.rows").COLUMNS


def rows_of(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """A run in which A0001 failed, one level of A0002 was refused, and one of A0003 is cut."""
    rng = np.random.default_rng(3)
    found = []
    for case in truth["cases"]:
        for level in made_up.LEVELS:
            dsc = float(rng.uniform(0.86, 0.97))
            row = dict.fromkeys(COLUMNS) | {
                "case": case, "level": level, "status": "measured", "reasons": "", "present": 1,
                "confidence": 0.9, "dsc": dsc, "ppv": dsc, "sensitivity": dsc, "msd_mm": 0.5,
                "named_right": 1,
            }  # fmt: skip
            nothing = {"dsc": 0.0, "ppv": None, "sensitivity": 0.0, "msd_mm": None,
                       "named_right": None}  # fmt: skip
            if case == "A0001":
                row |= nothing | {"status": "failed", "reasons": "no NIfTI", "present": None,
                                  "dsc": None, "sensitivity": None}  # fmt: skip
            if (case, level) == ("A0002", "L1"):
                row |= nothing | {"status": "refused", "reasons": "no_anchor"}
            if (case, level) == ("A0003", "L1"):
                row |= nothing | {"status": "refused", "present": 0, "dsc": None}
            found.append(row)
    return found


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    content = made_up.cohort(10, scanners="AB")
    content["cases"]["A0003"]["levels"]["L1"]["complete"] = False
    return content


@pytest.fixture(scope="module")
def evaluated(truth: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    place = tmp_path_factory.mktemp("outlines")
    rows = [row for row in rows_of(truth) if row["case"] != "B0004"]
    made_up.write_csv(place / "predictions.csv", rows)
    made_up.write_json(place / "truth.json", truth)
    return run(place / "predictions.csv", place / "truth.json", place / "out")


def test_levels_that_were_not_written_count_as_zero(
    evaluated: Evaluation, truth: dict[str, Any]
) -> None:
    rows = [row for row in rows_of(truth) if row["case"] != "B0004"]
    for scanner in "AB":
        own = [r for r in rows if r["case"][0] == scanner and r["level"] == "L1"]
        shown = [r for r in own if r["present"] != 0]
        lost = 1 if scanner == "B" else 0  # B0004, of which nothing was said
        values = [r["dsc"] or 0.0 for r in shown] + [0.0] * lost
        found = evaluated.number("segmentation", scanner, "L1")
        assert found["dsc"]["n"] == len(values) == (9 if scanner == "A" else 10)
        assert found["dsc"]["value"] == pytest.approx(np.mean(values))
        written = [r["ppv"] for r in shown if r["ppv"] is not None]
        assert found["ppv"]["value"] == pytest.approx(np.mean(written))
        assert found["ppv"]["n"] == len(written)
        assert found["measured"]["value"] == pytest.approx(len(written) / len(values))


def test_valid_scans_follow_s2s_rule(evaluated: Evaluation) -> None:
    scans = evaluated.number("segmentation", "A", "scan")
    # A0003 does not show L1 whole; A0001 failed, and A0002 lacks a level.
    assert scans["valid"]["n"] == 9
    assert scans["valid"]["value"] == pytest.approx(7 / 9)
    assert "exact" in scans["valid"]["method"]
    both = evaluated.number("segmentation", "all scanners", "scan")["valid"]
    assert (both["n"], round(both["value"] * both["n"])) == (19, 16)


def test_the_page_shows_s2s_table_beside(evaluated: Evaluation) -> None:
    assert "Evaluation of outlines of L1–L4: phantom results" in evaluated.page
    assert "398/463 = 0.86" in evaluated.page
    assert "<td>0.782</td>" in evaluated.page
    assert (evaluated.out / "dsc.png").is_file()
    assert evaluated.content["scans"]["A"]["failed"] == 1
    assert evaluated.content["scans"]["B"]["reasons"] == {"no prediction": 1}


def test_a_datalist_of_labels_is_enough(truth: dict[str, Any], tmp_path: Path) -> None:
    records = [
        {"image": f"images/{name}.nii.gz", "label": f"labels/{name}.nii.gz",
         "patient_id": name, "scanner": case["scanner"]}
        for name, case in truth["cases"].items()
    ]  # fmt: skip
    made_up.write_json(tmp_path / "lumbar_segmentation.json", {"test": records})
    made_up.write_csv(tmp_path / "predictions.csv", rows_of(truth))
    found = run(tmp_path / "predictions.csv", tmp_path / "lumbar_segmentation.json",
                tmp_path / "out")  # fmt: skip
    assert found.number("segmentation", "B", "scan", "valid")["value"] == 1
    assert not found.content["phantom"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dsc": 1.2}, "dsc is 1.2, not from 0 to 1"),
        ({"dsc": "good"}, "dsc is 'good', not a number"),
        ({"present": "yes"}, "present is 'yes'"),
    ],
    ids=["above 1", "text", "no truth value"],
)
def test_unusable_scores_are_refused(
    truth: dict[str, Any], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    rows = rows_of(truth)
    rows[7] |= change
    made_up.write_csv(tmp_path / "predictions.csv", rows)
    made_up.write_json(tmp_path / "truth.json", truth)
    with pytest.raises(ValueError, match=words):
        run(tmp_path / "predictions.csv", tmp_path / "truth.json", tmp_path / "out")


def test_methods_are_not_for_outlines(truth: dict[str, Any], tmp_path: Path) -> None:
    made_up.write_csv(tmp_path / "predictions.csv", rows_of(truth))
    made_up.write_json(tmp_path / "truth.json", truth)
    with pytest.raises(ValueError, match="holds outlines, no densities"):
        run(tmp_path / "predictions.csv", tmp_path / "truth.json", tmp_path / "out", methods="cnn")
