"""Random texture of tissue, fixed to the anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional


@dataclass(frozen=True)
class Texture:
    """Smooth periodic random values in millimetres of the patient: every scan shows the same.

    Attributes:
        lattice: Standard normal values, periodic, [N, N, N].
        spacing_mm: Distance of lattice points, mm.
    """

    lattice: np.ndarray
    spacing_mm: float

    @staticmethod
    def draw(rng: np.random.Generator, spacing_mm: float, size: int = 32) -> Texture:
        """Draw a lattice of `size`³ values."""
        return Texture(rng.standard_normal((size,) * 3, dtype=np.float32), spacing_mm)

    def sample(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Interpolated values at local coordinates in mm, broadcast shape of the three."""
        size = self.lattice.shape[0]
        # One more layer on each side makes linear interpolation periodic.
        padded = np.pad(self.lattice, ((0, 1),) * 3, mode="wrap")
        volume = torch.from_numpy(padded).to(u.device)[None, None]
        parts = torch.broadcast_tensors(
            *(torch.remainder(part / self.spacing_mm, size) * (2 / size) - 1 for part in (u, v, w))
        )
        places = torch.stack((parts[2], parts[1], parts[0]), dim=-1)[None]
        return functional.grid_sample(volume, places, mode="bilinear", align_corners=True)[0, 0]
