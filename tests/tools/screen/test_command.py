"""The main job: every input gets an outcome, a finished case is not done twice."""

import csv
import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest

from tools.__main__ import COMMANDS, INTRO
from tools.cli import main
from tools.report import schema
from tools.screen import command
from tools.screen.folder import PICTURES
from tools.volumes import save_nifti

LEVELS = ("L1", "L2", "L3", "L4")
FILES = {"case.json", "report.json", "report.html", "segmentation.nii.gz", *PICTURES}
FILES -= {"fracture.png"}  # only where the network sees one
#: HU-linear against ideal QCT on one phantom scan: noise, beam hardening and outlines together.
MOST_ERROR_MG_CM3 = 15.0


def run(*words):
    return main(COMMANDS, INTRO, ["screen", *map(str, words)])


def read_run(out):
    return json.loads((out / "run.json").read_text())


@pytest.fixture(scope="module")
def screened(ct, tmp_path_factory):
    """Results of one CT."""
    out = tmp_path_factory.mktemp("screen") / "out"
    assert run(ct, out) == 0
    return out


def test_a_ct_gets_a_report_with_the_density_that_was_put_in(screened, patient):
    report = json.loads((screened / "small" / "report.json").read_text())
    schema.validate(report)
    assert {path.name for path in (screened / "small").iterdir()} == FILES
    for name in LEVELS:
        level = report["levels"][name]
        assert level["status"] == "measured", level
        truth = patient.truth["levels"][name]["qct_ha_mg_cm3"]
        assert level["bmd_hu_linear_mg_cm3"] == pytest.approx(truth, abs=MOST_ERROR_MG_CM3)
        assert level["bmd_cnn_mg_cm3"] == pytest.approx(truth, abs=MOST_ERROR_MG_CM3)
        low, high = level["bmd_interval_95_mg_cm3"]
        assert low < level["bmd_cnn_mg_cm3"] < high
    used = [report["levels"][name]["bmd_cnn_mg_cm3"] for name in LEVELS]
    assert report["patient"]["levels_used"] == list(LEVELS)
    assert report["patient"]["mean_bmd_mg_cm3"] == pytest.approx(np.mean(used), abs=0.01)
    assert "kvp_unknown" in report["qc"]["warnings"]
    assert report["ovf"] is None
    assert report["timing_s"]["ovf"] is None


def test_the_segmentation_lies_on_the_cts_grid(screened, ct, patient):
    found = nib.Nifti1Image.from_filename(screened / "small" / "segmentation.nii.gz")
    np.testing.assert_allclose(found.affine, nib.Nifti1Image.from_filename(ct).affine)
    labels = np.asarray(found.dataobj)
    assert labels.shape == patient.labels.shape
    for number in range(1, 5):
        one, true = labels == number, patient.labels == number
        assert 2 * (one & true).sum() / (one.sum() + true.sum()) > 0.85


def test_the_run_and_its_table_say_what_happened(screened, ct):
    content = read_run(screened)
    assert content["cases"] == [
        {"case": "small", "input": str(ct), "status": "done", "reason": None}
    ]
    assert content["counts"] == {"done": 1, "refused": 0, "failed": 0}
    assert set(content["stages_median_s"]) == {"load", "segmentation", "bmd", "write"}
    with (screened / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["level"] for row in rows] == list(LEVELS)
    report = json.loads((screened / "small" / "report.json").read_text())
    assert float(rows[2]["bmd_hu_linear_mg_cm3"]) == pytest.approx(
        report["levels"]["L3"]["bmd_hu_linear_mg_cm3"]
    )


def test_the_page_names_no_path_and_loads_nothing(screened, ct):
    html = (screened / "small" / "report.html").read_text()
    assert str(ct.parent) not in html
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", html)


@pytest.fixture
def counted(monkeypatch):
    """Names of the cases that were measured rather than found finished."""
    names = []
    original = command.screen_case

    def screen_case(case, *rest):
        names.append(case.name)
        return original(case, *rest)

    monkeypatch.setattr(command, "screen_case", screen_case)
    return names


def test_a_finished_case_is_not_measured_again(screened, ct, tmp_path, counted):
    out = tmp_path / "out"
    shutil.copytree(screened, out)
    before = (out / "small" / "report.json").read_bytes()
    assert run(ct, out) == 0
    assert counted == []
    assert read_run(out)["cases"] == read_run(screened)["cases"]
    (out / "small" / "segmentation.nii.gz").write_bytes(b"cut")
    assert run(ct, out) == 0
    assert counted == ["small"]
    again = json.loads((out / "small" / "report.json").read_text())
    assert {**again, "timing_s": None} == {**json.loads(before), "timing_s": None}


@pytest.mark.parametrize(
    "words", [["--kvp", "100"], ["--allow-contrast"], ["--overwrite"]], ids=lambda w: w[0]
)
def test_other_options_measure_again(words, screened, ct, tmp_path, counted):
    out = tmp_path / "out"
    shutil.copytree(screened, out)
    assert run(ct, out, *words) == 0
    assert counted == ["small"]


def test_a_given_voltage_changes_the_calibration(screened, ct, tmp_path):
    assert run(ct, tmp_path / "out", "--kvp", "100") == 0
    at_100 = json.loads((tmp_path / "out" / "small" / "report.json").read_text())
    at_120 = json.loads((screened / "small" / "report.json").read_text())
    ratio = (
        at_120["levels"]["L2"]["bmd_hu_linear_mg_cm3"]
        / at_100["levels"]["L2"]["bmd_hu_linear_mg_cm3"]
    )
    assert ratio == pytest.approx(1.536 / 1.333, rel=0.002)
    assert "kvp_not_120" in at_100["qc"]["warnings"]
    assert "kvp_unknown" not in at_100["qc"]["warnings"]


def test_bad_inputs_are_told_and_stop_nothing(ct, tmp_path, capsys):
    (tmp_path / "text.nii.gz").write_text("no volume")
    unit = np.linspace(0, 1, 60**3).reshape(60, 60, 60).astype(np.float32)
    save_nifti(tmp_path / "scaled.nii.gz", unit, np.diag([3.0, 3.0, 3.0, 1.0]))
    air = np.random.default_rng(0).normal(-1000, 9, (60, 60, 60)).astype(np.int16)
    save_nifti(tmp_path / "air.nii.gz", air, np.diag([3.0, 3.0, 3.0, 1.0]))
    (tmp_path / "cut.nii.gz").write_bytes(ct.read_bytes()[:40000])
    names = ["text", "scaled", "air", "cut"]
    listing = tmp_path / "list.txt"
    listing.write_text("\n".join([*(f"{name}.nii.gz" for name in names), str(ct)]))
    out = tmp_path / "out"
    assert run(listing, out) == 0
    found = {entry["case"]: entry for entry in read_run(out)["cases"]}
    assert {name: entry["status"] for name, entry in found.items()} == {
        "text": "failed", "scaled": "failed", "air": "refused", "cut": "failed", "small": "done"
    }  # fmt: skip
    assert "scaled to 0..1" in found["scaled"]["reason"]
    assert found["air"]["reason"] == "level_not_found"
    for name in ("text", "scaled", "cut"):
        assert "\n" not in found[name]["reason"]
        assert {path.name for path in (out / name).iterdir()} == {"case.json"}
    refused = json.loads((out / "air" / "report.json").read_text())
    schema.validate(refused)
    assert refused["patient"]["mean_bmd_mg_cm3"] is None
    with (out / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["case"] for row in rows} == {*names, "small"}
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["missing.nii.gz", "out"], "does not exist", id="no input"),
        pytest.param(["{ct}", "{ct}"], "names a file", id="OUT is a file"),
        pytest.param(["{ct}", ""], "--out is empty", id="OUT is empty"),
        pytest.param(["{ct}", "out", "--kvp", "12000"], "in kV, such as 120", id="kvp"),
        pytest.param(["{ct}", "out", "--kvpp", "120"], "did you mean '--kvp'", id="misspelt"),
    ],
)
def test_unusable_requests_start_nothing(words, message, ct, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*(word.format(ct=ct) for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_graphics_card_is_told_without_a_traceback(ct, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.torch.cuda, "is_available", lambda: False)
    assert run(ct, tmp_path / "out", "--device", "cuda") == 2
    assert "--device cuda: PyTorch finds no graphics card" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_the_users_own_is_left_alone(ct, tmp_path, capsys):
    mine = tmp_path / "out" / "small" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert run(ct, tmp_path / "out") == 2
    assert "holds other files (notes.txt)" in capsys.readouterr().err
    assert mine.read_text() == "mine"


def test_damaged_weights_are_told_before_any_case(ct, tmp_path, monkeypatch, capsys):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"no weights")
    monkeypatch.setattr(
        command.Settings,
        "segmentation",
        lambda self: command.scans.bundles.load("lumbar_segmentation", weights=weights),
    )
    assert run(ct, tmp_path / "out") == 2
    assert "model.pt: damaged" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
