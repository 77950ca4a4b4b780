"""What the machine can do: the rate of a large matrix product, and operations of a network."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from tools.bench.clock import Watch

SIZE = 2048
"""Rows and columns of the matrices: too large for caches, a fraction of a second."""

TIMES = 5
"""Products of which the median counts."""


def matrix_product(device: torch.device, size: int | None = None) -> Watch:
    """Time of a float32 matrix product with the threads in use: the median one.

    It takes 2 n³ operations: n³ multiplications and as many additions.

    Args:
        device: Where.
        size: Rows and columns.
    """
    size = size or SIZE
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, size, generator=generator).to(device) for _ in range(2))
    watches = []
    torch.mm(left, right)  # threads and memory are there from now on
    for _ in range(TIMES):
        with Watch(device) as watch:
            torch.mm(left, right)
        watches.append(watch)
    return sorted(watches, key=lambda one: one.seconds)[TIMES // 2]


def gflop_of_product() -> float:
    """Operations of the matrix product, GFLOP."""
    return 2 * SIZE**3 / 1e9


def operations(network: torch.nn.Module, shapes: Sequence[Sequence[int]]) -> int:
    """Floating-point operations of a network's convolutions and products.

    Args:
        network: The network; nothing is computed.
        shapes: Shapes of the inputs that it is given.
    """
    without_numbers = copy.deepcopy(network).to("meta")  # shapes are enough to count
    each: dict[tuple[int, ...], int] = {}
    for shape in {tuple(shape) for shape in shapes}:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            without_numbers(torch.zeros(shape, device="meta"))
        each[shape] = counter.get_total_flops()
    return sum(each[tuple(shape)] for shape in shapes)
