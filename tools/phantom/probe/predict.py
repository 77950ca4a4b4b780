"""A trained network applied to slices and to whole scans."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from scipy import ndimage

from tools.phantom.probe.augment import window
from tools.phantom.probe.slices import BODY, OUTSIDE_HU, PIXEL_MM
from tools.phantom.resample import covering_grid, resample
from tools.volumes import Grid

#: The network halves its input four times.
MULTIPLE = 16
#: A margin of outside about each slice, as training crops have it, pixels.
MARGIN = 16
BATCH = 16
#: Width of the slab about the spine that the recipe draws and training slices come from, mm.
#: What lies further to the side is no body by rule; hips and ribs were never shown.
SLAB_MM = 70.0
#: Components of the predicted bodies smaller than this are dropped, cm^3; a lumbar body has
#: 25-50 cm^3.
SMALLEST_CM3 = 3.0


@torch.no_grad()
def predict_slices(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Class probabilities of sagittal slices.

    Args:
        network: The trained network.
        images: HU [N, Y, Z] at 2 mm, any size.

    Returns:
        [N, classes, Y, Z] float32.
    """
    size = images.shape[1:]
    pads = [-(length + 2 * MARGIN) % MULTIPLE for length in size]
    around = (MARGIN, MARGIN + pads[1], MARGIN, MARGIN + pads[0])
    found = []
    for batch in images.split(BATCH):
        padded = F.pad(batch.float()[:, None], around, value=OUTSIDE_HU)
        logits = network(window(padded).to(memory_format=torch.channels_last))
        inner = logits[..., MARGIN : MARGIN + size[0], MARGIN : MARGIN + size[1]]
        found.append(inner.softmax(1))
    return torch.cat(found)


def predict_volume(network: torch.nn.Module, image: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Vertebral bodies of a scan: every sagittal slice at 2 mm, averaged back onto its voxels.

    Args:
        network: The trained network.
        image: HU [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix.

    Returns:
        Boolean [X, Y, Z]: bodies, after the slab rule and without small components.
    """
    grid = Grid((image.shape[0], image.shape[1], image.shape[2]), affine)
    sagittal = covering_grid(grid, PIXEL_MM)
    volume = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None]
    slices = resample(volume, affine, sagittal, OUTSIDE_HU)[0]
    probability = predict_slices(network, slices).transpose(0, 1).contiguous()
    # Half voxels: the mean over each voxel of the scan, where its voxels are no smaller than 2 mm.
    fine = Grid((2 * grid.shape[0], 2 * grid.shape[1], 2 * grid.shape[2]), _halved(affine))
    back = F.avg_pool3d(resample(probability, sagittal.affine, fine, 0.0)[None], 2)[0]
    return keep_spine(back.argmax(0).numpy() == BODY, grid)


def _halved(affine: np.ndarray) -> np.ndarray:
    """Affine of the grid with two voxels for one along each axis."""
    step = np.diag([0.5, 0.5, 0.5, 1.0])
    step[:3, 3] = -0.25
    return affine @ step


def keep_spine(found: np.ndarray, grid: Grid) -> np.ndarray:
    """Keep what lies in the 70 mm slab that holds most of it, in components of 3 cm^3 or more.

    Args:
        found: Boolean [X, Y, Z] in RAS order.
        grid: Its grid.

    Returns:
        Boolean [X, Y, Z].
    """
    width = min(found.shape[0], round(SLAB_MM / grid.spacing_mm[0]))
    per_slice = found.sum(axis=(1, 2))
    in_slab = np.convolve(per_slice, np.ones(width), mode="valid")
    # The middle of all best places: a spine narrower than the slab leaves it free to slide.
    start = round(float(np.flatnonzero(in_slab == in_slab.max()).mean()))
    kept = np.zeros_like(found)
    kept[start : start + width] = found[start : start + width]
    components, count = ndimage.label(kept)
    if count == 0:
        return kept
    voxel_cm3 = np.prod(grid.spacing_mm) / 1000
    large = np.bincount(components.ravel()) * voxel_cm3 >= SMALLEST_CM3
    large[0] = False
    return large[components]
