"""From the network's output to the levels' block of `report.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from bmd_bundle import calibration_file, in_use, interval
from bmd_bundle.common import MEASURED, REFUSED
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.measuring import NUMBERS, calibration_of, known_kvp

#: Warning of a level whose scan does not say its tube voltage.
UNKNOWN_KVP = "kvp_unknown"
#: Warning of a scan at another tube voltage than the usual one.
OTHER_KVP = "kvp_not_120"
USUAL_KVP, SAME_KV = 120.0, 0.5


class DescribeLevelsd(MapTransform):
    """Say of each level what was measured, or why not.

    Added under `levels_key` is, for L1 to L4, a dictionary of `status`, `reasons`, `warnings`,
    `hu_trabecular`, `hu_sd`, `noise_hu`, `bmd_cnn_mg_cm3`, `bmd_hu_linear_mg_cm3` and
    `bmd_interval_95_mg_cm3`, which is the network's; under `rows_key` the same with both intervals
    the standard error and the calibration's id, for `rows.PredictionRows`.

    Args:
        keys: Key of the network's densities, mg/cm³ HA [L, 1], of the levels that have a patch.
        calibration: What `MeasureLevelsd` was given.
        weights: File of the network's weights, which a site's correction and the interval name.
        interval: File of the interval (`bmd_bundle.interval`); None for no interval.
        levels_key: Where the block goes.
        rows_key: Where all numbers go.

    Raises:
        WrongWeightsError: The site's correction was made with other weights.
    """

    #: What a network has to say for this to be right (`preflight.check_task`).
    task = "density"

    def __init__(
        self,
        keys: KeysCollection = "pred",
        calibration: str | calibration_file.Given | None = None,
        weights: str | Path = "models/model.pt",
        interval: str | Path | None = "models/interval.json",
        levels_key: str = "levels",
        rows_key: str = "measured",
    ) -> None:
        super().__init__(keys)
        self.given = calibration_file.given(calibration or None)
        self.weights, self.interval_file = Path(weights), interval
        self.levels_key, self.rows_key = levels_key, rows_key

    @cached_property
    def interval(self) -> interval.Interval | None:
        """The interval of the weights in use."""
        checksum = hashlib.sha256(self.weights.read_bytes()).hexdigest()
        in_use.check_weights(self.given, checksum)
        return interval.load(self.interval_file, checksum) if self.interval_file else None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with levels and rows."""
        changed = dict(data)
        kvp = known_kvp(changed["kvp"])
        densities = (
            torch.as_tensor(changed[self.keys[0]]).detach().cpu().double().flatten().tolist()
        )
        table = torch.as_tensor(changed["numbers"]).cpu().numpy()
        used = calibration_of(self.given, kvp, "case")
        rows: dict[str, dict[str, Any]] = {}
        for row, (level, reason) in enumerate(changed["reasons"].items()):
            values = {
                name: _known(number) for name, number in zip(NUMBERS, table[row], strict=True)
            }
            if reason:
                rows[level] = {"status": REFUSED, "reasons": [reason], "warnings": [], **values}
                rows[level] |= {"bmd_cnn_mg_cm3": None, "cnn_interval": None}
                continue
            density, limits = self._read(densities.pop(0), values["standard_error_hu"], kvp, used)
            rows[level] = {
                "status": MEASURED,
                "reasons": [],
                "warnings": warnings_of(kvp),
                **values,
                "bmd_cnn_mg_cm3": density,
                "cnn_interval": limits,
                "calibration": used.block()["id"] if used else None,
            }
        changed[self.rows_key] = rows
        changed[self.levels_key] = {level: block(rows[level]) for level in LEVEL_IDS}
        return changed

    def _read(
        self,
        density: float,
        error: float | None,
        kvp: float | None,
        used: in_use.InUse | None,
    ) -> tuple[float | None, list[float] | None]:
        """What the network reads, with its interval; corrected if the site's file says so."""
        found = self.interval  # also checks the weights
        limits = found.around(density, error, kvp) if found else (np.nan, np.nan)
        if used is not None:
            density, limits = used.cnn(density, limits, error)
        return density, list(limits) if np.isfinite(limits).all() else None


def warnings_of(kvp: float | None) -> list[str]:
    """Warnings that a scan's tube voltage gives each of its levels.

    Examples:
        >>> warnings_of(None), warnings_of(100.0), warnings_of(120.0)
        (['kvp_unknown'], ['kvp_not_120'], [])
    """
    if kvp is None:
        return [UNKNOWN_KVP]
    return [OTHER_KVP] if abs(kvp - USUAL_KVP) > SAME_KV else []


def block(row: Mapping[str, Any]) -> dict[str, Any]:
    """Take from what is known of a level what `report.json` holds."""
    return {
        **{name: row[name] for name in ("status", "reasons", "warnings")},
        **{name: row[name] for name in ("hu_trabecular", "hu_sd", "noise_hu")},
        **{name: row[name] for name in ("bmd_cnn_mg_cm3", "bmd_hu_linear_mg_cm3")},
        "bmd_interval_95_mg_cm3": row["cnn_interval"],
    }


def _known(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
