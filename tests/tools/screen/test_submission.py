"""Parts as jobs: a Slurm array where there is one, else submitit's processes on this machine."""

import json
import sys

import pytest

from tests.tools.screen.runs import entries, run
from tools.screen import submission


@pytest.fixture
def without_slurm(monkeypatch):
    monkeypatch.setattr(submission.shutil, "which", lambda name: None)


def test_without_slurm_the_parts_run_here(without_slurm, make, tmp_path, monkeypatch, capsys):
    """The commands that a job would run write down their own words instead."""
    script = tmp_path / "tell.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "part = sys.argv[-1].partition('=')[2]\n"
        f"pathlib.Path({str(tmp_path)!r}, f'told-{{part}}').write_text(json.dumps(sys.argv[1:]))\n"
        "sys.exit(part == '1')\n"
    )
    original = submission._start

    def start(executor, call):
        return original(executor, [sys.executable, str(script), *call[4:]])

    monkeypatch.setattr(submission, "_start", start)
    monkeypatch.chdir(tmp_path)
    make("a b.nii.gz")
    words = ["--submit", "slurm", "--num_parts", "2", "--workers", "3", "--kvp", "100"]
    assert run("a b.nii.gz", "out", *words) == 1  # part 1 ends with 1
    for part in (0, 1):
        assert json.loads((tmp_path / f"told-{part}").read_text()) == [
            f"--input={tmp_path / 'a b.nii.gz'}", f"--out={tmp_path / 'out'}", "--device=auto",
            "--kvp=100.0", "--allow-contrast=False", "--keep-identity=False",
            "--overwrite=False", "--workers=3", "--num-parts=2", f"--part-id={part}",
        ]  # fmt: skip
    said = capsys.readouterr()
    assert "part 1 failed, see" in said.err
    assert "part 0 failed" not in said.err
    assert len(said.err.strip().splitlines()) == 1


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Put an `sbatch` on the path that does what a shell line says."""

    def install(line):
        programs = tmp_path / "bin"
        programs.mkdir()
        for name, text in {"srun": "exit 0", "sbatch": line}.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    return install


def test_with_slurm_the_parts_are_an_array(slurm, make, tmp_path, capsys):
    slurm(f'cp "$1" "{tmp_path}/seen.sh"; echo "Submitted batch job 4711"')
    out = tmp_path / "out"
    words = ["--submit", "slurm", "--num_parts", "3", "--workers", "2"]
    assert run(make("a.nii.gz"), out, *words) == 0
    wanted = (tmp_path / "seen.sh").read_text().splitlines()
    for line in ("array=0-2%3", "cpus-per-task=2", "mem=8GB", "time=1440"):
        assert f"#SBATCH --{line}" in wanted
    assert not any("gpu" in line for line in wanted)
    assert "3 parts queued as Slurm job 4711" in capsys.readouterr().out
    assert len(list((out / submission.JOBS_FOLDER).rglob("*_submitted.pkl"))) == 3


def test_slurm_that_takes_no_jobs_is_told(slurm, make, tmp_path, capsys):
    slurm("echo 'sbatch: error: no partition' >&2; exit 1")
    assert run(make("a.nii.gz"), tmp_path / "out", "--submit", "slurm") == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == "error: Slurm takes no jobs: sbatch: error: no partition"


@pytest.mark.slow
def test_two_parts_run_here_and_end_in_one_table(without_slurm, tmp_path):
    """The real thing: two processes of submitit, each the command with its part."""
    for name in "abc":
        (tmp_path / f"{name}.nii.gz").write_text("no volume")
    out = tmp_path / "out"
    assert run(tmp_path / "?.nii.gz", out, "--submit=slurm", "--num_parts=2", "--workers=1") == 0
    assert {name: entry["status"] for name, entry in entries(out).items()} == dict.fromkeys(
        "abc", "failed"
    )
    assert set(json.loads((out / "run.json").read_text())["parts"]) == {"0", "1"}
    assert all("Traceback" not in path.read_text() for path in out.glob(".jobs/*.err"))
