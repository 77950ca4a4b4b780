"""Time, memory and repeated measurements.

with clock.Watch(device) as watch: ...
watch.seconds, watch.processor_s
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import torch

DIGITS = 4
"""Significant digits of what is written down."""

STATUS, CLEAR_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Watch:
    """Seconds by the wall and of the processor, all threads together.

    Args:
        device: Where the work runs; what a graphics card still does is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds = 0.0
        self.processor_s = 0.0

    def __enter__(self) -> Self:
        """Start; a second time goes on adding."""
        synchronise(self._device)
        self._wall, self._processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        synchronise(self._device)
        self.seconds += time.perf_counter() - self._wall
        self.processor_s += time.process_time() - self._processor


def synchronise(device: torch.device) -> None:
    """Wait for a graphics card; the processor is always done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def summarise(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most of repeated measurements.

    >>> summarise([2.0, 1.0, 4.0])
    {'median': 2.0, 'min': 1.0, 'max': 4.0}
    """
    return {
        "median": rounded(statistics.median(values)),
        "min": rounded(min(values)),
        "max": rounded(max(values)),
    }


def rounded(value: float) -> float:
    """A number with few significant digits.

    >>> rounded(1234.56), rounded(0.00123456)
    (1235.0, 0.001235)
    """
    return float(f"{value:.{DIGITS}g}")


def peak_mib() -> float | None:
    """Largest memory of this process since it was last asked, MiB; None where nobody counts."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
    except OSError:
        return None
    with suppress(OSError):
        CLEAR_PEAK.write_text("5")  # the peak starts anew
    return round(int(found[1]) / 1024, 1) if found else None
