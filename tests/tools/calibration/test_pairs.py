"""Pairs of a site: what is read of a table, what is left out, and what makes no calibration."""

import hashlib
import json

import numpy as np
import pytest

from tests.tools.calibration.tables import drawn, rows, write
from tests.tools.evaluate import made_up
from tools.calibration import pairs, references
from tools.calibration.references import Reference

SHA = "ab" * 32


@pytest.fixture
def lines():
    return rows(*drawn(12))


def test_pairs_are_read_as_they_stand(tmp_path, lines):
    x, y, patient = drawn(12)
    for delimiter in ",;":
        found = pairs.read(write(tmp_path / "p.csv", lines, delimiter))
        np.testing.assert_array_equal(found.reading, x)
        np.testing.assert_array_equal(found.reference, y)
        np.testing.assert_array_equal(found.patient, patient)
        assert (found.name, found.kvp, found.weights_sha256) == ("hu_linear", 120.0, None)
        assert (found.mineral, dict(found.left_out)) == ("HA", {})


def test_k2hpo4_references_become_ha(tmp_path):
    x, y, patient = drawn(12)
    path = write(tmp_path / "p.csv", rows(x, (y + 7.32) / 1.15, patient, mineral="K2HPO4"))
    found = pairs.read(path)
    np.testing.assert_allclose(found.reference, y)
    assert found.mineral == "K2HPO4"


def test_levels_of_one_patient_belong_together_over_several_cases(tmp_path):
    lines = rows(*drawn(24))
    for index, line in enumerate(lines):
        line["patient_id"] = f"Q{index // 6}"  # two cases of three levels
    found = pairs.read(write(tmp_path / "p.csv", lines))
    np.testing.assert_array_equal(found.patient, np.arange(len(lines)) // 6)


def test_pairs_may_be_of_means_without_levels(tmp_path, lines):
    means = [{k: v for k, v in line.items() if k != "level"} for line in lines[::3]]
    assert len(pairs.read(write(tmp_path / "p.csv", means)).rows) == 12


@pytest.mark.parametrize("column", ["status", "level_status"])
def test_the_reading_of_a_refused_level_is_left_out(tmp_path, lines, column):
    for line in lines:
        line[column] = "refused" if line["case"] == "P3" else "measured"
    found = pairs.read(write(tmp_path / "p.csv", lines))
    assert "P3" not in {row.case for row in found.rows}
    assert found.left_out == {"not measured": 3}


def test_what_was_not_measured_is_left_out_and_counted(tmp_path, lines):
    for line in lines:
        line["warnings"] = "noisy"
    lines[0]["bmd_hu_linear_mg_cm3"] = ""
    lines[1]["reference_mg_cm3"] = ""
    lines[2]["warnings"] = "noisy; fracture_suspected"
    lines[3]["warnings"] = "contrast"
    found = pairs.read(write(tmp_path / "p.csv", lines))
    assert len(found.rows) == len(lines) - 4
    assert found.left_out == {"not measured": 1, "no reference": 1, "fracture_suspected": 1,
                              "contrast": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("reading", "taken"), [("auto", "cnn"), ("cnn", "cnn"), ("hu_linear", "hu_linear")]
)
def test_the_networks_reading_comes_first(tmp_path, lines, reading, taken):
    for line in lines:
        line |= {"bmd_cnn_mg_cm3": "90" if line["level"] == "L1" else "99", "weights_sha256": SHA}
    found = pairs.read(write(tmp_path / "p.csv", lines), reading)
    assert found.name == taken
    assert found.weights_sha256 == (SHA if taken == "cnn" else None)


def test_weights_are_given_where_the_table_does_not_say_them(tmp_path, lines):
    """The bundle's predictions.csv names none; a report of `screen` beside the table does."""
    for line in lines:
        line["bmd_cnn_mg_cm3"] = line["bmd_hu_linear_mg_cm3"]
    path = write(tmp_path / "p.csv", lines)
    with pytest.raises(ValueError, match="give their file with --weights"):
        pairs.read(path)
    assert pairs.read(path, weights_sha256=SHA).weights_sha256 == SHA
    for number in range(12):
        report = {"software": {"weights": {"bmd_regression": "cd" * 32}}}
        (tmp_path / f"P{number}").mkdir()
        (tmp_path / f"P{number}" / "report.json").write_text(json.dumps(report))
    assert pairs.read(path).weights_sha256 == "cd" * 32


def test_a_voltage_is_given_where_the_table_does_not_say_it(tmp_path, lines):
    for line in lines:
        line["kvp"] = ""
    path = write(tmp_path / "p.csv", lines)
    assert pairs.read(path, kvp=100.0).kvp == 100
    with pytest.raises(ValueError, match="row 2: no kvp; give the scans' tube voltage with --kvp"):
        pairs.read(path)


def _set(row, column, value):
    def change(lines):
        lines[row][column] = value

    return change


def _all(column, value):
    def change(lines):
        for line in lines:
            line[column] = value

    return change


def _drop(column):
    def change(lines):
        for line in lines:
            del line[column]

    return change


def _several(lines):
    for line in lines:
        line |= {"bmd_cnn_mg_cm3": line["bmd_hu_linear_mg_cm3"], "weights_sha256": SHA}
    lines[7]["weights_sha256"] = "cd" * 32


def _rename(old, new):
    return lambda lines: [line.__setitem__(new, line.pop(old)) for line in lines]


def _half_named(lines):
    for line in lines:
        line["patient_id"] = "" if line["level"] == "L2" else f"Q{line['case']}"


def _half_areal(lines):
    for line in lines[9:18]:
        line["reference_mg_cm3"] = "0.95"


def _no_sha(lines):
    for line in lines:
        line |= {"bmd_cnn_mg_cm3": line["bmd_hu_linear_mg_cm3"], "weights_sha256": "model.pt"}


REFUSED = {
    "nine patients": (lambda lines: lines.__delitem__(slice(27, None)), "pairs of 9 patients"),
    "one reference": (_all("reference_mg_cm3", "120"), "every reference is about 120.0"),
    "one reading": (_all("bmd_hu_linear_mg_cm3", "120"), "every reading is about 120.0"),
    "two minerals": (_set(3, "mineral", "K2HPO4"), "several minerals, HA and K2HPO4"),
    "no mineral": (_set(3, "mineral", ""), "row 5: mineral '' is neither HA nor K2HPO4"),
    "two voltages": (_set(3, "kvp", "100"), "several tube voltages, 100 and 120"),
    "no voltage": (_set(3, "kvp", "60"), "row 5: kvp is 60, not a tube voltage from 80 to 140"),
    "two weights": (_several, "several weights, abababababab and cdcdcdcdcdcd"),
    "infinite": (_set(3, "reference_mg_cm3", "inf"), "row 5: reference_mg_cm3 is inf"),
    "not a number": (_set(3, "bmd_hu_linear_mg_cm3", "nan"), "row 5: bmd_hu_linear_mg_cm3 is nan"),
    "comma": (_set(3, "reference_mg_cm3", "98,5"), "is '98,5', not a number such as 98.5"),
    "in HU": (_set(3, "bmd_hu_linear_mg_cm3", "1200"), "no density of trabecular bone"),
    "areal": (_all("reference_mg_cm3", "1.02"), "areal density is none"),
    "some areal": (_half_areal, "row 11: the reference 0.95 beside a reading of .* areal density"),
    "misspelt patient_id": (_all("Patient_ID", "Q"), "'Patient_ID'; did you mean 'patient_id'"),
    "misspelt warnings": (_all("warning", ""), "'warning'; did you mean 'warnings'"),
    "misspelt kvp": (_rename("kvp", "kVp"), "'kVp'; did you mean 'kvp'"),
    "patient of half a case": (_half_named, "row 3: P0 has another patient_id than above"),
    "level": (_set(4, "level", "l1"), "row 6: level is 'l1', not such as L1; leave it empty"),
    "no checksum": (_no_sha, "weights_sha256 is 'model.pt', no SHA-256 of P0"),
    "twice": (_set(4, "level", "L1"), "row 6: P1 L1 stands in p.csv, row 5, too"),
    "no case": (_set(4, "case", ""), "row 6: no case"),
    "DXA": (_all("reference_kind", "DXA"), "reference_kind is 'DXA'; only QCT"),
    "corrected": (_all("calibration", "site-1"), "read with calibration 'site-1'; screen"),
    "no reference": (_drop("reference_mg_cm3"), "no column 'reference_mg_cm3'"),
    "no reading": (_drop("bmd_hu_linear_mg_cm3"), "neither 'bmd_cnn_mg_cm3' nor"),
    "misspelt": (_rename("mineral", "minerl"), "no column 'mineral'; did you mean 'minerl'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_calibration_is_refused(tmp_path, lines, name):
    change, says = REFUSED[name]
    change(lines)
    with pytest.raises(ValueError, match=says) as caught:
        pairs.read(write(tmp_path / "p.csv", lines))
    assert "p.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "holds no rows"), ("case,reference_mg_cm3\n", "holds no rows"),
     ("case,mineral\nA\n", "row 2: more or fewer cells"), (b"\xff\xfe", "is no text"),
     ("case,kvp,kvp\nA,120,100\n", "column 'kvp' stands there twice")],
    ids=["empty", "head alone", "ragged", "bytes", "column twice"],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path, text, says):
    path = tmp_path / "p.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=says):
        pairs.read(path)


def test_results_of_screen_need_references(tmp_path, lines):
    results = [
        {k: line[k] for k in ("case", "level", "bmd_hu_linear_mg_cm3", "kvp")}
        | {"level_status": "measured", "calibration": "reference-120kv-1"}
        for line in lines
    ]
    (tmp_path / "out").mkdir()
    path = write(tmp_path / "out" / "results.csv", results)
    with pytest.raises(ValueError, match="results of `screen` need --references"):
        pairs.read(path)
    known = {
        (line["case"], line["level"]): Reference(float(line["reference_mg_cm3"]), "HA")
        for line in lines
    }
    del known["P0", "L1"]
    found = pairs.read(tmp_path / "out", references=known)
    assert len(found.rows) == len(lines) - 1
    assert found.left_out == {"no reference": 1}
    assert found.rows[0].reference == float(lines[1]["reference_mg_cm3"])
    with pytest.raises(ValueError, match=r"pairs of 0 patients.*36 rows no reference"):
        pairs.read(path, references={("else", "L1"): Reference(100.0, "HA")})


RECORD = {
    "image": "images/A1.nii.gz",
    "bmd": {"L1": 100.0, "L2": None},
    "unit": "mg/cm3",
    "mineral": "K2HPO4",
    "reference": "QCT",
    "patient_id": 7,
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("qct.csv", "case,level,reference_mg_cm3,mineral,patient_id\nA1,L1,100,K2HPO4,7\n"
                    "A1,L2,,K2HPO4,7\n"),
        ("bmd_regression.json", json.dumps({"training": [RECORD], "name": "c"})),
    ],
)  # fmt: skip
def test_references_are_read_from_a_table_or_a_datalist(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    found = references.read(tmp_path / name)
    assert found == {("A1", "L1"): Reference(pytest.approx(107.68), "K2HPO4", "7")}


def test_references_are_read_from_a_cohorts_truth(tmp_path):
    """A series stands under the name that `screen` gives it, too."""
    truth = made_up.cohort(1, scanners="A")
    case = truth["cases"]["A0001"] | {"dicom": {"series_uid": "1.2.3"}}
    truth["cases"]["A0001"] = case
    made_up.write_json(tmp_path / "truth.json", truth)
    found = references.read(tmp_path / "truth.json")
    expected = {
        level: Reference(known["qct_ha_mg_cm3"], "HA", case["patient_id"])
        for level, known in case["levels"].items()
    }
    series = "series-" + hashlib.sha256(b"1.2.3").hexdigest()[:10]
    assert found == {
        (name, level): one for name in ("A0001", series) for level, one in expected.items()
    }


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("r.json", "{", "cannot be read as JSON"),
        ("r.json", "[]", "give truth.json or a datalist"),
        ("r.json", "{}", "nor a datalist with records"),
        ("r.json", json.dumps({"t": [RECORD | {"reference": "DXA"}]}), "areal density does"),
        ("r.json", json.dumps({"t": [RECORD | {"mineral": None}]}), "the mineral None; say HA"),
        ("r.json", json.dumps({"t": [RECORD, RECORD]}), "case A1 stands there twice"),
        ("r.csv", "case,reference\nA,1\n", "no column 'reference_mg_cm3'; did you mean"),
        ("r.csv", "case,reference_mg_cm3,mineral\nA,x,HA\n", "not a number such as"),
    ],
)  # fmt: skip
def test_what_holds_no_reference_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=says) as caught:
        references.read(tmp_path / name)
    assert name in str(caught.value)
