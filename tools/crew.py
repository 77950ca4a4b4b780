"""Jobs in worker processes: one that is killed costs its own job, never the others.

for job, result in crew.each(work, jobs, workers=2):
    if isinstance(result, crew.Lost): ...

Every worker has a pipe of its own, so that a kill at any moment leaves no lock behind that others
wait for.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tools.processes import START_METHOD, module_of, start_worker

FIRST_TO_GO = 500
"""Of -1000 to 1000: when memory runs out, the system ends a worker before who hands out jobs."""


@dataclass(frozen=True)
class Lost:
    """The result of a job whose worker was killed.

    Attributes:
        how: What ended the worker, such as "signal 9".
    """

    how: str


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: Any = None


def cores() -> int:
    """Processor cores that this process may use."""
    with suppress(AttributeError):  # Linux knows what a scheduler granted
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(workers: int) -> int:
    """Threads of each worker when all share the cores evenly."""
    return max(1, cores() // workers)


def each(
    work: Callable[[Any], Any], jobs: Iterable[Any], workers: int, threads: int | None = None
) -> Iterator[tuple[Any, Any]]:
    """Do jobs in worker processes that share the cores evenly.

    Args:
        work: Called with a job; it, the jobs and the results must be picklable.
        jobs: The jobs.
        workers: Processes that work at once.
        threads: Of each; by default its share of the cores.

    Yields:
        A job and its result, or `Lost`, in the order in which they end.

    Raises:
        Exception: What `work` raised first; the workers are stopped.
    """
    context = multiprocessing.get_context(START_METHOD)
    if START_METHOD == "forkserver":
        context.set_forkserver_preload([module_of(work)])
    hire = partial(_hire, context, work, threads or share(workers))
    waiting = iter(jobs)
    busy = [_give(hire(), job, hire) for job in islice(waiting, workers)]
    idle: list[_Worker] = []
    try:
        while busy:
            worker = _first_to_end(busy)
            busy.remove(worker)
            job, result = worker.job, _result(worker)
            alive = [] if isinstance(result, Lost) else [worker]
            busy += [  # before the caller takes its time
                _give(alive.pop() if alive else hire(), following, hire)
                for following in islice(waiting, 1)
            ]
            idle += alive
            yield job, result
    finally:
        for worker in (*busy, *idle):
            worker.process.terminate()
        for worker in (*busy, *idle):
            worker.process.join()


def _first_to_end(busy: list[_Worker]) -> _Worker:
    """Wait for a worker that has a result, or is gone."""
    ready = set(wait([end for one in busy for end in (one.pipe, one.process.sentinel)]))
    return next(one for one in busy if ready & {one.pipe, one.process.sentinel})


def _hire(context: Any, work: Callable[[Any], Any], threads: int) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, threads), daemon=True)
    process.start()
    theirs.close()  # else its end would not be seen when the worker is gone
    return _Worker(process, ours)


def _give(worker: _Worker, job: Any, hire: Callable[[], _Worker]) -> _Worker:
    """Hand over a job; to a new worker if this one was killed while it waited."""
    try:
        worker.pipe.send(job)
    except OSError:
        worker = hire()
        worker.pipe.send(job)
    worker.job = job
    return worker


def _result(worker: _Worker) -> Any:
    try:
        # What ended without a word is not readable, or ends in the middle of a word.
        told = worker.pipe.recv() if worker.pipe.poll() else None
    except (EOFError, OSError):
        told = None
    if told is None:
        worker.process.kill()
        worker.process.join()
        code = worker.process.exitcode or 0
        return Lost(f"signal {-code}" if code < 0 else f"exit code {code}")
    result, error = told
    if error is not None:
        raise error
    return result


def _serve(pipe: Connection, work: Callable[[Any], Any], threads: int) -> None:
    """What a worker does until it is stopped."""
    start_worker(threads)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))
    while True:
        try:
            job = pipe.recv()
        except EOFError:  # whoever hands out jobs was killed
            return
        try:
            answer: tuple[Any, Exception | None] = (work(job), None)
        except Exception as error:  # raised again where the jobs come from
            answer = (None, error)
        pipe.send(answer)
