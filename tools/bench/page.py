"""bench.md: the numbers of bench.json, to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Content = Mapping[str, Any]


def summary(content: Content) -> str:
    """The two numbers that count, in one line each."""
    speed = content["ratios"]["speed"]
    together = content["screen"]["networks_together"]["share_of_matrix_product"]
    return (
        f"screen: {_range(speed)} times as fast as the reference network on the same CT, warm\n"
        f"screen's networks: {_range(together, 100)} % of the matrix-product rate"
    )


def write(content: Content) -> str:
    """Write the page.

    Args:
        content: What bench.json holds.
    """
    return "\n".join([*_head(content), *_stages(content), *_networks(content), *_noise(content)])


def _head(content: Content) -> list[str]:
    machine, ct, screen = content["machine"], content["ct"], content["screen"]
    where = machine["graphics_card"] or f"{machine['cores']} cores"
    what = f"a digital patient of {ct['drawn']} size" if ct["drawn"] else "a CT of one's own"
    shape = " × ".join(map(str, ct["shape"]))
    spacing = " × ".join(f"{step:g}" for step in ct["spacing_mm"])
    peak = screen["peak_memory_mib"]
    return [
        "# Speed and memory of `screen`",
        "",
        f"Measured on {where}, {machine['threads']} threads, {what}: {shape} voxels of {spacing} "
        f"mm. Median of {content['rounds']} warm rounds, least to most in brackets.",
        "",
        *(f"- {line}" for line in summary(content).splitlines()),
        f"- scans per hour, one process: {_range(screen['scans_per_hour'])}",
        f"- peak memory of the process, MiB: `screen` {_number(peak['cold'])} cold, "
        f"{_number(peak['warm'])} warm; with the reference network "
        f"{_number(content['reference']['peak_memory_mib'])}",
        "",
    ]


def _stages(content: Content) -> list[str]:
    screen, reference = content["screen"], content["reference"]
    rows = [
        f"| {stage} | {screen['cold_s'][stage]:.3g} | {_range(warm)} |"
        for stage, warm in screen["warm_s"].items()
    ]
    return [
        "| stage | cold, s | warm, s |",
        "|---|---|---|",
        f"| loading the networks | {screen['loading_networks_s']:.3g} | |",
        *rows,
        f"| reference, from file to label map | | {_range(reference['all_s'])} |",
        "",
    ]


def _networks(content: Content) -> list[str]:
    named = {
        **content["screen"]["networks"],
        "both": content["screen"]["networks_together"],
        "reference": content["reference"]["network"],
    }
    rows = [
        f"| {name} | {one['gflop']:.4g} | {_range(one['seconds'])} | {_range(one['gflops'])} | "
        f"{_range(one['share_of_matrix_product'], 100)} | "
        f"{_range(one['share_by_processor_time'], 100)} |"
        for name, one in named.items()
    ]
    return [
        "| network | GFLOP | s | GFLOP/s | % of the matrix-product rate | … by processor time |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"The rate of a float32 matrix product in the same rounds: "
        f"{_range(content['matrix_product_gflops'])} GFLOP/s. Convolutions and products are "
        "counted; normalisation, activation and copies take time and count as nothing.",
        "",
        f"The reference is a MONAI `DynUNet` of {content['reference']['parameters'] / 1e6:.1f} "
        "million parameters, the size of TotalSegmentator's 3 mm model, with random weights; "
        f"{content['reference']['windows']} windows that overlap by half.",
        "",
    ]


def _noise(content: Content) -> list[str]:
    ratios = content["ratios"]
    return [
        f"By processor time `screen` is {_range(ratios['speed_by_processor_time'])} times as fast, "
        f"its networks by the wall {_range(ratios['speed_of_networks'])} times.",
        "",
        "Noise: seconds depend on the machine and on what else it does. A ratio is taken within "
        "one round, its parts measured one after the other with the same threads; where brackets "
        "are wide, the machine was busy, and processor time says more.",
        "",
    ]


def _range(stat: Mapping[str, float], times: float = 1.0) -> str:
    """Median with least and most.

    >>> _range({"median": 0.5, "min": 0.25, "max": 0.75}, 100)
    '50 (25 to 75)'
    """
    median, low, high = (f"{stat[key] * times:.3g}" for key in ("median", "min", "max"))
    return f"{median} ({low} to {high})"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f}"
