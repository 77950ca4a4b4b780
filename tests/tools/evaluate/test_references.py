"""References as `phantom` writes them: names of series, levels that do not count, lists."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.tools.evaluate import made_up
from tests.tools.evaluate.conftest import run
from tools.evaluate import references
from tools.phantom.cohort import phantom
from tools.report.minerals import to_ha


def read(path: Path, **truth: object) -> references.References:
    content = made_up.cohort(2, scanners="A")
    content["cases"]["A0001"] |= truth
    made_up.write_json(path / "truth.json", content)
    return references.read(path / "truth.json", density=True)


def test_a_series_may_be_called_by_its_uid(tmp_path: Path) -> None:
    found = read(tmp_path, dicom={"series_uid": "1.2.3"})
    name = "series-" + hashlib.sha256(b"1.2.3").hexdigest()[:10]
    assert found.cases[0].names == {"A0001", name}
    assert found.cases[1].names == {"A0002"}


def test_cut_levels_and_implants_have_no_density_fractures_do_not_count(tmp_path: Path) -> None:
    content = made_up.cohort(1, scanners="A")
    levels = content["cases"]["A0001"]["levels"]
    levels["L1"]["complete"] = False
    levels["L2"]["implants"] = ["cement"]
    levels["L3"]["fracture"] = {"kind": "wedge"}
    made_up.write_json(tmp_path / "truth.json", content)
    case = references.read(tmp_path / "truth.json", density=True).cases[0]
    assert [name for name, value in case.density.items() if value is None] == ["L1", "L2"]
    assert case.mass is not None
    assert [name for name, value in case.mass.items() if value is None] == ["L1", "L2"]
    assert case.fractured == {"L3"}
    assert case.whole == {"L1": False, "L2": True, "L3": True, "L4": True}


def test_k2hpo4_becomes_ha(tmp_path: Path) -> None:
    content = made_up.datalist(made_up.cohort(1), "K2HPO4")
    path = made_up.write_json(tmp_path / "list.json", content)
    case = references.read(path, density=True).cases[0]
    given = content["test"][0]["bmd"]
    assert case.density == pytest.approx({name: to_ha(value) for name, value in given.items()})
    assert case.mineral == "K2HPO4"


@pytest.mark.slow
@pytest.mark.parametrize("format", ["nifti", "dicom"])
def test_what_phantom_writes_is_read_alike_from_truth_and_datalist(
    format: str,  # noqa: A002
    tmp_path: Path,
) -> None:
    phantom(tmp_path, cases=2, recipe="quick", format=format)
    truth = references.read(tmp_path / "truth.json", density=True)
    listed = references.read(tmp_path / "bmd_regression.json", density=True)
    assert truth.phantom
    assert listed.phantom
    by_name = {name: case for case in truth.cases for name in case.names}
    for case in listed.cases:
        own = by_name[case.case]  # of a series, the name that `screen` gives it
        assert (own.density, own.part) == (case.density, case.part)
        assert case.case.startswith("series-") == (format == "dicom")
    assert json.loads((tmp_path / "truth.json").read_text())["cases"].keys() == {
        case.case for case in truth.cases
    }


def test_what_a_record_does_not_say_the_predictions_may(tmp_path: Path) -> None:
    """Scanner and patient of a bare record are those of the predictions."""
    truth = made_up.cohort(3, scanners="A")
    lists = made_up.datalist(truth)
    for record in lists["test"]:
        del record["scanner"], record["patient_id"]
    made_up.write_json(tmp_path / "list.json", lists)
    rows = [row | {"patient_id": "one"} for row in made_up.predicted(truth)]
    made_up.write_csv(tmp_path / "predictions.csv", rows)
    found = run(tmp_path / "predictions.csv", tmp_path / "list.json", tmp_path / "out")
    assert list(found.content["scans"]) == ["A", "all scanners"]
    assert found.content["references"]["patients"] == 1
    assert found.number("agreement", "A", "cnn", "mean", "bias")["reason"] is not None
