"""What the network says of a CT becomes a probability and a decision, or a refusal."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ovf_bundle.common import MEASURED, REFUSED, UNNAMED, CaseError


class DescribeFractured(MapTransform):
    """Say of a CT whether it shows an osteoporotic vertebral fracture.

    Args:
        keys: Key of the probabilities, [1 + S]: the CT's, then its slices' (`SliceInferer`).
        threshold: A CT above it is positive (S1: 0.5).
        facts_key: Key of what `SagittalSlicesd` says of the slices.
        ovf_key: Where the block of the report goes.
        case_key: Key of the case's name.

    Raises:
        ValueError: The threshold is no probability.
        CaseError: The network gave no numbers.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        threshold: float = 0.5,
        facts_key: str = "facts",
        ovf_key: str = "ovf",
        case_key: str = "case",
    ) -> None:
        super().__init__(keys)
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}; give a probability, 0 to 1")
        self.threshold = threshold
        self.facts_key, self.ovf_key, self.case_key = facts_key, ovf_key, case_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Describe the case."""
        changed = dict(data)
        found: torch.Tensor = changed[self.first_key(changed)]
        if not bool(torch.isfinite(found).all()):
            problem = "the network gives no numbers"
            raise CaseError(changed.get(self.case_key, UNNAMED), problem, "check its weights")
        probability, *slices = found.flatten().tolist()
        reason = str(changed[self.facts_key]["reason"])
        positive = probability > self.threshold
        changed[self.ovf_key] = {
            "status": REFUSED if reason else MEASURED,
            "reasons": [reason] if reason else [],
            "probability": None if reason else probability,
            "decision": None if reason else ("positive" if positive else "negative"),
            "slices": len(slices),
            "levels_covered": None,
            "slice_probabilities": None if reason else slices,
        }
        return changed
