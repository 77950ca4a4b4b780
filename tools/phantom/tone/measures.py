"""Numbers of a tissue region and of edges: grey level, noise, grain, sharpness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tools.phantom.real import Scan
from tools.phantom.tone.regions import patient

#: Noise is what a Gaussian of this SD, in voxels, takes away.
SMOOTHING_VOXELS = 2.0
#: Robust SD = this times the median absolute deviation (normal distribution).
MAD_TO_SD = 1.4826
#: Skin edge: 10 % and 90 % of the way from air (-1000 HU) to fat (-100 HU).
AIR_HU, FAT_HU = -1000.0, -100.0
#: Rays start and end this far from the crossing, mm.
REACH_MM = 12.0
#: This far outside the crossing a ray must be in air, or clothes or lung lie there, mm and HU.
OUTER_MM = (4.0, 6.0)
OUTER_HU = -900.0
#: A ray counts where the surface is nearly square to it: it steps by at most this share of a
#: voxel to the neighbouring rays.
LARGEST_STEP = 0.3
#: Samples needed for an edge.
FEWEST_SAMPLES = 500
#: Fewer voxels than this in a region give no number.
FEWEST_VOXELS = 200
#: Bin of the mean edge and of the profile across the body's border, mm.
BIN_MM = 0.25


#: Distances in mm, rising, and HU there.
Profile = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Tissue:
    """What a tissue region looks like.

    Attributes:
        values: HU of its voxels, [N].
        median: Their median, HU.
        sd: Their SD, HU: noise and structure.
        noise: Robust SD of what a local mean leaves, HU.
        grain_in_plane: Correlation of that residual between neighbours in x and y.
        grain_along_z: The same between neighbours in z.
    """

    values: np.ndarray
    median: float
    sd: float
    noise: float
    grain_in_plane: float
    grain_along_z: float


def describe(image: np.ndarray, region: np.ndarray) -> Tissue | None:
    """Measure a region.

    Args:
        image: HU [X, Y, Z].
        region: Boolean [X, Y, Z].

    Returns:
        Its numbers; None where it has fewer than 200 voxels.
    """
    if region.sum() < FEWEST_VOXELS:
        return None
    image = image.astype(np.float32)
    weight = ndimage.gaussian_filter(region.astype(np.float32), SMOOTHING_VOXELS)
    mean = ndimage.gaussian_filter(np.where(region, image, 0), SMOOTHING_VOXELS)
    residual = image - mean / np.maximum(weight, 1e-6)
    values = image[region]
    rest = residual[region]
    return Tissue(
        values=values,
        median=float(np.median(values)),
        sd=float(values.std()),
        noise=float(MAD_TO_SD * np.median(np.abs(rest - np.median(rest)))),
        grain_in_plane=(_grain(residual, region, 0) + _grain(residual, region, 1)) / 2,
        grain_along_z=_grain(residual, region, 2),
    )


def _grain(residual: np.ndarray, region: np.ndarray, axis: int) -> float:
    """Correlation of neighbours along an axis where both lie in the region."""
    ahead = [slice(None)] * 3
    behind = [slice(None)] * 3
    ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
    one, other = tuple(behind), tuple(ahead)
    both = region[one] & region[other]
    return float(np.corrcoef(residual[one][both], residual[other][both])[0, 1])


def skin_edge(scan: Scan) -> Profile | None:
    """Mean profile across the patient's surface, aligned to a fraction of a voxel.

    Rays run inwards along +x, -x and -y (the table is behind). Each is aligned at its own crossing
    of the middle between air and fat, and counts only where the surface is square to it.

    Args:
        scan: A CT in RAS order.

    Returns:
        Distances from the crossing (inwards positive), mm, and median HU; None without skin.
    """
    spacing = scan.grid.spacing_mm
    near = ndimage.binary_dilation(patient(scan.image, spacing), iterations=2)
    distances, values = [], []
    for axis, reverse in ((0, False), (0, True), (1, True)):
        rays, shown = np.moveaxis(scan.image, axis, -1), np.moveaxis(near, axis, -1)
        if reverse:
            rays, shown = rays[..., ::-1], shown[..., ::-1]
        distance, value = _align(rays, shown, spacing[axis])
        distances.append(distance)
        values.append(value)
    distance, value = np.concatenate(distances), np.concatenate(values)
    if len(distance) < FEWEST_SAMPLES:
        return None
    return _binned(distance, value)


def _align(rays: np.ndarray, near: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Sample rays about their first crossing of the middle between air and fat.

    Args:
        rays: HU [A, B, N], from the outside inwards.
        near: Boolean [A, B, N]: where the crossing is looked for.
        spacing: Step along the rays, mm.

    Returns:
        Distances from the crossing in mm and HU, both flat.
    """
    middle = (AIR_HU + FAT_HU) / 2
    first = ((rays > middle) & near).argmax(axis=-1)
    reach = int(REACH_MM / spacing)
    usable = (first >= reach) & (first < rays.shape[-1] - reach)
    before = np.take_along_axis(rays, np.maximum(first - 1, 0)[..., None], -1)[..., 0]
    after = np.take_along_axis(rays, first[..., None], -1)[..., 0]
    crossing = first - (after - middle) / np.maximum(after - before, 1.0)
    usable &= before <= middle
    for axis in (0, 1):
        step = np.abs(np.diff(crossing, axis=axis, append=np.nan)) < LARGEST_STEP
        back = np.abs(np.diff(crossing, axis=axis, prepend=np.nan)) < LARGEST_STEP
        usable &= step & back
    index = first[usable][:, None] + np.arange(-reach, reach + 1)
    sampled = np.take_along_axis(rays[usable], index, axis=-1)
    distance = (index - crossing[usable][:, None]) * spacing
    outer = (distance > -OUTER_MM[1]) & (distance < -OUTER_MM[0])
    in_air = ~(outer & (sampled > OUTER_HU)).any(axis=1)
    distance, sampled = distance[in_air], sampled[in_air]
    shown = distance > -OUTER_MM[1]
    return distance[shown], sampled[shown]


def _binned(distance: np.ndarray, value: np.ndarray) -> Profile:
    """Medians in bins of 0.25 mm; empty bins are left out."""
    bins = np.round(distance / BIN_MM).astype(int)
    present = np.unique(bins)
    return present * BIN_MM, np.asarray(ndimage.median(value, bins, present))


def rise_mm(distance: np.ndarray, value: np.ndarray) -> float | None:
    """10-90 % distance of the skin edge, between air and fat.

    Args:
        distance: Rising distances, mm, 0 at the middle of the edge.
        value: HU there.

    Returns:
        The distance, mm; None where the profile does not pass both levels.
    """
    low, high = (AIR_HU + share * (FAT_HU - AIR_HU) for share in (0.1, 0.9))
    outer, inner = distance <= 0, distance >= 0
    below = np.flatnonzero(outer & (value <= low))
    over = np.flatnonzero(inner & (value >= high))
    if len(below) == 0 or len(over) == 0 or below[-1] + 1 >= len(value) or over[0] == 0:
        return None
    start = _between_bins(distance, value, below[-1], low)
    return _between_bins(distance, value, over[0] - 1, high) - start


def _between_bins(distance: np.ndarray, value: np.ndarray, index: int, level: float) -> float:
    """Where the line between two bins passes a level, mm."""
    share = (level - value[index]) / (value[index + 1] - value[index])
    return float(distance[index] + share * (distance[index + 1] - distance[index]))


def border_profile(scan: Scan) -> Profile | None:
    """Mean HU against the distance from the bodies' surface, in front of the bodies' middle.

    Args:
        scan: A CT in RAS order.

    Returns:
        Distances (outwards positive), mm, and mean HU; None without a body mask.
    """
    if scan.bodies is None:
        return None
    spacing = scan.grid.spacing_mm
    bodies = scan.bodies > 0
    outside = ndimage.distance_transform_edt(~bodies, sampling=spacing)
    inside = ndimage.distance_transform_edt(bodies, sampling=spacing)
    # Half a voxel: the surface lies between the last voxel inside and the first one outside.
    signed = np.where(bodies, spacing[0] / 2 - inside, outside - spacing[0] / 2)
    front = np.zeros_like(bodies)
    for level in np.unique(scan.bodies[bodies]):
        places = np.argwhere(scan.bodies == level)
        x, y, _ = places.mean(axis=0)
        low, high = np.percentile(places[:, 2], [25, 75])
        half = 12.0 / spacing[0]
        front[round(x - half) : round(x + half), round(y) :, round(low) : round(high)] = True
    used = front & (signed > -REACH_MM) & (signed < REACH_MM / 2)
    bins = np.round(signed[used] / (spacing[0] / 2)).astype(int)
    present = np.unique(bins)
    return present * spacing[0] / 2, ndimage.mean(scan.image[used], bins, present)
