"""Study S3's screening classifier: a DenseNet that says whether the density is reduced."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.nets import DenseNet121

from bmd_bundle.calibration import LIMITS_MG_CM3


class ScreeningDenseNet121(DenseNet121):
    """DenseNet-121 whose output is the log-odds of reduced density.

    Its state holds the limit that it learnt. So its weights are no weights of a network that reads
    density, and the other way round: either way they are refused instead of read as the other.

    Args:
        **settings: Those of MONAI's DenseNet121.

    Shapes: [B, C, P, P], 0 to 1 -> [B, 1], log-odds.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.register_buffer("limit_k2hpo4_mg_cm3", torch.tensor(LIMITS_MG_CM3[1]))
