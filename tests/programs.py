"""Programs of others that judge DICOM files; a test that needs an absent one is skipped.

assert judged("dcentvfy", paths) == ""
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {"dciodvfy": "dicom3tools", "dcentvfy": "dicom3tools", "dsrdump": "DCMTK"}


def judged(program, paths):
    """What a program says of files, on either stream."""
    # Also where the environment was not activated.
    found = shutil.which(program) or shutil.which(program, path=Path(sys.executable).parent)
    if found is None:
        pytest.skip(f"{program} ({PACKAGES[program]}) is not installed")
    run = subprocess.run([found, *map(str, paths)], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def errors_between(paths):
    """What dcentvfy finds wrong between files whose source is not among them."""
    return [
        line
        for line in judged("dcentvfy", paths).splitlines()
        if line.startswith("Error") and "Missing SOPInstanceUID that was referenced" not in line
    ]
