"""Records of a datalist: what they become, and what is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from bmd_bundle.common import SettingError
from bmd_bundle.records import check, evaluated_cases, measured_scans, read, without_reference

GOOD = {
    "image": "a.nii.gz",
    "mask": "b.nii.gz",
    "bmd": {"L3": 90.0, "L2": None, "L1": 100},
    "unit": "mg/cm3",
    "mineral": "HA",
    "reference": "QCT",
    "patient_id": "P1",
    "scanner": "A",
}


def datalist(folder: Path, *records: Any) -> str:
    for name in ("a.nii.gz", "b.nii.gz"):
        (folder / name).touch()
    path = folder / "bmd_regression.json"
    path.write_text(json.dumps({"training": list(records)}))
    return str(path)


def test_a_record_is_read(tmp_path: Path) -> None:
    (found,) = read(datalist(tmp_path, GOOD | {"kvp": 100}), "training")
    assert found == {
        "image": str(tmp_path / "a.nii.gz"),
        "mask": str(tmp_path / "b.nii.gz"),
        "case": "a",
        "density": {"L1": 100.0, "L3": 90.0},
        "kvp": 100.0,
        "patient_id": "P1",
        "scanner": "A",
        "mineral": "HA",
        "reference": "QCT",
    }
    assert list(found["density"]) == ["L1", "L3"]


def test_k2hpo4_is_converted(tmp_path: Path) -> None:
    (found,) = read(datalist(tmp_path, GOOD | {"mineral": "K2HPO4"}), "training")
    assert found["density"]["L1"] == pytest.approx(1.15 * 100 - 7.32)


def test_scans_without_a_measured_level_train_nothing(tmp_path: Path) -> None:
    none = GOOD | {"bmd": {"L1": None}}
    path = datalist(tmp_path, GOOD, none)
    assert len(read(path, "training")) == 2
    assert len(measured_scans(path, "training")) == 1
    with pytest.raises(SettingError, match="no scan of the list 'training' has a measured level"):
        measured_scans(datalist(tmp_path, none), "training")


BAD = {
    "no mask": ({"mask": None}, "does not exist"),
    "file gone": ({"image": "gone.nii.gz"}, r"image .*gone\.nii\.gz does not exist"),
    "text": ({"bmd": {"L1": "high"}}, "bmd of L1 is 'high', no density in mg/cm3"),
    "truth": ({"bmd": {"L1": True}}, "bmd of L1 is True"),
    "g/cm2": ({"unit": "g/cm2"}, "must be QCT's in mg/cm3"),
    "DXA": ({"reference": "DXA"}, "must be QCT's in mg/cm3"),
    "HU": ({"bmd": {"L1": 9000}}, "bmd of L1 is 9000"),
    "level": ({"bmd": {"L5": 90}}, "maps levels of L1, L2, L3, L4"),
    "mineral": ({"mineral": "CaCO3"}, "\"mineral\" is 'CaCO3'; say HA or K2HPO4"),
    "no mineral": ({"mineral": None}, '"mineral" is None; say HA or K2HPO4'),
    "voltage": ({"kvp": 50}, "kvp 50 is no voltage from 80 to 140 kV"),
    "mask no path": ({"mask": ["b.nii.gz"]}, 'training 1 needs "mask"'),
    "image no path": ({"image": ["a.nii.gz"]}, 'training 1 needs "image"'),
    "voltage as text": ({"kvp": "120"}, "kvp '120' is no voltage"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    change, words = BAD[name]
    record = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    if name == "no mask":
        words = 'training 1 needs "mask"'
    path = datalist(tmp_path, GOOD, record)
    with pytest.raises(SettingError, match=words) as caught:
        read(path, "training")
    assert "\n" not in str(caught.value)
    assert "training 1" in str(caught.value)
    argv = ["monai", "run", "training", "--config_file", "x.yaml"]
    with pytest.raises(SystemExit, match=r"^error: "):
        check(path, ["training"], argv)
    check(path, ["training"], ["pytest"])  # another program judges for itself


@pytest.mark.parametrize(
    "record", ["a.nii.gz", 3, None, []], ids=["text", "number", "null", "list"]
)
@pytest.mark.parametrize("reader", [read, evaluated_cases])
def test_a_record_that_is_no_dictionary_is_named_in_one_line(
    reader: Any, record: Any, tmp_path: Path
) -> None:
    path = datalist(tmp_path, GOOD, record)
    with pytest.raises(SettingError, match=r"training 1 is no record but \w+; give") as caught:
        reader(path, "training")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", [read, evaluated_cases])
def test_a_scanner_called_like_a_folder_beside_the_datalist_keeps_its_name(
    reader: Any, tmp_path: Path
) -> None:
    for name in ("A", "P1", "HA"):
        (tmp_path / name).mkdir()
    (found,) = reader(datalist(tmp_path, GOOD), "training")
    assert [found[key] for key in ("scanner", "patient_id", "mineral")] == ["A", "P1", "HA"]
    assert found["image"] == str(tmp_path / "a.nii.gz")


def test_an_empty_list_is_not_evaluated(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="the list 'training' is empty"):
        evaluated_cases(datalist(tmp_path), "training")
    argv = ["monai", "run", "evaluating", "--config_file", "x.yaml"]
    with pytest.raises(SystemExit, match="the list 'training' is empty"):
        check(datalist(tmp_path), ["training"], argv, evaluated=True)
    gone = datalist(tmp_path, GOOD | {"image": "gone.nii.gz"})
    check(gone, ["training"], argv, evaluated=True)  # a failed case


@pytest.mark.parametrize(
    ("key", "words"), [("validation", "holds no list 'validation'"), ("", "does not exist")]
)
def test_a_missing_list_is_named(key: str, words: str, tmp_path: Path) -> None:
    path = datalist(tmp_path, GOOD) if key else str(tmp_path / "gone.json")
    with pytest.raises(SettingError, match=words):
        read(path, key or "training")


def test_evaluated_cases_have_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    gone = GOOD | {"image": "other/a.nii.gz", "bmd": {}}  # not there: reading it says so
    one, two = evaluated_cases(datalist(tmp_path, GOOD, gone), "training")
    assert one["case"] != two["case"]
    assert one["case"].startswith("a-")
    assert (one["kind"], two["density"]) == ("nifti", {})
    assert set(without_reference([one])[0]) == {"image", "mask", "case", "kind"}
