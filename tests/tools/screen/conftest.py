"""What the tests of `screen` share: a small phantom scan, and cases that measure nothing."""

import copy
import errno
import json

import pytest

from tools.demo import patient_recipe
from tools.levels import MEASURED_LEVELS
from tools.phantom.case import simulate
from tools.report.rows import COLUMNS
from tools.screen import command, places
from tools.screen import folder as folders
from tools.screen.folder import Outcome
from tools.screen.settings import Settings
from tools.volumes import save_nifti


@pytest.fixture(scope="session")
def patient():
    """A patient of the demo's small size: lumbar spine, 2 mm pixels, 3 mm slices."""
    return simulate(copy.deepcopy(patient_recipe("small")), 1, 0)


@pytest.fixture(scope="session")
def ct(patient, tmp_path_factory):
    """The patient's CT as a file."""
    path = tmp_path_factory.mktemp("ct") / "small.nii.gz"
    save_nifti(path, patient.image, patient.affine)
    return path


@pytest.fixture
def make(tmp_path):
    """Write a file that stands for a CT; its text is what comes of it."""

    def write(name, text="done"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def measured(monkeypatch):
    """Measure nothing: a case comes to what its file says. Holds the cases it was called for."""
    names = []

    def screen_case(case, folder, settings, mark):
        names.append(case.name)
        said = case.paths[0].read_text()
        if said == "full disk":
            raise OSError(errno.ENOSPC, "No space left on device", str(folder / "report.json"))
        if said == "stop":
            raise KeyboardInterrupt
        folders.prepare(folder)
        outcome = Outcome(case.name, case.source, said, None if said == "done" else said)
        if said != "failed":
            level = dict.fromkeys(COLUMNS) | {"status": "measured", "reasons": [], "warnings": []}
            level |= {"bmd_interval_95_mg_cm3": None, "height_loss": None}
            patient = dict.fromkeys((*COLUMNS, "mean_interval_95_mg_cm3"))
            report = {
                "case": case.name,
                "input": {"kvp": None},
                "calibration": None,
                "qc": {"warnings": []},
                "patient": patient,
                "levels": dict.fromkeys(MEASURED_LEVELS, level),
            }
            folders.write(folder, {"report.json": json.dumps(report)})
        folders.finish(folder, outcome, mark, places.origin(case))
        return outcome

    monkeypatch.setattr(command, "screen_case", screen_case)
    monkeypatch.setattr(Settings, "segmentation", lambda self: None)
    return names
