"""A run whose processes were killed, and started again, ends like one that was not.

40 small phantom scans, two workers; the same undisturbed run shows that memory stays flat.
"""

import copy
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tools.demo import patient_recipe
from tools.phantom.case import simulate
from tools.volumes import save_nifti

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[3]
CASES, PATIENTS = 40, 4
#: Added to each scan, HU.
NOISE_HU = 5.0
#: Longest time that any run may take, s.
PATIENCE_S = 3600
#: Memory of case 40 may be this much above that of case 4.
MOST_GROWTH = 1.05


@pytest.fixture(scope="module")
def listing(tmp_path_factory) -> Path:
    """A list of 40 small phantom scans: four patients, each scanned ten times with other noise."""
    folder = tmp_path_factory.mktemp("scans")
    recipe = copy.deepcopy(patient_recipe("small"))
    recipe["scan"]["pixel_mm"] = [3.0, 3.0]
    patients = [simulate(recipe, 7, index) for index in range(PATIENTS)]
    for index in range(CASES):
        case = patients[index % PATIENTS]
        noise = np.random.default_rng(index).normal(0, NOISE_HU, case.image.shape)
        image = np.round(case.image + noise).astype(np.int16)
        save_nifti(folder / f"P{index:02d}.nii.gz", image, case.affine)
    path = folder / "list.txt"
    path.write_text("\n".join(f"P{index:02d}.nii.gz" for index in range(CASES)))
    return path


def start(listing: Path, out: Path) -> subprocess.Popen:
    words = ["screen", str(listing), str(out), "--workers", "2"]
    with (out.parent / f"{out.name}.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tools", *words], cwd=REPOSITORY, stdout=log, stderr=log
        )


def workers(run: subprocess.Popen) -> list[int]:
    """Ids of a run's workers: its children's children, as a server forks them."""
    parent = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return [pid for pid in parent if parent.get(parent[pid]) == run.pid]


def finished(out: Path) -> int:
    return len(list(out.glob("*/case.json")))


def wait_until(run: subprocess.Popen, done) -> None:
    """Wait while a run is at work."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert run.poll() is None, "the run ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)


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


def peak_mib(pid: int) -> float:
    """Largest memory of a process since it was last asked, MiB.

    Raises:
        ProcessLookupError: It has ended; until its parent looks, its status stays, without memory.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # starts the peak anew
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if found is None:
        raise ProcessLookupError(pid)
    return int(found[1]) / 1024


@pytest.fixture(scope="module")
def undisturbed(listing: Path, tmp_path_factory) -> tuple[Path, list[float]]:
    """Results of a run that nobody disturbs, and the larger worker's peak during each case."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run, peaks = start(listing, out), []
    while run.poll() is None:
        if finished(out) > len(peaks):
            with suppress(OSError):  # a worker that ended, as all do with the last case
                if found := [peak_mib(pid) for pid in workers(run)]:
                    peaks.append(max(found))
        time.sleep(0.05)
    assert run.wait() == 0
    return out, peaks


def test_memory_stays_flat(undisturbed):
    """Cases differ in size and two are at work at once: the largest of five about each is held."""
    _, peaks = undisturbed
    print("peaks, MiB:", [round(peak) for peak in peaks])
    assert len(peaks) >= CASES - 4
    assert max(peaks[-5:]) <= MOST_GROWTH * max(peaks[1:6])


def test_kills_and_reruns_equal_an_undisturbed_run(undisturbed, listing: Path, tmp_path: Path):
    whole, _ = undisturbed
    killed, chance = tmp_path / "killed", random.Random(3)
    run = start(listing, killed)
    for wanted in (chance.randrange(2, 10), chance.randrange(12, 20)):
        wait_until(run, lambda wanted=wanted: finished(killed) >= wanted)
        time.sleep(2 * chance.random())
        os.kill(chance.choice(workers(run)), signal.SIGKILL)
    last = chance.randrange(22, 28)
    wait_until(run, lambda: finished(killed) >= last)
    time.sleep(2 * chance.random())
    left_over = workers(run)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert 20 <= finished(killed) < CASES
    assert not (killed / "run.json").exists()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in left_over):
        assert time.monotonic() < deadline, "workers outlived their run"
        time.sleep(0.1)
    run = start(listing, killed)  # its last cases lose a worker, too
    wait_until(run, lambda: finished(killed) >= CASES - 4 and workers(run))
    os.kill(chance.choice(workers(run)), signal.SIGKILL)
    assert run.wait(PATIENCE_S) == 0
    assert "Traceback" not in (tmp_path / "killed.log").read_text()
    expected = content(whole)
    assert len([name for name in expected if name.endswith("case.json")]) == CASES
    assert content(killed) == expected
