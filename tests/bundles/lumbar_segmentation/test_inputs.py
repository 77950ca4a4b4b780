"""What the user gives becomes cases, each with a name that names no patient."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pydicom
import pytest

from lumbar_bundle.cases import CaseError
from lumbar_bundle.common import SettingError
from lumbar_bundle.inputs import find_cases
from lumbar_bundle.loading import LoadImageCT
from tests.bundles.lumbar_segmentation.dicom_files import (
    body,
    write_series,
    write_slice,
)
from tests.bundles.lumbar_segmentation.nifti_files import write_nifti


def series_name(uid: str) -> str:
    return "series-" + hashlib.sha256(uid.encode()).hexdigest()[:10]


def names(cases: list[dict[str, Any]]) -> list[str]:
    return [case["case"] for case in cases]


def test_a_nifti_file_is_a_case_named_by_its_stem(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "A0001.nii.gz")
    assert find_cases(str(path)) == [{"image": str(path), "case": "A0001", "kind": "nifti"}]


def test_a_folder_is_searched_to_the_bottom_and_hidden_and_foreign_files_are_passed_over(
    tmp_path: Path,
) -> None:
    write_nifti(tmp_path / "a.nii.gz")
    write_nifti(tmp_path / "deep" / "b.nii")
    write_nifti(tmp_path / ".hidden" / "c.nii")
    (tmp_path / "README.md").write_text("no image")
    write_series(tmp_path / "deep" / "scan", body(), uid="1.2.7")
    cases = find_cases(tmp_path)
    assert names(cases) == ["a", "b", series_name("1.2.7")]
    assert [case["kind"] for case in cases] == ["nifti", "nifti", "dicom"]
    assert len(cases[2]["image"]) == 5


def test_series_in_one_folder_are_told_apart_and_named_without_the_patient(tmp_path: Path) -> None:
    write_series(tmp_path, body(), uid="1.2.3")
    for path in write_series(tmp_path / "other", body(), uid="1.2.4"):
        path.rename(tmp_path / f"Doe-{path.name}")
    cases = find_cases(tmp_path)
    assert sorted(names(cases)) == sorted([series_name("1.2.3"), series_name("1.2.4")])
    assert not any("doe" in name.lower() or "4711" in name for name in names(cases))


def test_names_that_clash_get_a_hash_of_the_path(tmp_path: Path) -> None:
    paths = [write_nifti(tmp_path / folder / "ct.nii.gz") for folder in "ab"]
    found = names(find_cases(tmp_path))
    assert found == [f"ct-{hashlib.sha256(str(p).encode()).hexdigest()[:6]}" for p in paths]


def test_names_that_differ_in_case_only_are_told_apart(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a" / "CT.nii.gz")
    write_nifti(tmp_path / "b" / "ct.nii.gz")
    assert len({name.lower() for name in names(find_cases(tmp_path))}) == 2


def test_a_pattern_a_list_and_a_text_file_give_the_same_cases(tmp_path: Path) -> None:
    paths = [write_nifti(tmp_path / f"{name}.nii.gz") for name in ("a", "b")]
    text = tmp_path / "paths.txt"
    text.write_text("# two scans\na.nii.gz\n\n" + str(paths[1]) + "\n")
    expected = find_cases([str(path) for path in paths])
    assert names(expected) == ["a", "b"]
    assert find_cases(str(tmp_path / "*.nii.gz")) == expected
    assert find_cases(str(text)) == expected


def test_files_of_a_series_given_by_a_pattern_are_one_case(tmp_path: Path) -> None:
    write_series(tmp_path, body())
    (case,) = find_cases(str(tmp_path / "*.dcm"))
    assert len(case["image"]) == 5


@pytest.mark.parametrize(
    "tags",
    [
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        ({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B60f"}),
        ({"SliceThickness": 4.0}, {"SliceThickness": 8.0}),
    ],
    ids=["phases", "kernels", "thicknesses"],
)
def test_scans_in_one_series_are_told_apart_where_they_lie_on_each_other(
    tmp_path: Path, tags: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Symptom: "two slices lie at one place" for a series of two phases, which was not measured."""
    for index, own in enumerate(tags):
        write_series(tmp_path / str(index), body() + index, **own)
    cases = find_cases(tmp_path)
    assert [len(case["image"]) for case in cases] == [5, 5]
    assert {Path(path).parent.name for path in cases[0]["image"]} == {"0"}
    assert len(set(names(cases))) == 2
    assert all(name.startswith(series_name("1.2.3")) for name in names(cases))


def test_a_scan_of_several_acquisitions_stays_one_series(tmp_path: Path) -> None:
    """Step-and-shoot scanners number every turn of the tube."""
    paths = write_series(tmp_path, body())
    for number, path in enumerate(paths):
        slice_ = pydicom.dcmread(path)
        slice_.AcquisitionNumber = number
        slice_.save_as(path)
    (case,) = find_cases(tmp_path)
    assert len(case["image"]) == 5


def test_a_damaged_dicom_file_without_an_ending_is_reported_and_a_table_of_contents_is_not(
    tmp_path: Path,
) -> None:
    """Symptom: no entry for a file that begins like DICOM and cannot be read."""
    first, *_ = write_series(tmp_path, body())
    syntax = b"\x02\x00\x10\x00U"
    damaged = first.read_bytes().replace(syntax + b"I", syntax + b"\x07")
    for name in ("IM0001", "DICOMDIR"):
        (tmp_path / name).write_bytes(damaged)
    cases = find_cases(tmp_path)
    assert [case["image"] for case in cases if isinstance(case["image"], str)] == [
        str(tmp_path / "IM0001")
    ]


def test_one_dicom_file_is_one_slice_even_beside_others(tmp_path: Path) -> None:
    paths = write_series(tmp_path, body())
    (case,) = find_cases(paths[2])
    assert case["image"] == [str(paths[2])]


def test_results_of_an_earlier_run_are_no_input(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii.gz")
    write_nifti(tmp_path / "out" / "ct_seg.nii.gz")
    write_nifti(tmp_path / "beside_seg.nii.gz")
    (tmp_path / "beside_levels.json").write_text("{}")
    write_nifti(tmp_path / "own_seg.nii.gz")  # a scan the user calls so
    assert names(find_cases(tmp_path, tmp_path / "out")) == ["ct", "own_seg"]


@pytest.mark.parametrize("image", [None, "", "missing.nii.gz", "*.nothing"])
def test_what_does_not_exist_is_refused_before_anything_runs(image: str | None) -> None:
    with pytest.raises(SettingError, match=r"^image: "):
        find_cases(image)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt.bak").write_text("")
    with pytest.raises(SettingError, match="neither NIfTI nor DICOM"):
        find_cases(tmp_path)


def test_each_line_of_a_list_is_a_case_even_if_nothing_is_there(tmp_path: Path) -> None:
    """Symptom: one missing path in a list stopped the whole run."""
    write_nifti(tmp_path / "a.nii.gz")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    lines = ["a.nii.gz", "gone.nii.gz", "gone/scan", "no*.nii.gz", "empty", "link", "x" * 300]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    cases = {Path(case["image"]).name: case for case in find_cases(tmp_path / "list.txt")}
    assert sorted(cases) == sorted(Path(line).name for line in lines)
    for name in set(cases) - {"a.nii.gz", "empty", "x" * 300}:
        with pytest.raises(CaseError, match="does not exist; give the path again"):
            LoadImageCT()(cases[name]["image"])
    with pytest.raises(CaseError, match="holds 0 DICOM series"):
        LoadImageCT()(cases["empty"]["image"])


def test_a_list_of_folders_gives_a_series_once(tmp_path: Path) -> None:
    for folder in ("one", "copy"):
        write_series(tmp_path / folder, body())
    (tmp_path / "list.txt").write_text("one\ncopy")
    (case,) = find_cases(tmp_path / "list.txt")
    assert len(case["image"]) == 5


def test_a_link_to_what_is_gone_does_not_exist(tmp_path: Path) -> None:
    """Symptom: RecursionError."""
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    (case,) = find_cases(tmp_path / "link.nii.gz")
    with pytest.raises(CaseError, match="does not exist"):
        LoadImageCT()(case["image"])


def test_lists_that_lead_back_to_themselves_are_told(tmp_path: Path) -> None:
    """Symptom: RecursionError."""
    (tmp_path / "one.txt").write_text("two.txt")
    (tmp_path / "two.txt").write_text("./one.txt")
    with pytest.raises(SettingError, match=r"one\.txt leads back to itself; take that line out"):
        find_cases(tmp_path / "one.txt")


@pytest.mark.parametrize("coding", ["latin-1", "utf-16"])
def test_a_list_in_another_coding_is_named(tmp_path: Path, coding: str) -> None:
    """Symptom: the codec's own error, without the file."""
    (tmp_path / "list.txt").write_bytes("Größe.nii.gz".encode(coding))
    with pytest.raises(SettingError, match=r"list\.txt is no UTF-8 text; save it as UTF-8"):
        find_cases(tmp_path / "list.txt")


def test_the_home_folder_in_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: ~/ct.nii.gz in a list did not exist."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = write_nifti(tmp_path / "home" / "ct.nii.gz")
    (tmp_path / "list.txt").write_text("~/ct.nii.gz\n~nobody-of-that-name/ct.nii.gz")
    assert str(path) in [case["image"] for case in find_cases(tmp_path / "list.txt")]


def test_results_are_known_however_their_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: with OUT written as scans/../scans/out, its label maps were read as CTs."""
    write_nifti(tmp_path / "scans" / "ct.nii.gz")
    write_nifti(tmp_path / "scans" / "out" / "x" / "labels.nii.gz")
    monkeypatch.chdir(tmp_path)
    assert names(find_cases("scans", "scans/../scans/out")) == ["ct"]
    assert names(find_cases("scans/../scans", "scans/out")) == ["ct"]
    (tmp_path / "link").symlink_to("scans")
    assert names(find_cases("link", "scans/out")) == ["ct"]


def test_the_label_map_of_a_screened_case_is_no_ct(tmp_path: Path) -> None:
    """Symptom: another run's segmentation.nii.gz became a case."""
    write_nifti(tmp_path / "ct.nii.gz")
    write_nifti(tmp_path / "old" / "ct" / "segmentation.nii.gz")
    (tmp_path / "old" / "ct" / "case.json").write_text("{}")
    assert names(find_cases(tmp_path)) == ["ct"]


def test_the_objects_of_a_screened_series_are_no_input(tmp_path: Path) -> None:
    """Symptom: another run's segmentation.dcm and report.dcm became cases that failed."""
    write_series(tmp_path / "scan", body())
    old = tmp_path / "old" / "series-1"
    for name, uid in (("segmentation.dcm", "1.2.8"), ("report.dcm", "1.2.9")):
        write_slice(old / name, body()[0], uid, (0, 0, 0))
    assert len(find_cases(tmp_path)) == 3
    (old / "case.json").write_text("{}")
    assert len(find_cases(tmp_path)) == 1


def test_input_and_results_in_one_folder_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: "holds neither NIfTI nor DICOM" for a folder with a CT."""
    write_nifti(tmp_path / "ct.nii.gz")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=r"in the folder of results, \.; give a CT, or another"):
        find_cases(".", ".")


def test_names_that_are_no_utf8_become_cases(tmp_path: Path) -> None:
    """Symptom: UnicodeEncodeError where such names clash or stand for a series."""
    strange = os.fsdecode(b"gr\xf6sse")
    paths = [write_nifti(tmp_path / folder / f"{strange}.nii.gz") for folder in "ab"]
    (tmp_path / f"{strange}.dcm").write_bytes(b"")
    assert len(set(names(find_cases(tmp_path)))) == len(paths) + 1


def test_a_series_without_uids_is_one_case_named_alike_wherever_it_lies(tmp_path: Path) -> None:
    found = []
    for folder in ("here", "there"):
        write_series(
            tmp_path / folder, body(), uid="", SOPInstanceUID="", FrameOfReferenceUID="1.9"
        )
        found.append(find_cases(tmp_path / folder))
    assert [len(cases) for cases in found] == [1, 1]
    assert len(found[0][0]["image"]) == 5
    assert names(found[0]) == names(found[1]) != [series_name("")]


def test_a_broken_dicom_file_is_reported_as_a_case_of_its_own(tmp_path: Path) -> None:
    write_series(tmp_path, body())
    (tmp_path / "Doe.dcm").write_bytes(b"")
    broken = next(case for case in find_cases(tmp_path) if isinstance(case["image"], str))
    assert broken["case"] == series_name(str(tmp_path / "Doe.dcm"))
    with pytest.raises(CaseError, match=r"Doe\.dcm: .*cut off; copy it again"):
        LoadImageCT()(broken["image"])


def test_one_file_spelt_in_two_ways_is_one_case(tmp_path):
    write_nifti(tmp_path / "a" / "scan.nii.gz")
    listed = tmp_path / "list.txt"
    listed.write_text("a/scan.nii.gz\na/../a/scan.nii.gz\n")
    assert [case["case"] for case in find_cases(str(listed))] == ["scan"]
