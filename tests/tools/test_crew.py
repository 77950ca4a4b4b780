"""A killed worker costs its own job; errors and results come back whole."""

import os
import signal

import pytest

from tools import crew


def work(job):
    """Do what the job says."""
    if job == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "leave":
        os._exit(3)
    if job == "full":
        raise OSError(28, "No space left on device", "report.json")
    return job, os.getpid(), crew.cores()


def test_a_killed_worker_costs_its_own_job_alone():
    jobs = ["a", "kill", "b", "leave", "c", "d"]
    found = dict(crew.each(work, jobs, 2))
    assert {job: result for job, result in found.items() if isinstance(result, crew.Lost)} == {
        "kill": crew.Lost("signal 9"), "leave": crew.Lost("exit code 3")
    }  # fmt: skip
    assert [found[job][0] for job in "abcd"] == list("abcd")
    assert os.getpid() not in {found[job][1] for job in "abcd"}


def test_an_error_of_the_work_stops_all():
    with pytest.raises(OSError, match="No space left") as caught:
        list(crew.each(work, ["a", "full", *"bcdef"], 1))
    assert caught.value.filename == "report.json"


def threads(_):
    """Threads that a worker has."""
    import torch

    return torch.get_num_threads()


@pytest.mark.parametrize(("workers", "expected"), [(1, 6), (2, 3), (8, 1)])
def test_workers_share_the_cores(workers, expected, monkeypatch):
    monkeypatch.setattr(crew, "cores", lambda: 6)
    assert [result for _, result in crew.each(threads, [0], workers)] == [expected]
