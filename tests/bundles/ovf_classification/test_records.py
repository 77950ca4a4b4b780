"""Records of a datalist: what they become, and what is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from ovf_bundle.common import SettingError
from ovf_bundle.records import check, evaluated_cases, labelled_scans, read, without_label

GOOD = {"image": "a.nii.gz", "label": 1, "patient_id": "P1", "scanner": "A", "age": 71, "sex": "F"}
SOUND = {"image": "b.nii.gz", "label": 0}


def datalist(folder: Path, *records: Any) -> str:
    for name in ("a.nii.gz", "b.nii.gz"):
        (folder / name).touch()
    path = folder / "ovf_classification.json"
    path.write_text(
        json.dumps({"training": list(records), "validation": [SOUND], "paths": ["a.nii.gz"]})
    )
    return str(path)


def test_a_record_is_read(tmp_path: Path) -> None:
    bodies = {"bodies": str(tmp_path / "b.nii.gz"), "broken_ids": [1, 7]}
    one, two = read(datalist(tmp_path, GOOD | bodies, SOUND), "training")
    assert one == {
        "image": str(tmp_path / "a.nii.gz"),
        "case": "a",
        "label": 1,
        "patient_id": "P1",
        "scanner": "A",
        "age": 71.0,
        "sex": "F",
        **bodies,
    }
    assert two == {"image": str(tmp_path / "b.nii.gz"), "case": "b", "label": 0}


def test_scans_to_train_on_hold_what_the_network_may_see(tmp_path: Path) -> None:
    path = datalist(tmp_path, GOOD, SOUND)
    assert labelled_scans(path, ["training", "validation"]) == [
        {"image": str(tmp_path / "a.nii.gz"), "case": "a", "label": [1.0]},
        {"image": str(tmp_path / "b.nii.gz"), "case": "b", "label": [0.0]},
        {"image": str(tmp_path / "b.nii.gz"), "case": "b", "label": [0.0]},
    ]


@pytest.mark.parametrize(
    ("records", "words"),
    [([], "the list 'training' is empty"), ([GOOD, GOOD], "all scans of 'training' have label 1")],
)
def test_lists_that_teach_nothing_are_refused(records: list, words: str, tmp_path: Path) -> None:
    path = datalist(tmp_path, *records)
    with pytest.raises(SettingError, match=words):
        labelled_scans(path, ["training"])
    with pytest.raises(SystemExit, match=f"^error: .*{words}"):
        check(path, ["training"], ["monai", "run", "training", "--config_file", "x.yaml"])
    check(path, ["training"], ["pytest"])  # another program judges for itself
    if not records:
        with pytest.raises(SettingError, match="the list 'training' is empty"):
            evaluated_cases(path, "training")


BAD = {
    "no label": ({"label": None}, '"label", 0 or 1'),
    "no image": ({"image": None}, 'needs "image"'),
    "truth": ({"label": True}, "label is True; say 1 for a fracture, 0 for none"),
    "text": ({"label": "1"}, "label is '1'"),
    "grade": ({"label": 2}, "label is 2"),
    "several files": ({"image": ["a.nii.gz"]}, "the path of one CT"),
    "file gone": ({"image": "gone.nii.gz"}, r"image .*gone\.nii\.gz does not exist"),
    "age as text": ({"age": "71"}, "age is '71', no years from 0 to 120"),
    "age in months": ({"age": 852}, "age is 852"),
    "sex": ({"sex": "female"}, "sex is 'female'; say F or M"),
    "ids without a map": ({"broken_ids": [1]}, "bodies None is no label map"),
    "map without ids": ({"bodies": "/"}, "broken_ids is None; list"),
    "names for ids": ({"bodies": "/", "broken_ids": ["L1"]}, "broken_ids is"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    change, words = BAD[name]
    record = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(SettingError, match=words) as caught:
        read(datalist(tmp_path, GOOD, record), "training")
    assert "\n" not in str(caught.value)
    assert "training 1" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("test", "holds no list 'test'"),
        ("paths", "paths 0 is no record but str"),
        ("", "does not exist"),
    ],
)
def test_a_missing_list_is_named(key: str, words: str, tmp_path: Path) -> None:
    path = datalist(tmp_path, GOOD) if key else str(tmp_path / "gone.json")
    with pytest.raises(SettingError, match=words):
        read(path, key or "training")


def test_evaluated_cases_have_names_of_their_own(tmp_path: Path) -> None:
    gone = GOOD | {"image": "other/a.nii.gz"}  # not there: reading it says so
    one, two = evaluated_cases(datalist(tmp_path, GOOD, gone), "training")
    assert one["case"] != two["case"]
    assert one["case"].startswith("a-")
    assert (one["kind"], one["label"]) == ("nifti", 1)
    assert set(without_label([one])[0]) == {"image", "case", "kind"}


def test_several_lists_are_evaluated_together(tmp_path: Path) -> None:
    found = evaluated_cases(datalist(tmp_path, GOOD, SOUND), ["training", "validation"])
    assert [one["label"] for one in found] == [1, 0, 0]
    assert len({one["case"] for one in found[:2]}) == 2
    with pytest.raises(SettingError, match="holds no list 'tests'"):
        evaluated_cases(datalist(tmp_path, GOOD), ["training", "tests"])
