"""Inputs become cases whose names suit a folder among the results, whatever files are called."""

import os

import pytest

from tests.bundles.lumbar_segmentation.dicom_files import body, write_series
from tools.screen import folder, scan
from tools.screen.folder import Outcome


@pytest.mark.parametrize(
    "stem",
    [
        pytest.param("..", id="parent"),
        pytest.param(".", id="itself"),
        pytest.param("", id="empty"),
        pytest.param("run.json", id="run"),
        pytest.param("Results.CSV", id="table"),
        pytest.param(".lock", id="lock"),
        pytest.param(".part-1", id="leftover"),
        pytest.param(" ct", id="space"),
        pytest.param("-rf", id="option"),
        pytest.param("a\nb", id="line break"),
        pytest.param(os.fsdecode(b"gr\xf6sse"), id="no UTF-8"),
        pytest.param("x" * 240, id="long"),
    ],
)
def test_names_that_suit_no_folder_become_hashes(stem, tmp_path):
    """Symptom: `...nii.gz` was written beside OUT, `run.json.nii.gz` in place of the run's file."""
    paths = [tmp_path / place / f"{stem}.nii.gz" for place in "ab"]
    found = []
    for path in paths:
        path.parent.mkdir()
        path.touch()
        (case,) = scan.find(path, tmp_path / "out")
        found.append(case.name)
        assert case.paths == (path,)
        case.source.encode()
        place = tmp_path / "out" / case.name
        folder.prepare(place)
        folder.finish(place, Outcome(case.name, case.source, "failed", "empty"), "f" * 64, "0" * 64)
        assert place.parent == tmp_path / "out"
    assert all(name.startswith("case-") and len(name) == 15 for name in found)
    assert len(set(found)) == 2


@pytest.mark.parametrize("stem", ["A0001", "a.b", "Größe 3", "run", "case-1"])
def test_other_names_are_kept(stem, tmp_path):
    (tmp_path / f"{stem}.nii.gz").touch()
    (case,) = scan.find(tmp_path / f"{stem}.nii.gz", tmp_path / "out")
    assert case.name == stem
    assert case.source == str(tmp_path / f"{stem}.nii.gz")


def test_a_series_is_read_with_the_headers_of_all_its_slices(tmp_path):
    write_series(tmp_path / "scan", body(9), KVP="120", SliceThickness=7.5)
    (case,) = scan.find(tmp_path / "scan", tmp_path / "out")
    found = scan.read(case)
    assert found.hu.shape == (8, 6, 9)
    assert found.header.kvp == 120.0
    assert found.header.thickness_mm == 7.5
