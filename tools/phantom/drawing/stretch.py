"""Linear interpolation of coarse samples to all voxels of a box, one axis after the other.

Three one-dimensional passes cost a fraction of one three-dimensional one, and give the same.
"""

from __future__ import annotations

import numpy as np
import torch

Counts = tuple[int, int, int]


def stretch(samples: torch.Tensor, shape: Counts, strides: Counts, lead: Counts) -> torch.Tensor:
    """Interpolate samples linearly to voxels.

    Args:
        samples: Values at every so many voxels, [x, y, z].
        shape: Voxels, (X, Y, Z).
        strides: Voxels from sample to sample.
        lead: Voxels that the first sample lies before the first voxel.

    Returns:
        Values at the voxels, [X, Y, Z].
    """
    # The last axis first and the first last: the large pass then runs over whole slabs.
    for axis in (2, 1):
        samples = _stretch_axis(samples, axis, shape[axis], strides[axis], lead[axis])
    return _stretch_slabs(samples, shape[0], strides[0], lead[0])


def _between(count: int, size: int, stride: int, lead: int) -> tuple[np.ndarray, np.ndarray]:
    """For every voxel along an axis: the sample before it, and the weight of the next."""
    place = lead + np.arange(size)
    low = np.minimum(place // stride, max(count - 2, 0))
    return low, (place / stride - low).astype(np.float32)


def _stretch_axis(
    samples: torch.Tensor, axis: int, size: int, stride: int, lead: int
) -> torch.Tensor:
    if stride == 1:
        return samples
    count = samples.shape[axis]
    place, part = _between(count, size, stride, lead)
    low = torch.from_numpy(place).to(samples.device)
    shape = [1, 1, 1]
    shape[axis] = size
    return torch.lerp(
        samples.index_select(axis, low),
        samples.index_select(axis, (low + 1).clamp(max=count - 1)),
        torch.from_numpy(part).to(samples.device).view(shape),
    )


def _stretch_slabs(samples: torch.Tensor, size: int, stride: int, lead: int) -> torch.Tensor:
    """Along the first axis, slab by slab, without copies of the neighbours."""
    if stride == 1:
        return samples
    stretched = samples.new_empty((size, *samples.shape[1:]))
    last = len(samples) - 1
    for target, low, part in zip(stretched, *_between(last + 1, size, stride, lead), strict=True):
        torch.lerp(samples[low], samples[min(low + 1, last)], float(part), out=target)
    return stretched
