"""What the phantom's scanners call themselves and their kernels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MODEL = "Digital spine phantom"

KERNELS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "A": MappingProxyType({"soft": "Br36", "sharp": "Br60"}),
        "B": MappingProxyType({"soft": "STANDARD", "sharp": "BONE"}),
        "C": MappingProxyType({"soft": "FC08", "sharp": "FC30"}),
    }
)
"""Kernel names after the manner of three vendors (D), by scanner and the phantom's own name."""

WINDOWS: Mapping[str, tuple[int, int]] = MappingProxyType({"soft": (40, 400), "sharp": (350, 1000)})
"""Centre and width, HU, at which images of a kernel are first shown."""


def manufacturer(scanner: str) -> str:
    """Return a scanner's Manufacturer.

    >>> manufacturer("A")
    'OsteoCT phantom scanner A'
    """
    return f"OsteoCT phantom scanner {scanner}"


def kernel_name(scanner: str, kernel: str) -> str:
    """Return a scanner's Convolution Kernel; a kernel without a name of its own in capitals."""
    return KERNELS.get(scanner, {}).get(kernel, kernel.upper())


def window(kernel: str) -> tuple[int, int]:
    """Return the first window of a kernel, centre and width, HU."""
    return WINDOWS.get(kernel, WINDOWS["soft"])
