"""Rates of a finding both ways: of the measured scans as S2 does, and of all scans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.statistics import Estimate, rates


def both_ways(
    has: Sequence[bool],
    called: Sequence[bool | None],
    patients: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Rate a finding.

    A scan that was not measured is neither found nor cleared: among all scans it counts against
    sensitivity and against specificity.

    Args:
        has: Whether each scan has it.
        called: Whether it was said to; None if it was not measured.
        patients: Whose each scan is; None if each is another patient's.
        seed: Seed of the resampling.

    Returns:
        `sensitivity_measured`, `specificity_measured`, `precision_measured`, `f1_measured`,
        `accuracy_measured`; `sensitivity_all`, `specificity_all`, `accuracy_all`.

    >>> found = both_ways([True, True, True, False], [True, False, None, False])
    >>> found["sensitivity_measured"].value, round(found["sensitivity_all"].value, 3)
    (0.5, 0.333)
    """
    true = np.array(has, dtype=bool)
    read = np.array([answer is not None for answer in called], dtype=bool)
    found = np.array([bool(answer) for answer in called], dtype=bool)
    owners = np.arange(len(true)).astype(str) if patients is None else np.asarray(patients, str)
    measured = rates(true[read], found[read], owners[read], seed)
    everyone = rates(true, np.where(read, found, ~true), owners, seed)
    return {f"{name}_measured": number for name, number in measured.items()} | {
        f"{name}_all": everyone[name] for name in ("sensitivity", "specificity", "accuracy")
    }
