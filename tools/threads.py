"""How many threads work: one where more gain nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def use_threads(number: int) -> Iterator[None]:
    """Run a block on a number of threads of PyTorch, OpenMP and BLAS."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def single_thread() -> Iterator[None]:
    """Run a block on one thread of PyTorch, OpenMP and BLAS.

    Drawing is a long row of small operations: on a busy machine two threads spend their time
    waiting for each other and take ten times as long as one.
    """
    with use_threads(1):
        yield
