"""Where the fracture is, as training may learn it from label maps: broken and sound bodies.

One label for a CT tells a network little: of a few hundred scans it learns nothing of use. Where a
record also names its label map and the levels that are broken, the first stage learns from every
body of every slice (`configs/evidence.yaml`); the network that comes out is S1's.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from nibabel.affines import voxel_sizes
from scipy import ndimage
from torch import nn

from ovf_bundle.networks import SliceSequenceNet

#: Channels of the encoder's third stage, a cell of which sees 16 x 16 pixels: about one vertebra.
CELL_CHANNELS, CELL_PIXELS = 256, 16
#: Codes of a map of bodies.
NOTHING, SOUND, BROKEN = 0, 1, 2
#: Share of a cell that a body fills where the cell counts as one of it.
FILLED = 0.3
#: A slice shows a fracture where it cuts this much of a broken body, mm2: about a third of a body.
SHOWN_MM2 = 200.0
#: Of which so many pixels must be left in view after random changes.
SHOWN_PIXELS = 40
#: What stands for a slice that is neither one nor the other: the edge of a broken body.
UNDECIDED = float("nan")


class BodiesOnSlicesd(MapTransform):
    """Lay a scan's label map over its slices: sound and broken bodies, and what each slice shows.

    Args:
        keys: Key of the label map's path, which becomes codes, uint8 [1, S, P, P].
        broken_key: Key of the label ids of broken bodies.
        image_key: Key of the slices [1, S, P, P].
        places_key: Key of the matrices of their parts, (slice, row, column) of slices of
            `source_pixels` to RAS+ mm, [parts, 4, 4].
        shown_key: Where the area of broken bodies on each slice goes, mm2, [1, S, 1, 1].
        source_pixels: Edge of the slices that the matrices are those of.
        no_bodies: Label ids that are none: the sacrum's.
    """

    def __init__(
        self,
        keys: KeysCollection = "bodies",
        broken_key: str = "broken_ids",
        image_key: str = "image",
        places_key: str = "places",
        shown_key: str = "shown",
        source_pixels: int = 512,
        no_bodies: Sequence[int] = (6,),
    ) -> None:
        super().__init__(keys)
        self.broken_key, self.image_key, self.places_key = broken_key, image_key, places_key
        self.shown_key, self.source_pixels = shown_key, source_pixels
        self.no_bodies = {0, *no_bodies}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Make the map of codes."""
        changed = dict(data)
        key = self.keys[0]
        file: Any = nib.load(changed[key])
        labels, affine = np.asarray(file.dataobj), np.asarray(file.affine)
        places = np.asarray(changed[self.places_key])
        slices, pixels = changed[self.image_key].shape[1], changed[self.image_key].shape[-1]
        shape = (slices // len(places), pixels, pixels)
        step = self.source_pixels / pixels
        coarse = np.diag([1.0, step, step, 1.0])
        coarse[1:3, 3] = (step - 1) / 2
        found = []
        for place in places:
            to_voxel = np.linalg.inv(affine) @ place @ coarse
            turn, start = to_voxel[:3, :3], to_voxel[:3, 3]
            found.append(ndimage.affine_transform(labels, turn, start, output_shape=shape, order=0))
        ids = np.concatenate(found)
        bodies = set(np.unique(ids).tolist()) - self.no_bodies
        codes = codes_of(ids, bodies, set(changed[self.broken_key]))
        pixel_mm2 = float(np.prod(voxel_sizes(places[0] @ coarse)[1:]))
        shown = (codes == BROKEN).sum(axis=(1, 2)) * pixel_mm2
        changed[key] = torch.from_numpy(codes)[None]
        changed[self.shown_key] = torch.from_numpy(shown.astype(np.float32))[None, :, None, None]
        return changed


class SliceTruthd(MapTransform):
    """Say of a slice whether it shows a broken body, and of every cell, and join both.

    Args:
        keys: Key of the map of bodies, codes [1, 1, P, P] of one slice; taken out.
        label_key: Key of the scan's label; replaced by [1 + 2 h w]: whether the slice shows a
            fracture (nan: undecided), then for each cell whether it is body, and whether broken.
        shown_key: Key of the area of broken bodies on the slice, mm2; taken out.
    """

    def __init__(
        self, keys: KeysCollection = "bodies", label_key: str = "label", shown_key: str = "shown"
    ) -> None:
        super().__init__(keys)
        self.label_key, self.shown_key = label_key, shown_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Make the slice's truth."""
        changed = dict(data)
        codes = torch.as_tensor(changed.pop(self.keys[0]))[0]
        shown = float(changed.pop(self.shown_key))
        in_view = int((codes == BROKEN).sum())
        whole = shown >= SHOWN_MM2 and in_view >= SHOWN_PIXELS
        label = 0.0 if 0 in (shown, in_view) else 1.0 if whole else UNDECIDED
        layers = torch.cat([codes != NOTHING, codes == BROKEN]).float()
        cells = nn.functional.avg_pool2d(layers, CELL_PIXELS) > FILLED
        changed[self.label_key] = torch.cat([torch.tensor([label]), cells.float().flatten()])
        return changed


class SliceProbabilityd(MapTransform):
    """Take what is said of the slice out of what is said of the slice and its cells.

    Args:
        keys: Prediction (logits) first, then label; both [1 + 2 h w] -> [1].
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Take the first number; an undecided slice counts as one that shows the fracture."""
        changed = dict(data)
        pred, label = self.keys
        changed[pred] = torch.sigmoid(changed[pred][:1])
        changed[label] = torch.nan_to_num(changed[label][:1], nan=1.0)
        return changed


class EvidenceNet(nn.Module):
    """A network that also says of every cell of a slice whether it is body, and whether broken.

    Args:
        network: The network that learns; its state is what a checkpoint keeps.
        cell_channels: Channels of its encoder's third stage.

    Shapes: [B, C, 1, P, P] -> [B, 1 + 2 h w], with h = w = P / 16; lengths are ignored.
    """

    def __init__(self, network: SliceSequenceNet, cell_channels: int = CELL_CHANNELS) -> None:
        super().__init__()
        self.network = network
        self.cells = nn.Conv2d(cell_channels, 2, kernel_size=1)

    def forward(self, image: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Read slices."""
        encoder: Any = self.network.encoder
        slices = image[:, :, 0] - self.network.mean_image
        early = encoder.maxpool(encoder.act(encoder.bn1(encoder.conv1(slices))))
        middle = encoder.layer3(encoder.layer2(encoder.layer1(early)))
        encoded = encoder.avgpool(encoder.layer4(middle)).flatten(1)
        logits = self.network.head(encoded.unsqueeze(1))
        return torch.cat([logits, self.cells(middle).flatten(1)], dim=1)


class EvidenceLoss(nn.Module):
    """Binary cross-entropy of slices and of their cells.

    Args:
        cells: Weight of the cells' loss.
        broken: How much more a cell's being broken counts than its being body, since few are.
        positive: How much more a broken cell counts than a sound one, for the same reason.

    Shapes: logits and truth [B, 1 + 2 h w] -> [].
    """

    positive: torch.Tensor

    def __init__(self, cells: float = 1.0, broken: float = 4.0, positive: float = 3.0) -> None:
        super().__init__()
        self.cells, self.broken = cells, broken
        self.register_buffer("positive", torch.tensor(positive))

    def forward(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Compare."""
        entropy = nn.functional.binary_cross_entropy_with_logits
        decided = ~truth[:, 0].isnan()
        said, true = logits[decided, 0], truth[decided, 0]
        slices = entropy(said, true) if len(true) else logits[:, 0].sum() * 0.0
        body, broken = logits[:, 1:].chunk(2, dim=1)
        body_true, broken_true = truth[:, 1:].chunk(2, dim=1)
        of_cells = entropy(body, body_true) + self.broken * entropy(
            broken, broken_true, pos_weight=self.positive
        )
        return slices + self.cells * of_cells


def codes_of(labels: np.ndarray, bodies: set[int], broken: set[int]) -> np.ndarray:
    """Turn label ids into codes: nothing, sound body, broken body; uint8, same shape."""
    found = np.isin(labels, sorted(bodies)).astype(np.uint8)
    return found + np.isin(labels, sorted(broken & bodies)).astype(np.uint8)
