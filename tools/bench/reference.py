"""A segmentation network of TotalSegmentator's `--fast` size with random weights, on the same CT.

The size is that of nnU-Net v2's `PlainConvUNet` for a patch of 128 x 112 x 112 voxels of 3 mm
[X, Y, Z], which the tool's 3 mm model takes to our knowledge (its `plans.json` was not read for
this). The rest follows from nnU-Net's published rule: an axis is halved while it has 8 voxels or
more, two convolutions of 3 x 3 x 3 per stage, 32 features doubled up to 320, so six stages; 118
classes; tiles that overlap by half, joined by Gaussian weights, without mirroring.

Wasserthal J. et al., Radiology: Artificial Intelligence 2023, doi 10.1148/ryai.230024; Isensee F.
et al., Nature Methods 2021, doi 10.1038/s41592-020-01008-z. Weights are random: time does not
depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import DynUNet
from scipy import ndimage

from tools.bench.clock import Watch
from tools.volumes import save_nifti

SPACING_MM = 3.0
PATCH = (128, 112, 112)
FEATURES = (32, 64, 128, 256, 320, 320)
STRIDES = ((1, 1, 1), *((2, 2, 2),) * 4, (2, 1, 1))
CLASSES = 118
OVERLAP = 0.5
WINDOW_SD = 0.125
"""Width of the Gaussian weights, share of the patch."""

HU_MEAN, HU_SD, HU_LOW, HU_HIGH = 0.0, 400.0, -1000.0, 1000.0
"""Stand for the data set's own, on which no time depends."""


@dataclass(frozen=True)
class Result:
    """One run of the reference.

    Attributes:
        whole: From the file to the label map on disk.
        network: The tiles alone.
        windows: Shapes that the network was given.
    """

    whole: Watch
    network: Watch
    windows: list[tuple[int, ...]]


def build(device: torch.device) -> DynUNet:
    """The network, seeded, in evaluation mode."""
    torch.manual_seed(0)
    network = DynUNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=CLASSES,
        kernel_size=[3] * len(STRIDES),
        strides=STRIDES,
        upsample_kernel_size=STRIDES[1:],
        filters=FEATURES,
        norm_name=("INSTANCE", {"affine": True}),
    )
    return network.to(device).eval()


def run(network: DynUNet, path: Path, out: Path, device: torch.device) -> Result:
    """Segment a CT as the tool does: to 3 mm, through the network, back to its own grid.

    Args:
        network: From `build`.
        path: NIfTI file.
        out: Folder for the label map.
        device: Where the network runs.
    """
    windows: list[tuple[int, ...]] = []

    def predict(tile: torch.Tensor) -> torch.Tensor:
        windows.append(tuple(tile.shape))
        return network(tile)

    inferer = SlidingWindowInferer(
        PATCH, sw_batch_size=1, overlap=OVERLAP, mode="gaussian", sigma_scale=WINDOW_SD
    )
    inside = Watch(device)
    with Watch(device) as whole, torch.inference_mode():
        file = nib.Nifti1Image.from_filename(path)
        image = np.asarray(file.dataobj, dtype=np.float32)
        spacing = np.linalg.norm(file.affine[:3, :3], axis=0)
        small = ndimage.zoom(image, spacing / SPACING_MM, order=3)
        scaled = (np.clip(small, HU_LOW, HU_HIGH) - HU_MEAN) / HU_SD
        with inside:
            logits = inferer(torch.from_numpy(scaled)[None, None].to(device), predict)
            assert isinstance(logits, torch.Tensor)  # one output, not several
            labels = logits.argmax(1)[0].to(torch.uint8).cpu().numpy()
        back = np.array(image.shape) / labels.shape
        save_nifti(out / "reference.nii.gz", ndimage.zoom(labels, back, order=0), file.affine)
    return Result(whole, inside, windows)
