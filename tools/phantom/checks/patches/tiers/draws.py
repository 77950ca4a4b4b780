"""Tier T2 over many draws of its patients: a single draw may be a lucky one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tools.phantom.checks.patches.tiers import calibrations
from tools.phantom.checks.patches.tiers.cohort import Cohort
from tools.phantom.checks.patches.tiers.readings import Values

MOST_BIAS_MG_CM3 = 2.0
"""A correction that leaves more than this is counted, mg/cm³."""

LOW_SHARE = 10
"""The coverage that this percentage of the draws does not reach is stated."""


class Draws(NamedTuple):
    """What corrections leave to the patients that they were not made from, one number a draw.

    Attributes:
        bias: Of levels, mg/cm³ HA.
        coverage: Share of levels whose QCT density lies in their interval.
        failed: Draws whose pairs made no correction; they have no number.
    """

    bias: np.ndarray
    coverage: np.ndarray
    failed: int

    def as_dict(self) -> dict[str, Any]:
        """Numbers for JSON, by name."""
        content: dict[str, Any] = {"draws": len(self.bias) + self.failed, "failed": self.failed}
        if len(self.bias):
            content |= {
                "bias_mean_mg_cm3": float(self.bias.mean()),
                "bias_sd_mg_cm3": float(self.bias.std(ddof=1)) if len(self.bias) > 1 else None,
                "beyond_2_mg_cm3": int((np.abs(self.bias) > MOST_BIAS_MG_CM3).sum()),
                "coverage_mean": float(self.coverage.mean()),
                "coverage_low_tenth": float(np.percentile(self.coverage, LOW_SHARE)),
            }
        return content

    def in_words(self) -> str:
        """One clause for the page."""
        if not len(self.bias):
            return f"none of {self.failed} draws made a correction"
        found = self.as_dict()
        spread = found["bias_sd_mg_cm3"]
        return (
            f"over {found['draws']} draws of {calibrations.PAIRS} patients the others' bias is "
            f"{found['bias_mean_mg_cm3']:+.2f}"
            + (f" ± {spread:.2f} (SD)" if spread is not None else "")
            + f", beyond {MOST_BIAS_MG_CM3:g} in {found['beyond_2_mg_cm3']}, and the interval "
            f"holds {100 * found['coverage_mean']:.1f} % of their levels, less than "
            f"{100 * found['coverage_low_tenth']:.1f} % in one draw of ten"
            + (f"; {self.failed} made no correction" if self.failed else "")
        )


def repeat(
    cohort: Cohort,
    correct: Callable[[np.ndarray], Values],
    seeds: range,
) -> Draws:
    """Correct a reading by many draws of patients, and score each on the others.

    Args:
        cohort: The scanner's patients.
        correct: Gives what is read of all of them once the chosen ones, bool [N], corrected it;
            raises ValueError where they make no correction.
        seeds: Of the draws.
    """
    bias, coverage, failed = [], [], 0
    for seed in seeds:
        chosen = calibrations.draw(cohort, seed)
        try:
            values = correct(chosen)
        except ValueError:
            failed += 1
            continue
        others = cohort.read & ~chosen[:, None]
        true = cohort.qct_ha[others]
        bias.append(float((values.density[others] - true).mean()))
        held = (values.low[others] <= true) & (true <= values.high[others])
        coverage.append(float(held.mean()))
    return Draws(np.array(bias), np.array(coverage), failed)
