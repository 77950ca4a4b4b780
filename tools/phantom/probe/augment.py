"""Random changes to a batch of slices that go beyond what scanners and patients differ by.

All work on whole batches in torch: a batch of 16 costs a few milliseconds per slice on two cores.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from tools.phantom.probe.slices import OUTSIDE_HU, PIXEL_MM, SliceSet

#: Window mapped to [0, 1], HU: level 350, width 1000, as in the studies.
WINDOW_HU = (-150.0, 850.0)
#: Field the network sees in training, pixels [Y, Z]: 256 x 320 mm.
CROP = (128, 160)
ROTATION_DEG = 20.0
SCALE = (0.8, 1.25)
STRETCH = 0.1  # further scale of y against z
WARP_MM = 3.0  # SD of a smooth displacement, on a 6 x 6 lattice
SHIFT_MM = 60.0  # of the crop against the middle of the field, in y
GAIN = 0.10
OFFSET_HU = 30.0
GAMMA = (0.7, 1.4)
NOISE_HU = 60.0
COARSE_MM = (3.0, 6.0)  # voxel of a thick or small scan
#: Share of slices (or of batches, where all slices of one change together) with an effect.
P_COARSE, P_NOISE, P_GAMMA, P_FIELD, P_OCCLUSION = 0.5, 0.5, 0.5, 0.25, 0.15


def window(hu: torch.Tensor) -> torch.Tensor:
    """Map HU to [0, 1]: -150 HU and less to 0, 850 HU and more to 1."""
    low, high = WINDOW_HU
    return ((hu - low) / (high - low)).clamp(0, 1)


def draw_batch(
    slices: SliceSet, index: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut augmented crops from slices.

    Args:
        slices: All slices.
        index: Which of them, int64 [B].
        generator: Source of all randomness.

    Returns:
        Network input [B, 1, *CROP] in [0, 1], and classes [B, 1, *CROP] int64.
    """
    hu = slices.images[index].float()[:, None]
    labels = slices.labels[index].float()[:, None]
    lattice = _lattice(hu.shape[2:], slices.extents[index], generator)
    # Nearest for classes; HU relative to air so that the outside is air.
    hu = F.grid_sample(hu - OUTSIDE_HU, lattice, align_corners=False) + OUTSIDE_HU
    labels = F.grid_sample(labels, lattice, mode="nearest", align_corners=False).long()
    hu = _coarsen(hu, generator)
    hu = hu * (1 + GAIN * _symmetric(len(hu), generator)) + OFFSET_HU * _symmetric(
        len(hu), generator
    )
    hu = _add_noise(hu, generator)
    hu, labels = _cut_field(hu, labels, generator)
    grey = window(_occlude(hu, generator))
    gamma = _uniform(len(hu), math.log(GAMMA[0]), math.log(GAMMA[1]), generator).exp()
    gamma = torch.where(_chance(len(hu), P_GAMMA, generator), gamma, torch.ones_like(gamma))
    return grey**gamma, labels


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    """Return uniform numbers [count, 1, 1, 1]."""
    return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)


def _symmetric(count: int, generator: torch.Generator) -> torch.Tensor:
    """Return uniform numbers in [-1, 1], [count, 1, 1, 1]."""
    return _uniform(count, -1, 1, generator)


def _chance(count: int, share: float, generator: torch.Generator) -> torch.Tensor:
    """Return booleans [count, 1, 1, 1] that are true for `share` of the slices."""
    return torch.rand(count, 1, 1, 1, generator=generator) < share


def _lattice(size: torch.Size, extents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw where each crop's pixels lie in its slice: rotation, scale, shift, smooth warp.

    Args:
        size: Pixels of the slices, [Y, Z].
        extents: Rows of Z that hold the patient, [B].
        generator: Source of all randomness.

    Returns:
        Normalised positions [B, *CROP, 2], Z before Y as torch wants them.
    """
    count = len(extents)
    angle = torch.deg2rad(ROTATION_DEG * _symmetric(count, generator))[:, 0, 0, 0]
    scale = _uniform(count, math.log(SCALE[0]), math.log(SCALE[1]), generator)[:, 0, 0, 0].exp()
    stretch = 1 + STRETCH * _symmetric(count, generator)[:, 0, 0, 0]
    y = (torch.arange(CROP[0]) - (CROP[0] - 1) / 2)[None, :, None]
    z = (torch.arange(CROP[1]) - (CROP[1] - 1) / 2)[None, None, :]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    scale, stretch = scale[:, None, None], stretch[:, None, None]
    place_y = scale * (cos * y - sin * z) * stretch
    place_z = scale * (sin * y + cos * z)
    shift = torch.rand(count, 2, generator=generator)
    middle_y = (size[0] - 1) / 2 + (2 * shift[:, 0] - 1) * SHIFT_MM / PIXEL_MM
    # The crop's middle is anywhere in the field from a quarter crop inside its ends, so that
    # sacrum or ribs are often out of sight.
    margin = torch.minimum(torch.tensor(CROP[1] / 4), extents / 2)
    middle_z = margin + shift[:, 1] * (extents - 2 * margin) - 0.5
    knots = torch.randn(count, 2, 6, 6, generator=generator) * WARP_MM / PIXEL_MM
    warp = F.interpolate(knots, size=CROP, mode="bicubic", align_corners=True)
    index_y = place_y + middle_y[:, None, None] + warp[:, 0]
    index_z = place_z + middle_z[:, None, None] + warp[:, 1]
    return torch.stack([(2 * index_z + 1) / size[1] - 1, (2 * index_y + 1) / size[0] - 1], dim=-1)


def _coarsen(hu: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Average some slices to voxels of 3 to 6 mm along y, z or both, and interpolate back.

    One voxel size is drawn per batch and applied to a random half of it.
    """
    draw = torch.rand(3, generator=generator)
    voxel_mm = COARSE_MM[0] + (COARSE_MM[1] - COARSE_MM[0]) * float(draw[0])
    factor = PIXEL_MM / voxel_mm
    both, along_z = bool(draw[1] < 0.5), bool(draw[2] < 0.7)
    size = [
        max(1, round(CROP[0] * (factor if both or not along_z else 1))),
        max(1, round(CROP[1] * (factor if both or along_z else 1))),
    ]
    coarse = F.interpolate(hu, size=size, mode="area")
    coarse = F.interpolate(coarse, size=CROP, mode="bilinear", align_corners=False)
    return torch.where(_chance(len(hu), P_COARSE, generator), coarse, hu)


def _add_noise(hu: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Add noise of a random SD, half of it blotchy (4 mm), to some slices."""
    fine = torch.randn(hu.shape, generator=generator)
    small = torch.randn(len(hu), 1, CROP[0] // 2, CROP[1] // 2, generator=generator)
    blotchy = F.interpolate(small, size=CROP, mode="bilinear", align_corners=False)
    blend = _uniform(len(hu), 0, 1, generator)
    sd = NOISE_HU * _uniform(len(hu), 0, 1, generator)
    sd = sd * _chance(len(hu), P_NOISE, generator)
    return hu + sd * (fine * (1 - blend) + 1.5 * blotchy * blend)


def _boxes(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    """Draw one box per slice, its sides `low` to `high` of the crop's; boolean [B, 1, *CROP]."""
    inside = torch.ones(count, 1, *CROP, dtype=torch.bool)
    for axis, length in enumerate(CROP):
        side = _uniform(count, low, high, generator)
        start = _uniform(count, 0, 1, generator) * (1 - side)
        place = ((torch.arange(length) + 0.5) / length).reshape((-1, 1) if axis == 0 else (1, -1))
        inside &= (place >= start) & (place < start + side)
    return inside


def _cut_field(
    hu: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut some slices to a small field of view: nothing, and no label, outside it."""
    count = len(hu)
    kept = _boxes(count, 0.35, 1.0, generator) | ~_chance(count, P_FIELD, generator)
    return torch.where(kept, hu, OUTSIDE_HU), labels * kept


def _occlude(hu: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Cover a part of some slices with one grey value (metal, gas, contrast)."""
    count = len(hu)
    covered = _boxes(count, 0.03, 0.2, generator) & _chance(count, P_OCCLUSION, generator)
    return torch.where(covered, _uniform(count, -300, 1500, generator), hu)
