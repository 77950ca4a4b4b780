"""Where in the body the noise is: from the water that the rays pass.

Filtered back-projection adds, at a point, the variances of all rays through it, and a ray's
variance grows with exp(mu * path). So the middle of a body is noisier than its skin, air around it
is quiet, wide slices are noisier, and rays along the shoulders or hips leave streaks along them.
Tube current modulation makes good a share of what the body's middle asks for, per direction and
per slice; the bow tie does so for the fan. All is computed on a grid of about 1 cm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

WATER_MU_PER_CM = 0.2
"""Attenuation of water, 1/cm, at 70 keV, the mean of a 120 kV beam in the body (V: NIST 0.193)."""

REFERENCE_BODY_CM = 30.0
"""Diameter of the water body in whose middle a protocol's `noise_hu` holds, cm."""

BOW_TIE_SHARE = 0.5
"""Share of a shorter path's lower noise that the bow tie takes back by thinning the beam (D)."""

SAMPLE_MM = 5.0
"""Distance of the samples that make the coarse map in plane, mm: the fat layer counts (D)."""

COARSE_MM = 10.0
"""Grid of the noise map, in plane and along z, mm (D: noise varies over centimetres)."""

ANGLES = 12
"""Directions over half a turn; 48 change the map of a 38 x 25 cm ellipse by at most 4 % (V)."""

LONGEST_PATH_CM = 60.0
"""Paths count at most this much water, cm: metal must not blow up the exponential (D)."""

STRONGEST_STREAK = 0.6
"""Limit of the streaks' contrast; at 0.6 the SD across is four times that along (D)."""


@dataclass(frozen=True)
class Exposure:
    """The noise of a body relative to the middle of 30 cm of water.

    Attributes:
        sd: factor on the SD, [slabs, cx, cy] on a coarse grid that spans the image.
        streak: per slab, contrast of the spectrum: (y - x) / (y + x) of the amplitudes that vary
            along y and along x; positive where the body is wide. [slabs]
        depth: position of every slab along z as a fraction of the image. [slabs]
        middle: body's centre in the plane as fractions of the image, (x, y).
    """

    sd: torch.Tensor
    streak: torch.Tensor
    depth: torch.Tensor
    middle: tuple[float, float]

    def slices(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Interpolate to `count` slices: SD factor [count, cx, cy] and streak contrast [count]."""
        at = (torch.arange(count, device=self.sd.device) + 0.5) / count
        mix = _linear_weights(at, self.depth).to(self.sd.dtype)
        return torch.einsum("ks,sxy->kxy", mix, self.sd), mix @ self.streak


def estimate_exposure(
    hu: torch.Tensor, pixel_mm: float, step_mm: float, water_cm: float, tube_modulation: float
) -> Exposure:
    """Estimate the noise map of a drawn body.

    Args:
        hu: ideal image, [X, Y, Z] in HU.
        pixel_mm: side of a pixel, mm.
        step_mm: distance of slices, mm.
        water_cm: the body's water-equivalent diameter, cm; the mean path through the body's middle
            is set to it, because a narrow field may not hold the whole body.
        tube_modulation: share of the size effect that the tube current makes good, 0-1.
    """
    water, cell_cm, depth = _coarse_water(hu, pixel_mm, step_mm)
    shape = water.shape[1:]
    padded, margin = _continue_cut_body(water, cell_cm, water_cm)
    body = (padded > 0.5).to(padded.dtype)
    centre = _centroid(body)
    rays = _rays(tuple(padded.shape[1:]), cell_cm, padded.device)
    paths = torch.einsum("asp,kp->kas", rays, padded.flatten(1)) * cell_cm  # [slabs, angles, bins]
    middle = _at_points(paths, centre, padded.shape[1:])  # [slabs, angles]
    filled = body.flatten(1).any(dim=1)
    mean_path = float(middle[filled].mean()) if bool(filled.any()) else 0.0
    scale = water_cm / mean_path if mean_path > 0 else 0.0
    paths = (paths * scale).clamp(max=LONGEST_PATH_CM)
    middle = (middle * scale).clamp(max=LONGEST_PATH_CM)
    left = 1.0 - tube_modulation
    fan = (1.0 - BOW_TIE_SHARE) * (paths - middle[..., None])
    exponent = WATER_MU_PER_CM * (left * (middle[..., None] - REFERENCE_BODY_CM) + fan)
    variance = torch.einsum("asp,kas->kp", rays, exponent.exp()) / ANGLES
    sd = variance.view_as(padded).sqrt()
    sd = sd[:, margin[0] : margin[0] + shape[0], margin[1] : margin[1] + shape[1]]
    lateral, sagittal = middle[:, 0], middle[:, ANGLES // 2]
    streak = torch.tanh(WATER_MU_PER_CM * left * (lateral - sagittal) / 4)
    share = [
        (float(centre[filled, axis].mean()) - margin[axis] + 0.5) / shape[axis]
        if bool(filled.any())
        else 0.5
        for axis in (0, 1)
    ]
    streak = streak.clamp(-STRONGEST_STREAK, STRONGEST_STREAK)
    return Exposure(sd.contiguous(), streak, depth, (share[0], share[1]))


def upsampling(size: int, cells: int, device: torch.device) -> torch.Tensor:
    """Linear interpolation from `cells` to `size` equal parts of the same length: [size, cells]."""
    at = (torch.arange(size, device=device) + 0.5) / size
    return _linear_weights(at, (torch.arange(cells, device=device) + 0.5) / cells)


def _linear_weights(at: torch.Tensor, knots: torch.Tensor) -> torch.Tensor:
    """Weights [len(at), len(knots)] of linear interpolation, constant beyond the ends."""
    if len(knots) == 1:
        return torch.ones(len(at), 1, device=at.device)
    upper = torch.searchsorted(knots, at).clamp(1, len(knots) - 1)
    low, high = knots[upper - 1], knots[upper]
    share = ((at - low) / (high - low)).clamp(0, 1)
    weights = torch.zeros(len(at), len(knots), device=at.device)
    weights.scatter_(1, (upper - 1)[:, None], (1 - share)[:, None])
    return weights.scatter_(1, upper[:, None], share[:, None])


def _coarse_water(
    hu: torch.Tensor, pixel_mm: float, step_mm: float
) -> tuple[torch.Tensor, float, torch.Tensor]:
    """Attenuation relative to water on the coarse grid, [slabs, cx, cy]; cell in cm; depths."""
    slices = hu.shape[2]
    slabs = max(1, round(slices * step_mm / COARSE_MM))
    depth = (torch.arange(slabs, device=hu.device) + 0.5) / slabs
    picked = (depth * slices).long().clamp(max=slices - 1)
    stride = min(max(1, round(SAMPLE_MM / pixel_mm)), *hu.shape[:2])
    samples = hu[stride // 2 :: stride, stride // 2 :: stride, :].index_select(2, picked)
    water = ((samples.permute(2, 0, 1) + 1000.0) / 1000.0).clamp(min=0.0)
    pool = max(1, round(COARSE_MM / (stride * pixel_mm)))
    pool = min(pool, *water.shape[1:])
    water = functional.avg_pool2d(water[:, None], pool, ceil_mode=True)[:, 0]
    return water, stride * pixel_mm * pool / 10.0, depth


def _continue_cut_body(
    water: torch.Tensor, cell_cm: float, water_cm: float
) -> tuple[torch.Tensor, tuple[int, int]]:
    """Continue a body that the field cuts to about its size, so that its middle stays noisy."""
    margin = [0, 0]
    for axis in (1, 2):
        cells = water.shape[axis]
        border = water.select(axis, 0).mean() + water.select(axis, cells - 1).mean()
        missing = water_cm / cell_cm - cells
        if float(border) > 0.2 and missing > 0:
            margin[axis - 1] = math.ceil(missing / 2)
    pads = (margin[1], margin[1], margin[0], margin[0])
    return functional.pad(water[:, None], pads, mode="replicate")[:, 0], (margin[0], margin[1])


def _centroid(body: torch.Tensor) -> torch.Tensor:
    """Centre of every slab's body in cells, [slabs, 2]; the field's middle where it is empty."""
    columns = []
    for axis, other in ((1, 2), (2, 1)):
        profile = body.sum(dim=other)
        cells = torch.arange(profile.shape[1], dtype=body.dtype, device=body.device)
        total = profile.sum(dim=1)
        middle = (profile @ cells) / total.clamp(min=1)
        columns.append(torch.where(total > 0, middle, (body.shape[axis] - 1) / 2))
    return torch.stack(columns, dim=1)


def _positions(points: torch.Tensor, shape: tuple[int, ...]) -> tuple[torch.Tensor, int]:
    """Detector position, in bins, of `points` [n, 2] in cells for every angle: [angles, n]."""
    angle = torch.arange(ANGLES, device=points.device) * (math.pi / ANGLES)
    x = points[:, 0] - (shape[0] - 1) / 2
    y = points[:, 1] - (shape[1] - 1) / 2
    half = math.ceil(math.hypot(*shape) / 2) + 1
    # Angle 0 looks along x, so its detector runs along y.
    position = y[None] * angle.cos()[:, None] - x[None] * angle.sin()[:, None] + half
    return position, 2 * half + 1


def _rays(shape: tuple[int, ...], cell_cm: float, device: torch.device) -> torch.Tensor:
    """Share of every cell in every ray, [angles, bins, cells], by linear interpolation."""
    x, y = torch.meshgrid(
        torch.arange(shape[0], device=device), torch.arange(shape[1], device=device), indexing="ij"
    )
    points = torch.stack([x.flatten(), y.flatten()], dim=1).to(torch.float32)
    position, bins = _positions(points, shape)
    low = position.floor()
    share = position - low
    rays = torch.zeros(ANGLES, bins, len(points), device=device)
    rays.scatter_(1, low.long()[:, None], (1 - share)[:, None])
    return rays.scatter_(1, low.long()[:, None] + 1, share[:, None])


def _at_points(paths: torch.Tensor, points: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Value of every slab's rays through its own point: [slabs, angles]."""
    position, _ = _positions(points, shape)
    low = position.floor()
    share = (position - low).T
    index = low.T.long()[..., None]
    lower = paths.gather(2, index)[..., 0]
    upper = paths.gather(2, index + 1)[..., 0]
    return lower * (1 - share) + upper * share
