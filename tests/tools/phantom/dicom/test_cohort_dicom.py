"""The phantom command with --format dicom: files, repetition, interruption, datalists."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
from monai.data import load_decathlon_datalist

from tests.tools.phantom import fake_cohort
from tools import bundles, segmentation
from tools.phantom import cohort, completion, recipe
from tools.phantom.dicom import series
from tools.phantom.dicom.syntaxes import SYNTAXES
from tools.volumes import reorient


@pytest.fixture
def calls(monkeypatch):
    """Put a stand-in in place of the simulation; holds the number of each patient made."""
    made = []

    def simulate(recipe, seed, index, scanner, paired, device):
        made.append(index)
        return fake_cohort.simulate(recipe, seed, index, scanner, paired)

    monkeypatch.setattr(cohort, "simulate", simulate)
    return made


def make(out, **options):
    cohort.phantom(out, **{"cases": 2, "recipe": "quick", "format": "dicom"} | options)


def contents(out):
    files = (path for path in out.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_images_are_folders_of_slices_and_the_rest_is_as_with_nifti(calls, tmp_path):
    make(tmp_path / "dicom")
    make(tmp_path / "nifti", format="nifti")
    one, other = contents(tmp_path / "dicom"), contents(tmp_path / "nifti")
    slices = {f"images/A000{case}/{k:04d}.dcm" for case in (1, 2) for k in range(1, 17)}
    assert one.keys() - other.keys() == slices
    assert other.keys() - one.keys() == {"images/A0001.nii.gz", "images/A0002.nii.gz"}
    maps = [name for name in one if name.endswith(".nii.gz")]
    assert len(maps) == 6
    assert all(one[name] == other[name] for name in maps)


def test_truth_says_which_series_it_is(calls, tmp_path):
    make(tmp_path)
    truth = read_json(tmp_path / "truth.json")["cases"]["A0002"]["dicom"]
    header = pydicom.dcmread(tmp_path / "images" / "A0002" / "0007.dcm")
    assert truth == {
        "transfer_syntax": "explicit_little",
        "padded": False,
        "patient_id": header.PatientID,
        "study_uid": header.StudyInstanceUID,
        "series_uid": header.SeriesInstanceUID,
    }
    assert header.InstanceNumber == 7


def test_labels_lie_where_the_slices_do(calls, tmp_path):
    make(tmp_path, cases=1)
    loader = bundles.module(segmentation.NAME, "lumbar_bundle.loading").LoadImageCT()
    image = loader(tmp_path / "images" / "A0001")
    labels = nib.load(tmp_path / "labels" / "A0001.nii.gz")
    hu, affine = reorient(np.asarray(image)[0], np.asarray(image.affine), "RAS")
    expected = fake_cohort.simulate(recipe.load("quick"), 0, 0)
    original, own_affine = reorient(expected.image, expected.affine, "RAS")
    np.testing.assert_array_equal(hu, original)
    np.testing.assert_allclose(affine, own_affine, atol=1e-6)
    np.testing.assert_allclose(labels.affine, expected.affine, atol=1e-5)


@pytest.mark.parametrize("bundle", ["lumbar_segmentation", "bmd_regression", "ovf_classification"])
def test_datalists_name_the_folder(calls, tmp_path, bundle):
    make(tmp_path)
    (record,) = load_decathlon_datalist(tmp_path / f"{bundle}.json", False, "test")
    assert record["image"] == str(tmp_path / "images" / "A0001")
    inputs = bundles.module(segmentation.NAME, "lumbar_bundle.inputs")
    (case,) = inputs.datalist_cases(str(tmp_path / f"{bundle}.json"), "test")
    assert case["kind"] == "dicom"


def test_a_finished_case_is_kept_and_a_second_run_changes_nothing(calls, tmp_path):
    make(tmp_path)
    before = contents(tmp_path)
    calls.clear()
    make(tmp_path)
    assert calls == []
    assert contents(tmp_path) == before


def lose(folder):
    (folder / "0003.dcm").unlink()


def cut(folder):
    path = folder / "0003.dcm"
    path.write_bytes(path.read_bytes()[:-2])


def rename(folder):
    (folder / "0003.dcm").rename(folder / "0099.dcm")


def add(folder):
    (folder / "foreign.dcm").write_bytes(b"x")


def leave_part(folder):
    (folder / ".part-killed").write_bytes(b"x")


@pytest.mark.parametrize("harm", [lose, cut, rename, add, leave_part])
def test_a_damaged_series_is_made_anew_and_holds_nothing_else(calls, tmp_path, harm):
    make(tmp_path)
    before = contents(tmp_path)
    calls.clear()
    harm(tmp_path / "images" / "A0002")
    make(tmp_path)
    assert calls == [1]
    assert contents(tmp_path) == before


def test_a_full_disk_leaves_a_case_that_is_made_anew(calls, tmp_path, monkeypatch):
    write, written = series.write_content, []

    def fail(path, content):
        written.append(path)
        if len(written) == 20:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(series, "write_content", fail)
    with pytest.raises(OSError, match="1 of 2 scans are finished, the same command goes on"):
        make(tmp_path)
    monkeypatch.setattr(series, "write_content", write)
    calls.clear()
    make(tmp_path)
    assert calls == [1]
    make(tmp_path / "fresh")
    assert {name: data for name, data in contents(tmp_path).items() if "fresh" not in name} == (
        contents(tmp_path / "fresh")
    )


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [("nifti", "dicom", "format nifti, not dicom"), ("dicom", "nifti", "format dicom, not nifti")],
)
def test_a_cohort_of_another_format_is_refused(calls, tmp_path, first, then, words):
    make(tmp_path, format=first)
    with pytest.raises(ValueError, match=f"made with {words}; choose another folder"):
        make(tmp_path, format=then)


def test_hounsfield_units_do_not_depend_on_the_encoding(calls, tmp_path, monkeypatch):
    scan = recipe.load("quick")["scan"]
    for syntax in SYNTAXES:
        stored = {"transfer_syntax": [syntax], "padded": 0.0}
        wanted = recipe.load("quick") | {"scan": scan | {"dicom": stored}}
        monkeypatch.setattr(cohort.recipes, "load", lambda _, wanted=wanted: wanted)
        make(tmp_path / syntax, cases=1)
        header = pydicom.dcmread(tmp_path / syntax / "images" / "A0001" / "0001.dcm")
        assert header.file_meta.TransferSyntaxUID == SYNTAXES[syntax].uid
        labels = contents(tmp_path / syntax)["labels/A0001.nii.gz"]
        assert labels == contents(tmp_path / "explicit_little")["labels/A0001.nii.gz"]


@pytest.mark.slow
def test_workers_write_the_same_bytes(tmp_path):
    make(tmp_path / "one", seed=11)
    make(tmp_path / "two", seed=11, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_software_counts_what_writes_series():
    assert completion.software("dicom").keys() > completion.software("nifti").keys()
    name = "phantom_sources_sha256"
    assert completion.software("dicom")[name] != completion.software("nifti")[name]
