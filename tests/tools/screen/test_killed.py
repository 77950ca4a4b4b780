"""A run that was killed and started again ends like one that was not."""

import copy
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.demo import patient_recipe
from tools.phantom.case import simulate
from tools.volumes import save_nifti

REPOSITORY = Path(__file__).resolve().parents[3]
CASES = 20
#: Longest time that either run may take, s.
PATIENCE_S = 1200


@pytest.fixture(scope="module")
def listing(tmp_path_factory) -> Path:
    """A list of 20 small phantom scans."""
    folder = tmp_path_factory.mktemp("scans")
    recipe = copy.deepcopy(patient_recipe("small"))
    recipe["scan"]["pixel_mm"] = [2.5, 2.5]
    names = []
    for index in range(CASES):
        case = simulate(recipe, 7, index)
        names.append(f"P{index:02d}.nii.gz")
        save_nifti(folder / names[-1], case.image, case.affine)
    path = folder / "list.txt"
    path.write_text("\n".join(names))
    return path


def start(listing: Path, out: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tools", "screen", str(listing), str(out)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def content(out: Path) -> dict[str, object]:
    """Everything of a run that does not tell the time."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.is_dir() or path.name == ".lock":
            continue
        if path.suffix == ".json":
            told = json.loads(path.read_text())
            for key in ("timing_s", "seconds", "stages_median_s", "arguments", "files"):
                told.pop(key, None)
            found[name] = told
        elif path.suffix == ".html":
            found[name] = re.sub(r"<dt>Time.*?</dd>", "", path.read_text())
        else:
            found[name] = path.read_bytes()
    return found


@pytest.mark.slow
def test_kill_and_rerun_equal_an_undisturbed_run(listing: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(listing, whole).wait(PATIENCE_S) == 0
    run = start(listing, killed)
    chance = random.Random(3)
    wanted = chance.randrange(1, CASES - 1)
    deadline = time.monotonic() + PATIENCE_S
    while len(list(killed.glob("*/case.json"))) < wanted:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(chance.random())
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    finished = len(list(killed.glob("*/case.json")))
    assert wanted <= finished < CASES
    assert not (killed / "run.json").exists()
    assert start(listing, killed).wait(PATIENCE_S) == 0
    expected = content(whole)
    assert len([name for name in expected if name.endswith("case.json")]) == CASES
    assert content(killed) == expected
