"""Why a case failed, in one line that names no path."""

import errno
import os
from pathlib import Path

import pytest

from tools.screen.case import _reason
from tools.screen.scan import Case, _module

CASE = Case("ct", "nifti", (Path("/clinic/Doe Jane/ct.nii.gz"),))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(CASE.paths[0])),
            "a file cannot be read (Permission denied); give a copy that can",
            id="system",
        ),
        pytest.param(
            OSError(f"cannot open {CASE.paths[0]}"),
            "unexpected OSError; set OSTEOCT_TRACEBACK=1 to see where",
            id="path in text",
        ),
        pytest.param(
            TypeError("in ct.nii.gz"),
            "unexpected TypeError; set OSTEOCT_TRACEBACK=1 to see where",
            id="name in text",
        ),
        pytest.param(TypeError("no number\nat all"), "unexpected TypeError: no number", id="other"),
        pytest.param(
            MemoryError(), "out of memory; give a machine with more, or a coarser scan", id="memory"
        ),
        pytest.param(
            UnicodeDecodeError("utf-8", b"\xf6", 0, 1, "invalid start byte"),
            "unexpected UnicodeDecodeError: 'utf-8' codec can't decode byte 0xf6 in position 0: "
            "invalid start byte",
            id="codec",
        ),
    ],
)
def test_no_reason_holds_a_path(error, expected, monkeypatch):
    """Symptom: a file that could not be read put its path, with a patient's name, in run.json."""
    monkeypatch.delenv("OSTEOCT_TRACEBACK", raising=False)
    assert _reason(error, CASE) == expected


def test_a_known_problem_is_told_as_the_bundle_tells_it():
    known = _module("cases").CaseError(CASE.paths[0], "is cut off", "copy it again")
    wrapped = RuntimeError("applying transform")
    wrapped.__cause__ = known
    assert _reason(wrapped, CASE) == "is cut off; copy it again"
