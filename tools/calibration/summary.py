"""What a recalibration found, as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

WORDS = MappingProxyType({"cnn": "network", "hu_linear": "HU-linear"})
"""Reading -> its word."""


def markdown(content: Mapping[str, Any]) -> str:
    """Write the page.

    Args:
        content: Of recalibration.json.
    """
    line = content["correction"]
    slope, ci = line["fitted_slope"], line["fitted_slope_ci95"]
    parts = [
        f"# Recalibration of the {WORDS[content['reading']]} density",
        f"{content['pairs']} pairs of {content['patients']} patients at {content['kvp']:g} kV, "
        f"references in {content['reference_mineral']}, all numbers in mg/cm³ HA."
        + _left_out(content["left_out"]),
        f"Corrected density = {line['slope']:.3f} × reading {_signed(line['intercept_mg_cm3'])} "
        f"mg/cm³. {line['why'][0].upper()}{line['why'][1:]}; Deming's slope is {slope:.3f} "
        f"({ci[0]:.3f} to {ci[1]:.3f}). At the mean reading of {line['mean_reading_mg_cm3']:.1f} "
        f"it adds {_signed(line['shift_mg_cm3'])} ({_range(line['shift_ci95_mg_cm3'])}).",
        _table(content),
        "Before: readings as they were. After: every patient corrected by a line fitted on all "
        "other patients. In parentheses 95 % confidence intervals over patients.",
    ]
    if content["outlying_cases"]:
        parts.append(
            "Far from all others even after correction; check that reading and reference are of "
            f"the same person: {', '.join(content['outlying_cases'])}."
        )
    parts.append("Research use only; nothing here is a diagnosis.")
    return "\n\n".join(parts) + "\n"


def _table(content: Mapping[str, Any]) -> str:
    lines = [
        "| | bias | SD | lower limit of agreement | upper limit | RMS, single levels |",
        "|---|---|---|---|---|---|",
    ]
    for name, key in (("before", "before"), ("after, patients left out", "after_left_out")):
        found, levels = content[key]["patients"], content[key]["levels"]
        cells = [name, _estimate(found, "bias"), f"{found['sd_mg_cm3']:.2f}"]
        cells += [_estimate(found, "limit_low"), _estimate(found, "limit_high")]
        cells.append(f"{levels['rms_mg_cm3']:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _estimate(found: Mapping[str, Any], key: str) -> str:
    value, ci = found[f"{key}_mg_cm3"], found[f"{key}_ci95_mg_cm3"]
    return f"{_signed(value)} ({_range(ci)})"


def _range(ci: Sequence[float]) -> str:
    return f"{_signed(ci[0])} to {_signed(ci[1])}"


def _signed(value: float) -> str:
    """A number with a real minus, two digits.

    >>> _signed(-3.14159), _signed(2.0)
    ('−3.14', '+2.00')
    """
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def _left_out(counts: Mapping[str, int]) -> str:
    """Why rows were left out, in words; nothing for none."""
    said = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in counts.items())
    return f" Rows left out: {said}." if said else ""
