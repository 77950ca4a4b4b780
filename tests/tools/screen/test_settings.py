"""The fingerprint: it changes with everything that decides results, and with nothing else."""

import os
from pathlib import Path

import pytest

from tools import sources
from tools.screen import settings
from tools.screen.scan import Case
from tools.screen.settings import Settings, deciding, fingerprint


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """A file that stands for a CT, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ct.nii.gz"
    path.write_bytes(b"scan")
    return path


def mark(path, **options):
    return fingerprint(Case("ct", "nifti", (Path(path),)), Settings(**options))


@pytest.mark.parametrize(
    "name",
    [
        "tools/morphometry/body.py",
        "tools/phantom/anatomy/sizes.py",
        "tools/report/minerals.py",
        "tools/report/report.css",
        "tools/report/report.schema.json",
        "tools/screen/dicom/report.py",
        "tools/screen/gate.py",
        "bundles/bmd_regression/bmd_bundle/calibration.py",
        "bundles/bmd_regression/configs/reference_dxa.yaml",
        "bundles/lumbar_segmentation/lumbar_bundle/naming.py",
        "bundles/lumbar_segmentation/configs/inference.yaml",
        "bundles/lumbar_segmentation/models/model.pt",
        "bundles/bmd_regression/configs/inference.yaml",
        "bundles/bmd_regression/models/interval.json",
        "bundles/bmd_regression/models/model.pt",
        "bundles/bmd_regression/configs/internal_calibration.yaml",
        "bundles/bmd_regression/models/interval_internal_calibration.json",
        "bundles/bmd_regression/models/model_internal_calibration.pt",
    ],
)
def test_code_that_decides_results_counts(name):
    """Changed heights, sizes or physics left earlier results standing as finished."""
    assert Path(name) in deciding()


@pytest.mark.parametrize(
    "name", ["tools/screen/README.md", "tools/screen/command.py", "tools/phantom/draw.py"]
)
def test_what_decides_no_result_does_not_count(name):
    assert (sources.REPOSITORY / name).is_file()
    assert Path(name) not in deciding()


def test_two_files_of_one_name_that_swap_their_content_are_a_change(tmp_path, monkeypatch):
    """Only names were hashed, not folders."""
    monkeypatch.setattr(settings.sources, "REPOSITORY", tmp_path)
    monkeypatch.setattr(settings, "deciding", lambda: [Path("a/x.py"), Path("b/x.py")])
    seen = []
    for first, second in (("a", "b"), ("b", "a"), ("a", "b")):
        for folder, text in ((first, "1"), (second, "2")):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / "x.py").write_text(text)
        seen.append(settings.software.__wrapped__()["sources_sha256"])
    assert seen[0] != seen[1]
    assert seen[0] == seen[2]


def test_one_file_has_one_fingerprint_however_it_is_spelt(scan):
    """A relative path after an absolute one measured everything again."""
    (scan.parent / "sub").mkdir()
    (scan.parent / "link.nii.gz").symlink_to(scan)
    spellings = [scan, "ct.nii.gz", "./ct.nii.gz", "sub/../ct.nii.gz", "link.nii.gz"]
    assert len({mark(spelling) for spelling in spellings}) == 1


def test_another_size_time_or_option_is_another_fingerprint(scan):
    before = mark(scan)
    assert mark(scan, kvp=100.0) != before
    assert mark(scan, allow_contrast=True) != before
    assert mark(scan, calibration="{}") != before
    assert mark(scan, keep_identity=True) != before
    time = scan.stat().st_mtime_ns
    os.utime(scan, ns=(time, time + 1))
    touched = mark(scan)
    scan.write_bytes(b"longer scan")
    os.utime(scan, ns=(time, time))
    longer = mark(scan)
    scan.unlink()
    assert len({before, touched, longer, mark(scan)}) == 4
