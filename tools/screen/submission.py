"""A run's parts as jobs of a Slurm array; without Slurm one after the other on this machine.

    submission.submit(["scans", "out", "--workers=4"], out, parts=8, workers=4, device="auto")

Each job is the `screen` command with its `--part-id`. Slurm's own variables, such as
`SBATCH_PARTITION` or `SBATCH_TIMELIMIT`, say where and how long.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import submitit
import torch

from tools import sources

JOBS_FOLDER = ".jobs"
"""Below OUT: what the jobs print."""

MOST_MINUTES = 24 * 60
"""A job that takes longer is ended; the same command goes on."""

GIGABYTES = 4
"""Memory asked for per process, GB: three times what a whole abdomen of 1.5 mm takes."""


def submit(words: Sequence[str], out: Path, parts: int, workers: int, device: str) -> None:
    """Start every part of a run.

    On a cluster this returns when the jobs are queued, else when all have ended.

    Args:
        words: The command's own words, without part and submission; paths are absolute.
        out: Folder of the results.
        parts: Jobs.
        workers: Processes of each.
        device: "auto", "cpu" or "cuda"; only the last asks Slurm for a graphics card.

    Raises:
        OSError: If Slurm takes no jobs, or a part that ran here failed.
    """
    cluster = "slurm" if shutil.which("srun") else "local"
    logs = out / JOBS_FOLDER
    executor = submitit.AutoExecutor(folder=logs, cluster=cluster)
    executor.update_parameters(
        name="osteoct-screen", timeout_min=MOST_MINUTES, cpus_per_task=workers,
        mem_gb=GIGABYTES * workers, **_cards(cluster, device),
    )  # fmt: skip
    calls = [
        [sys.executable, "-m", "tools", "screen", *words, f"--num-parts={parts}", f"--part-id={k}"]
        for k in range(parts)
    ]
    if cluster == "slurm":
        _queue(executor, calls, logs)
    else:
        _run_here(executor, calls)


def _cards(cluster: str, device: str) -> dict[str, Any]:
    """Graphics cards of a job: submitit hides those that a local job does not ask for."""
    if cluster == "slurm":
        return {"gpus_per_node": 1} if device == "cuda" else {}
    cards = tuple(range(torch.cuda.device_count()))
    return {"gpus_per_node": len(cards), "local_visible_gpus": cards} if cards else {}


def _queue(executor: submitit.AutoExecutor, calls: Sequence[Sequence[str]], logs: Path) -> None:
    try:
        with executor.batch():
            jobs = [_start(executor, call) for call in calls]
    except (submitit.core.utils.FailedJobError, RuntimeError) as error:
        raise OSError(f"Slurm takes no jobs: {str(error).strip().splitlines()[-1]}") from error
    print(f"{_parts(jobs)} queued as Slurm job {jobs[0].job_id.partition('_')[0]}")
    print(f"what they print: {logs}; the last to end writes results.csv and run.json")


def _run_here(executor: submitit.AutoExecutor, calls: Sequence[Sequence[str]]) -> None:
    print(f"no Slurm here, so on this machine, one after the other: {_parts(calls)}", flush=True)
    failed = []
    for number, call in enumerate(calls):
        job = _start(executor, call)
        if job.exception() is not None:
            failed.append(f"part {number} failed, see {job.paths.stderr}")
    if failed:
        raise OSError("; ".join(failed))


def _parts(several: Sequence[Any]) -> str:
    return f"{len(several)} part{'' if len(several) == 1 else 's'}"


def _start(executor: submitit.AutoExecutor, call: Sequence[str]) -> submitit.Job[Any]:
    return executor.submit(subprocess.run, list(call), check=True, cwd=str(sources.REPOSITORY))
