"""One thread for work that gains nothing from more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def single_thread() -> Iterator[None]:
    """Run a block on one thread of PyTorch, OpenMP and BLAS.

    Drawing is a long row of small operations: on a busy machine two threads spend their time
    waiting for each other and take ten times as long as one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
