"""Folds by patient: no patient in two, whatever order, spelling or number of the records."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmd_bundle.common import SettingError
from bmd_bundle.folds import check, deal, evaluated_cases, left_out, patient_key, training_scans

#: Ways in which one patient's id is written.
SPELLINGS = [
    lambda n: f"P-{n:04d}",
    lambda n: f"p{n}",
    lambda n: f"  P {n:02d} ",
    lambda n: f"P_{n:03d}.",
    lambda n: f"\uff30{n}",
]


@st.composite
def cohorts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Scans of patients, one or several each, in any order and spelling; `who` is the truth."""
    patients = draw(st.lists(st.integers(0, 9999), min_size=5, max_size=25, unique=True))
    scans = []
    for number in patients:
        for place in range(draw(st.integers(1, 4))):
            density = draw(st.one_of(st.none(), st.floats(20, 250)))
            scans.append(
                {
                    "image": f"{number}-{place}.nii.gz",
                    "who": number,
                    "patient_id": draw(st.sampled_from(SPELLINGS))(number),
                    "density": {} if density is None else {"L1": density},
                }
            )
    return draw(st.permutations(scans))


@settings(max_examples=30, deadline=None)
@given(cohorts(), st.integers(2, 5), st.integers(0, 9), st.sampled_from(["folds", "random"]))
def test_no_patient_is_in_two_folds(
    scans: list[dict[str, Any]], folds: int, seed: int, split: str
) -> None:
    runs = [left_out(scans, fold, folds, split, seed) for fold in range(1, folds + 1)]
    for out in runs:
        aside = {scan["who"] for scan, one in zip(scans, out, strict=True) if one}
        learnt = {scan["who"] for scan, one in zip(scans, out, strict=True) if not one}
        assert aside
        assert learnt
        assert not aside & learnt
    if split == "folds":  # every scan is left out once
        assert [sum(own) for own in zip(*runs, strict=True)] == [1] * len(scans)


@settings(max_examples=20, deadline=None)
@given(cohorts(), st.integers(0, 9), st.sampled_from(["folds", "random"]), st.data())
def test_the_folds_depend_on_the_patients_alone(
    scans: list[dict[str, Any]], seed: int, split: str, data: st.DataObject
) -> None:
    """Not on the order of the records, nor on how ids are spelt."""
    other = [
        scan | {"patient_id": data.draw(st.sampled_from(SPELLINGS))(scan["who"])}
        for scan in data.draw(st.permutations(scans))
    ]
    folds = [
        {scan["who"]: one for scan, one in zip(own, left_out(own, 2, 5, split, seed), strict=True)}
        for own in (scans, other)
    ]
    assert folds[0] == folds[1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.from_regex(r"[a-zA-Z]{1,3}|[1-9][0-9]{0,3}", fullmatch=True), min_size=1))
def test_case_zeros_and_what_stands_between_make_no_other_patient(parts: list[str]) -> None:
    written = "-".join(parts)
    other = " / ".join(part.zfill(6) if part.isdigit() else part.swapcase() for part in parts)
    assert patient_key(written) == patient_key(f" {other}.") != ""


def test_folds_are_even_in_size_and_class() -> None:
    patients = {f"p{n}": n % 3 == 0 for n in range(103)}
    dealt = deal(patients, 5, seed=3)
    for fold in range(1, 6):
        own = [patient for patient, number in dealt.items() if number == fold]
        assert len(own) in (20, 21)
        assert 6 <= sum(patients[patient] for patient in own) <= 7
    assert deal(patients, 5, seed=4) != dealt


def test_random_runs_leave_out_a_share_drawn_anew() -> None:
    scans = [
        {"image": f"{n}", "patient_id": n, "density": {"L1": 100.0 + n}} for n in range(1, 101)
    ]
    runs = [left_out(scans, fold, 5, "random") for fold in range(1, 6)]
    assert [sum(out) for out in runs] == [20] * 5
    times = [sum(own) for own in zip(*runs, strict=True)]
    assert max(times) > 1  # independent draws overlap
    assert runs[0] == left_out(scans, 1, 5, "random")


def datalist(folder: Path, **lists: list[dict[str, Any]]) -> str:
    (folder / "bmd_regression.json").write_text(json.dumps(lists))
    return str(folder / "bmd_regression.json")


def record(folder: Path, name: str, patient: Any, density: float | None = 100.0) -> dict[str, Any]:
    for kind in ("image", "mask"):
        (folder / f"{name}.{kind}.nii.gz").touch()
    return {
        "image": f"{name}.image.nii.gz",
        "mask": f"{name}.mask.nii.gz",
        "bmd": {"L1": density},
        "mineral": "HA",
        "patient_id": patient,
    }


SPLIT = {"fold": 1, "folds": 2, "split": "folds", "seed": 0}


def test_lists_are_split_together_and_others_kept_apart(tmp_path: Path) -> None:
    path = datalist(
        tmp_path,
        training=[record(tmp_path, f"a{n}", f"P{n}") for n in range(4)],
        test=[record(tmp_path, f"b{n}", f"p-00{n}") for n in range(4)],  # the same patients again
        test_2=[record(tmp_path, "c", "Q1", None)],
    )
    cases = evaluated_cases(path, ["training", "test"], ["test_2"], **SPLIT)
    parts = {case["case"]: case["part"] for case in cases}
    assert parts.pop("c.image") == "independent"
    assert sorted(parts.values()) == ["test"] * 4 + ["train"] * 4
    assert all(parts[f"a{n}.image"] == parts[f"b{n}.image"] for n in range(4))
    learnt = training_scans(path, ["training", "test"], "train", **SPLIT)
    assert {scan["case"] for scan in learnt} == {k for k, v in parts.items() if v == "train"}
    aside = training_scans(path, ["training", "test"], "test", **SPLIT)
    assert {scan["case"] for scan in aside} == {k for k, v in parts.items() if v == "test"}


BAD = {
    "no patient": (
        {"training": [("a", None), ("b", 1)]},
        {},
        "a.image.nii.gz: its record names no",
    ),
    "no letter": ({"training": [("a", " - "), ("b", 1)]}, {}, "names no patient"),
    "one patient": ({"training": [("a", "P1"), ("b", "p01")]}, {}, "1 patients make no 2 folds"),
    "fold 0": ({"training": [("a", 1), ("b", 2)]}, {"fold": 0}, "fold: 0 is no fold from 1 to 2"),
    "fold 3": ({"training": [("a", 1), ("b", 2)]}, {"fold": 3}, "fold: 3 is no fold from 1 to 2"),
    "split": ({"training": [("a", 1), ("b", 2)]}, {"split": "kfold"}, "say folds or random"),
    "folds": ({"training": [("a", 1), ("b", 2)]}, {"folds": 1}, "folds: 1 is no number of folds"),
    "not independent": (
        {"training": [("a", 1), ("b", 2)], "test_2": [("c", "002")]},
        {},
        "c.image.nii.gz: its patient is in pooled_lists too and not independent",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_makes_no_folds_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    lists, changed, words = BAD[name]
    made = {
        key: [record(tmp_path, *one) for one in own] for key, own in lists.items()
    }  # fmt: skip
    path = datalist(tmp_path, **made)
    others = [key for key in lists if key != "training"]
    split = SPLIT | changed
    with pytest.raises(SettingError, match=words) as caught:
        evaluated_cases(path, ["training"], others, **split)
    assert "\n" not in str(caught.value)
    argv = ["monai", "run", "training", "--config_file", "x.yaml"]
    with pytest.raises(SystemExit, match=rf"^error: .*{words}"):
        check(argv, path, ["training"], others, **split)
    check(["pytest"], path, ["training"], others, **split)  # another program judges for itself
