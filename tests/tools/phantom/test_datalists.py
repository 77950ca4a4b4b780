"""Splits and datalists of a cohort."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.phantom import datalists

LEVEL = {"complete": True, "qct_ha_mg_cm3": 121.5, "areal_bmd_g_cm2": 1.02}


def truth(number, sex="F", age=60, scanner="A", patient=None, fractured=False, levels=None):
    return {
        "case": f"{scanner}{number:04d}",
        "patient_id": patient or f"{scanner}-{number:04d}",
        "scanner": scanner,
        "sex": sex,
        "age": age,
        "fractured": fractured,
        "scan": {"kvp": 120.0},
        "levels": levels or {},
    }


people = st.lists(st.tuples(st.sampled_from("FM"), st.integers(18, 95)), min_size=1, max_size=200)
seeds = st.integers(0, 2**32 - 1)


@given(people, seeds)
def test_split_puts_each_patient_into_one_part_of_the_stated_size(drawn, seed):
    patients = [truth(i, sex, age) for i, (sex, age) in enumerate(drawn, 1)]
    parts = datalists.split(patients, seed)
    assert list(parts) == [patient["patient_id"] for patient in patients]
    count = Counter(parts.values())
    assert set(count) <= set(datalists.SPLITS)
    if len(patients) >= 10:
        assert count["test"] == count["validation"]
        assert abs(count["test"] - 0.15 * len(patients)) <= 0.5


@given(people.filter(lambda drawn: len(drawn) >= 10), seeds)
def test_each_stratum_has_its_share_in_every_part(drawn, seed):
    patients = [truth(i, sex, age) for i, (sex, age) in enumerate(drawn, 1)]
    parts = datalists.split(patients, seed)
    share = Counter(parts.values())["test"] / len(patients)
    strata = {(p["sex"], sum(p["age"] >= bound for bound in (45, 60, 75))) for p in patients}
    for sex, band in strata:
        inside = [
            parts[p["patient_id"]]
            for p in patients
            if p["sex"] == sex and sum(p["age"] >= bound for bound in (45, 60, 75)) == band
        ]
        for part in ("test", "validation"):
            assert abs(inside.count(part) - share * len(inside)) <= 1.5


def test_split_depends_on_the_seed_alone():
    patients = [truth(i, "FM"[i % 2], 20 + i) for i in range(1, 61)]
    assert datalists.split(patients, 5) == datalists.split(patients, 5)
    assert datalists.split(patients, 5) != datalists.split(patients, 6)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, ["test"]),
        (2, ["test", "validation"]),
        (9, ["test", "validation"] + ["training"] * 7),
    ],
)
def test_small_cohorts_test_first_then_validate(count, expected):
    patients = [truth(i) for i in range(1, count + 1)]
    assert list(datalists.split(patients, 3).values()) == expected


def test_one_patient_twice_in_a_split_is_refused():
    with pytest.raises(ValueError, match="twice"):
        datalists.split([truth(1), truth(1)], 0)


def test_other_scanners_only_test():
    truths = [truth(i, scanner=scanner) for scanner in "ABC" for i in range(1, 13)]
    lists = datalists.build(truths, 0)["lumbar_segmentation"]
    assert [r["scanner"] for r in lists["test_2"]] == ["B"] * 12
    assert [r["scanner"] for r in lists["test_3"]] == ["C"] * 12
    assert {r["scanner"] for part in datalists.SPLITS for r in lists[part]} == {"A"}


def test_scanner_r_trains_as_a_does():
    truths = [truth(i, scanner=scanner) for scanner in "BR" for i in range(1, 21)]
    lists = datalists.build(truths, 0)["bmd_regression"]
    assert {name: len(lists[name]) for name in datalists.SPLITS} == {
        "training": 14,
        "validation": 3,
        "test": 3,
    }
    assert {r["scanner"] for part in datalists.SPLITS for r in lists[part]} == {"R"}
    assert len(lists["test_2"]) == 20


@pytest.mark.parametrize("paired", [False, True])
def test_a_is_split_the_same_whether_r_is_there_or_not(paired):
    truths = {
        scanner: [
            truth(i, scanner=scanner, patient=f"P-{i:04d}" if paired else None)
            for i in range(1, 31)
        ]
        for scanner in "AR"
    }
    both = datalists.list_names(truths["A"] + truths["R"], 7)
    assert both[:30] == datalists.list_names(truths["A"], 7)
    if paired:  # the same patients, in the same parts
        assert both[30:] == both[:30]
    assert Counter(both[30:]) == Counter(both[:30])


@given(people, seeds)
@settings(max_examples=30)
def test_no_patient_of_a_paired_cohort_trains_here_and_tests_there(drawn, seed):
    truths = [
        truth(i, sex, age, scanner, patient=f"P-{i:04d}")
        for scanner in "ABC"
        for i, (sex, age) in enumerate(drawn, 1)
    ]
    lists = datalists.build(truths, seed)["bmd_regression"]
    parts = {
        name: {record["patient_id"] for record in records}
        for name, records in lists.items()
        if isinstance(records, list)
    }
    assert sum(len(lists[name]) for name in parts) == len(truths)
    for part in datalists.SPLITS:
        others = set().union(*(ids for name, ids in parts.items() if not name.startswith(part)))
        same = [ids for name, ids in parts.items() if name.startswith(part) and ids]
        assert all(ids == same[0] for ids in same)
        assert not (same and same[0] & others)


def test_records_hold_what_each_bundle_reads():
    broken = LEVEL | {"complete": False, "fracture": {"grade": 2}}
    levels = {"L1": LEVEL, "L2": broken, "L5": LEVEL}
    built = datalists.build([truth(1, "M", 71.5, levels=levels, fractured=True)], 0)
    common = {"image": "images/A0001.nii.gz", "patient_id": "A-0001", "scanner": "A"}
    assert built["lumbar_segmentation"]["test"] == [common | {"label": "labels/A0001.nii.gz"}]
    assert built["bmd_regression"]["test"] == [
        common
        | {
            "mask": "labels/A0001.nii.gz",
            "bmd": {"L1": 121.5, "L2": None, "L3": None, "L4": None},
            "unit": "mg/cm3",
            "mineral": "HA",
            "reference": "QCT",
            "kvp": 120.0,
        }
    ]
    assert built["bmd_regression_dxa"]["test"] == [
        common
        | {
            "mask": "labels/A0001.nii.gz",
            "bmd": {"L1": 1.02, "L2": None, "L3": None, "L4": None},
            "unit": "g/cm2",
            "reference": "DXA",
            "kvp": 120.0,
        }
    ]
    assert built["ovf_classification"]["test"] == [
        common
        | {
            "label": 1,
            "age": 71.5,
            "sex": "M",
            "bodies": "labels/A0001.nii.gz",
            "broken_ids": [2],
        }
    ]
    assert built["ovf_classification"]["training"] == []
    assert built["lumbar_segmentation"]["labels"]["7"] == "T12"
