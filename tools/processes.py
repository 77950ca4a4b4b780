"""Independent jobs in several processes: the first error stops all, and none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any

import torch
from threadpoolctl import threadpool_limits

START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
"""How workers start: never by a plain fork, which copies locks that other threads hold."""


def run_all(
    work: Callable[[Any], Any], jobs: Iterable[Any], workers: int, done: Callable[[], Any]
) -> None:
    """Do every job, each in one of several processes that work on one thread.

    Args:
        work: Called with a job; it and the jobs must be picklable.
        jobs: The jobs.
        workers: Processes that work at once.
        done: Called here after each job.

    Raises:
        OSError: A worker was killed.
        Exception: What `work` raised first; the other workers are stopped.
    """
    context = multiprocessing.get_context(START_METHOD)
    if START_METHOD == "forkserver":
        context.set_forkserver_preload([module_of(work)])
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker) as pool:
        try:
            for future in as_completed([pool.submit(work, job) for job in jobs]):
                future.result()
                done()
        except BaseException as error:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise OSError(
                    "a worker was killed; if memory ran out, use fewer workers"
                ) from error
            raise


def module_of(work: Callable[..., Any]) -> str:
    """Name the module of a function, or of the one a partial wraps."""
    return str(getattr(work, "func", work).__module__)


def start_worker(threads: int = 1) -> None:
    """Set up a worker: few threads, deaf to Ctrl-C, and gone when the main process is.

    Args:
        threads: Of PyTorch, OpenMP and BLAS.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process hears it and ends us
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait until the main process ends, then end this one, which a kill would leave behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
