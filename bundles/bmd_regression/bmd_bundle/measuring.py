"""From a CT and its label map to what the network reads, with what was measured beside it.

Numbers travel beside the patches as one table, because MONAI collates and splits up tensors and
text, and knows no missing value but NaN.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from bmd_bundle import calibration_file, in_use
from bmd_bundle.calibration import CalibrationError
from bmd_bundle.common import CaseError
from bmd_bundle.foci import without_foci
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.patches import Patch, PatchError
from bmd_bundle.transforms import TrabecularPatches

#: Columns of the table of numbers; its rows are L1 to L4.
NUMBERS = (
    "hu_trabecular", "hu_sd", "noise_hu", "standard_error_hu",
    "bmd_hu_linear_mg_cm3", "hu_linear_low_mg_cm3", "hu_linear_high_mg_cm3",
)  # fmt: skip
#: Why a level has no patch, beyond the reasons of `PatchError`.
NOT_FOUND, WRONG_KVP = "level_not_found", "kvp_out_of_range"


class MeasureLevelsd(MapTransform):
    """Take the patches of L1 to L4 and measure them; HU become those of the reference beam.

    The image and the label map are taken out. Added are

    - under the image's key: patches, HU at the reference beam, float32 [L, 3, P, P], head to foot;
    - `numbers`: float64 [4, N], rows L1 to L4, columns `NUMBERS`, NaN where there is none;
    - `reasons`: level -> why it has no patch, "" where it has one;
    - `kvp`: tube voltage, kV, NaN where it is not known.

    Args:
        keys: Key of the CT, HU [1, X, Y, Z].
        mask_key: Key of the label map on the same grid.
        kvp_key: Key of the tube voltage, kV; without it 120 is assumed, and intervals are wider.
        calibration: A scanner's or a site's calibration (`bmd_bundle.calibration_file`), or its
            file; None for the reference beam.
        leave_out_foci: Whether dense foci in a patch get the mean of its other samples.
        **settings: Those of `TrabecularPatches`.

    Raises:
        CalibrationError: The file is no calibration.
        CaseError: It holds for another voltage than the scan's.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        mask_key: str = "mask",
        kvp_key: str = "kvp",
        calibration: str | calibration_file.Given | None = None,
        leave_out_foci: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(keys)
        self.mask_key, self.kvp_key = mask_key, kvp_key
        self.leave_out_foci = leave_out_foci
        self.given = calibration_file.given(calibration or None)
        self.patches = TrabecularPatches(**settings)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with patches and numbers."""
        changed = dict(data)
        image, mask = changed.pop(self.keys[0]), changed.pop(self.mask_key)
        kvp = known_kvp(changed.get(self.kvp_key))
        reasons = dict.fromkeys(LEVEL_IDS, NOT_FOUND)
        numbers = np.full((len(LEVEL_IDS), len(NUMBERS)), np.nan)
        pixels = self.patches.settings["pixels"]
        stack = [np.zeros((0, 3, pixels, pixels), dtype=np.float32)]
        used = calibration_of(self.given, kvp, changed.get("case", "case"))
        found = self.patches(image, mask) if used else dict.fromkeys(LEVEL_IDS, None)
        for row, level in enumerate(LEVEL_IDS):
            patch = found.get(level, NOT_FOUND)
            if isinstance(patch, PatchError):
                reasons[level] = patch.reason
            elif isinstance(patch, Patch) and used:
                reasons[level] = ""
                numbers[row] = _numbers(patch, used)
                hu = without_foci(patch) if self.leave_out_foci else patch.hu
                stack.append(used.line.to_reference(hu)[None].astype(np.float32))
            elif patch is None:
                reasons[level] = WRONG_KVP
        return changed | {
            self.keys[0]: torch.from_numpy(np.concatenate(stack)),
            "numbers": torch.from_numpy(numbers),
            "reasons": reasons,
            self.kvp_key: float("nan") if kvp is None else kvp,
        }


def calibration_of(
    given: calibration_file.Given | None, kvp: float | None, case: Any
) -> in_use.InUse | None:
    """Return the calibration of a scan; None where there is none at its voltage.

    Raises:
        CaseError: The user's own holds for another voltage.
    """
    try:
        return in_use.for_scan(given, kvp)
    except in_use.WrongVoltageError as error:
        raise CaseError(case, *str(error).rsplit("; ", 1)) from error
    except CalibrationError:
        return None


def known_kvp(value: Any) -> float | None:
    """Read a voltage that may be missing, kV."""
    if value is None:
        return None
    number = float(value)
    return number if np.isfinite(number) else None


def _numbers(patch: Patch, used: in_use.InUse) -> Sequence[float]:
    """Row of the table for a level that has a patch."""
    error = patch.trabecular_error_hu
    density, interval = used.hu_linear(patch.trabecular_hu, error)
    values = (patch.trabecular_hu, patch.sd_hu, patch.noise_hu, error, density, *interval)
    return [np.nan if value is None else float(value) for value in values]
