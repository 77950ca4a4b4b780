"""`screen` on a series: which files there are, that they count, and that they name nobody else."""

import ast
import json

import pydicom
import pytest

from tests.tools.screen.dicom import made
from tools import sources
from tools.__main__ import COMMANDS, INTRO
from tools.cli import main
from tools.screen import command
from tools.screen.folder import Outcome

NAME, NUMBER, BORN = "Zzyzx^Quux", "4711-0815", "19500102"


def run(*words):
    return main(COMMANDS, INTRO, ["screen", *map(str, words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A series too small to show any level, of a patient with a name."""
    folder = tmp_path_factory.mktemp("command") / "series"
    made.scan(folder)
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        header.PatientName, header.PatientID, header.PatientBirthDate = NAME, NUMBER, BORN
        header.save_as(path)
    return folder


def test_a_refused_series_has_a_report_that_counts_for_the_record(
    folder, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out"
    assert run(folder, out) == 0
    (case,) = out.glob("series-*")
    names = {path.name for path in case.iterdir()}
    assert "report.dcm" in names
    assert "segmentation.dcm" not in names  # nothing was outlined
    record = json.loads((case / "case.json").read_text())
    assert set(record["files"]) == names - {"case.json"}
    assert record["timing_s"]["write"] > 0
    report = pydicom.dcmread(case / "report.dcm")
    assert (report.PatientName, report.PatientID, report.PatientBirthDate) == (NAME, NUMBER, BORN)
    assert "PatientAge" not in report
    for path in [*case.iterdir(), *out.glob("*.*")]:
        content = path.read_bytes()
        if path.name != "report.dcm":
            assert not any(word.encode() in content for word in (NAME, "Zzyzx", NUMBER, BORN))
    told = "".join(capsys.readouterr())
    assert not any(word in told for word in ("Zzyzx", NUMBER, BORN))

    kept = []

    def screen_case(case, place, settings, mark):
        kept.append(settings.keep_identity)
        return Outcome(case.name, case.source, "refused", "level_not_found")

    monkeypatch.setattr(command, "screen_case", screen_case)
    assert run(folder, out) == 0
    assert kept == []  # finished
    assert run(folder, out, "--keep-identity") == 0
    assert kept == [True]


def imported(path):
    """Modules that a file imports as it is loaded, not later."""
    tree = ast.parse((sources.REPOSITORY / path).read_text())
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_highdicom_is_loaded_for_dicom_input_only():
    """It takes time that runs on NIfTI files need not spend."""
    for path in sources.reached(["tools/screen/command.py"]):
        if path.match("tools/screen/dicom/*.py"):
            continue
        found = [
            name for name in imported(path) if name.startswith(("highdicom", "tools.screen.dicom"))
        ]
        assert found == [], path
