"""The phantom command with real patients of the cheapest recipe."""

import json

import nibabel as nib
import numpy as np
import pytest

from tools.levels import LABEL_IDS
from tools.phantom import cohort
from tools.phantom.completion import VOLUME_FOLDERS


def contents(out):
    files = (path for path in out.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def quick_cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort")
    cohort.phantom(out, cases=2, seed=11, recipe="quick")
    return out


def test_workers_do_not_change_a_byte(quick_cohort, tmp_path):
    cohort.phantom(tmp_path, cases=2, seed=11, recipe="quick", workers=2)
    one, two = contents(quick_cohort), contents(tmp_path)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_volumes_share_a_grid_and_hold_what_the_truth_says(quick_cohort):
    joined = json.loads((quick_cohort / "truth.json").read_text(encoding="utf-8"))
    for case, truth in joined["cases"].items():
        volumes = {
            folder: nib.load(quick_cohort / folder / f"{case}.nii.gz") for folder in VOLUME_FOLDERS
        }
        arrays = {folder: np.asanyarray(volume.dataobj) for folder, volume in volumes.items()}
        for folder, volume in volumes.items():
            assert volume.shape == volumes["images"].shape
            np.testing.assert_array_equal(volume.affine, volumes["images"].affine)
            assert arrays[folder].dtype == (np.int16 if folder == "images" else np.uint8)
        ids = set(np.unique(arrays["labels"]).tolist())
        for level, content in truth["levels"].items():
            if content["complete"]:
                assert LABEL_IDS[level] in ids, f"{case} {level}"
        core = arrays["trabecular"] > 0
        np.testing.assert_array_equal(arrays["trabecular"][core], arrays["labels"][core])
        assert {"L1", "L2", "L3", "L4"} <= truth["levels"].keys()


def test_density_of_the_datalist_is_that_of_the_truth(quick_cohort):
    joined = json.loads((quick_cohort / "truth.json").read_text(encoding="utf-8"))
    lists = json.loads((quick_cohort / "bmd_regression.json").read_text(encoding="utf-8"))
    (record,) = lists["test"]
    levels = joined["cases"]["A0001"]["levels"]
    for level in ("L1", "L2", "L3", "L4"):
        expected = levels[level]["qct_ha_mg_cm3"] if levels[level]["complete"] else None
        assert record["bmd"][level] == expected
        assert expected is None or 0 < expected < 350


def test_docs_name_every_field_of_the_truth(quick_cohort):
    page = (cohort.recipes.SCHEMA_FILE.parent / "docs" / "recipes.md").read_text(encoding="utf-8")
    truth = json.loads((quick_cohort / "truth" / "A0001.json").read_text(encoding="utf-8"))
    names = {*truth, *next(iter(truth["levels"].values()))} - {"alignment"}
    scan = {f"scan.{name}" for name in truth["scan"]} - {"scan.scanner"}
    for name in names | scan:
        assert f"`{name}`" in page or f".{name}`" in page or f"`{name}." in page, name
