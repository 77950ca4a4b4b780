"""What a phantom's truth says of fractures, mimics and implants, as the strata need it.

A patient with several fractures is filed under the deepest that the scan shows whole: one kind, one
grade, one place each, so that the strata of the positives add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.levels import MEASURED_LEVELS
from tools.phantom.anatomy.sizes import LEVEL_SIZES

MILD = 1
"""Genant's grade 1, which readers disagree about: in a row of its own, outside the main result."""

BESIDE = 0.10
"""Share of its level's mean width by which the deepest place of a one-sided fracture lies beside
the mid-plane: the phantom draws 15 to 33 %, and up to 6 % for the others."""


@dataclass(frozen=True)
class Findings:
    """Findings of one digital patient.

    Attributes:
        kind: "wedge", "biconcave", "crush" or "given", of the deepest fracture; None without.
        grade: Its grade, 1 to 3; 0 where a given map's reader saw one that lost less.
        beside: Whether its deepest place lies beside the mid-plane; None if unknown.
        generator: What drew it.
        lumbar: Whether any fracture lies in L1 to L4, where heights are measured.
        near_limit: Whether a fracture was drawn near a limit of the grades.
        cut: Whether the field cuts a fracture.
        mimics: Kinds in the field.
        implants: Whether it shows cement or screws.
    """

    kind: str | None
    grade: int | None
    beside: bool | None
    generator: str | None
    lumbar: bool
    near_limit: bool
    cut: bool
    mimics: tuple[str, ...]
    implants: bool

    @property
    def mild(self) -> bool:
        """Whether the deepest fracture is of grade 1 or less."""
        return self.grade is not None and self.grade <= MILD

    @property
    def main(self) -> bool:
        """Whether the case counts in the main result."""
        return not self.near_limit and not self.mild


def of_truth(truth: Mapping[str, Any]) -> Findings:
    """Read a case of truth.json.

    Args:
        truth: What `phantom` wrote of one scan.

    Raises:
        LookupError, TypeError: It is no such truth.
    """
    levels = truth["levels"]
    # The phantom's own rule (`fracture_truth`): grade 1 or more, or a given map's reader says so.
    real = {
        name: found
        for name, level in levels.items()
        if (found := level.get("fracture")) and level["complete"]
        and (found["grade"] > 0 or found["kind"] == "given")
    }  # fmt: skip
    name = max(real, key=lambda level: real[level]["loss"], default=None)
    deepest: Mapping[str, Any] = real[name] if name is not None else {}
    side_mm = deepest.get("side_mm")
    return Findings(
        kind=deepest.get("kind"),
        grade=deepest.get("grade"),
        beside=None
        if name is None or side_mm is None
        else abs(side_mm) > BESIDE * LEVEL_SIZES[name].width,
        generator=deepest.get("generator"),
        lumbar=any(level in real for level in MEASURED_LEVELS),
        near_limit=bool(truth.get("threshold", False)),
        cut=bool(truth.get("fracture_at_border", False)),
        mimics=tuple(truth.get("mimics", ())),
        implants=any(level.get("implants") for level in levels.values()),
    )
