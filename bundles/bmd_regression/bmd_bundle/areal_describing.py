"""From the network's areal densities of slices to levels, the patient, and `<case>_bmd.json`.

Areal density has places of its own in every file: nothing here is called mg/cm³.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from bmd_bundle.common import MEASURED, REFUSED
from bmd_bundle.describing import warnings_of
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.measuring import known_kvp
from bmd_bundle.save import SaveImageBmdd
from bmd_bundle.t_score import Reference

#: Where an areal density stands, g/cm².
AREAL = "areal_bmd_g_cm2"


class DescribeArealLevelsd(MapTransform):
    """Say of each level and of the patient what was read, or why not.

    A level is the mean over its slices, the patient the mean over all slices of all levels (S4).
    Added are

    - `levels`: L1 to L4 -> `status`, `reasons`, `warnings`, `areal_bmd_g_cm2`, `slices`, and
      `slices_sd_g_cm2`, their standard deviation;
    - `areal`: `status`, `reasons`, `areal_bmd_g_cm2`, `levels_used`, `slices`, `t_score`,
      `t_score_reference`, the name of those it is held against.

    Args:
        keys: Key of the network's areal densities, g/cm² [N, 1], of the slices in order.
        reference: Young adults of the T-score.
        levels_key: Where the levels go.
        patient_key: Where the patient goes.
    """

    #: What a network has to say for this to be right (`preflight.check_task`).
    task = "areal"

    def __init__(
        self,
        keys: KeysCollection = "pred",
        reference: Reference | None = None,
        levels_key: str = "levels",
        patient_key: str = "areal",
    ) -> None:
        super().__init__(keys)
        self.reference = reference or Reference()
        self.levels_key, self.patient_key = levels_key, patient_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with levels and patient."""
        changed = dict(data)
        reasons: Mapping[str, str] = changed["reasons"]
        read = [level for level in LEVEL_IDS if not reasons[level]]
        values = torch.as_tensor(changed[self.keys[0]]).detach().cpu().double().flatten()
        parts = dict(zip(read, values.chunk(len(read)), strict=True)) if read else {}
        warnings = warnings_of(known_kvp(changed.get("kvp")))
        changed[self.levels_key] = {
            level: _level(parts.get(level), reasons[level], warnings) for level in LEVEL_IDS
        }
        changed[self.patient_key] = self._patient(values, read, [*reasons.values()])
        return changed

    def _patient(
        self, values: torch.Tensor, read: Sequence[str], reasons: Sequence[str]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {
            "status": MEASURED if read else REFUSED,
            "reasons": [] if read else list(dict.fromkeys(reasons)),
            AREAL: float(values.mean()) if read else None,
            "levels_used": list(read),
            "slices": len(values),
            "t_score": None,
            "t_score_reference": None,
        }
        score = self.reference.of_levels([found[AREAL]] * len(read))
        if score is not None:
            found |= {"t_score": score, "t_score_reference": self.reference.name}
        return found


def _level(values: torch.Tensor | None, reason: str, warnings: Sequence[str]) -> dict[str, Any]:
    """What is said of a level."""
    if values is None:
        nothing = {AREAL: None, "slices": 0, "slices_sd_g_cm2": None}
        return {"status": REFUSED, "reasons": [reason], "warnings": [], **nothing}
    return {
        "status": MEASURED,
        "reasons": [],
        "warnings": list(warnings),
        AREAL: float(values.mean()),
        "slices": len(values),
        "slices_sd_g_cm2": float(values.std()) if len(values) > 1 else None,
    }


class SaveImageArealBmdd(SaveImageBmdd):
    """Write the areal densities of one case: `<case>_bmd.json` with the patient's block."""

    def content(self, name: str, data: Mapping[Hashable, Any]) -> dict[str, Any]:
        """What the file of a case holds."""
        return {**super().content(name, data), "areal": data["areal"]}
