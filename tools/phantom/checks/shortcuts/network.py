"""A small network that says at every height whether a body is broken, scored on unseen spines.

It is told which heights are broken, not only whether a patient is: from a few hundred patients the
latter teaches a network nothing, and what sees nothing finds no shortcut either.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.networks.blocks import Convolution
from monai.utils import set_determinism
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.nn import functional
from tqdm import tqdm

EPOCHS = 30
BATCH = 16
LEARNING_RATE = 3e-3
#: Random scale of a training picture, its random shift along y and z as shares of the size, and
#: the random offset of its slabs, SD.
SCALE, SHIFT, OFFSET = 0.1, (0.06, 0.1), 0.02
#: Channels of each stage and how it steps along y and z.
STAGES = ((16, (1, 1)), (32, (2, 2)), (48, (2, 2)), (64, (2, 1)))
#: Rows of a picture for each answer.
STEP = 4
DROPOUT = 0.2


class Heights(nn.Module):
    """Convolutions over sagittal slabs, pooled from back to front: logits by height.

    Slabs [B, C, Y, Z] become logits [B, Z / 4], rounded up.

    Args:
        slabs: Their number.
    """

    def __init__(self, slabs: int) -> None:
        super().__init__()
        stages, channels = [], slabs
        for wider, step in STAGES:
            stages += [
                Convolution(2, channels, wider, strides=step, norm="batch", act="relu"),
                Convolution(2, wider, wider, norm="batch", act="relu"),
            ]
            channels = wider
        self.features = nn.Sequential(*stages, nn.Dropout2d(DROPOUT))
        self.head = nn.Conv1d(2 * channels, 1, 3, padding=1)

    def forward(self, slabs: torch.Tensor) -> torch.Tensor:
        """Return logits by height."""
        found = self.features(slabs)
        answer: torch.Tensor = self.head(torch.cat([found.amax(2), found.mean(2)], 1))[:, 0]
        return answer


def scores(
    pictures: np.ndarray, rows: np.ndarray, labels: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Score every spine by networks that were trained on the others.

    Args:
        pictures: Slabs, 0 to 1, [N, C, Y, Z].
        rows: Whether a broken body lies at each height, bool [N, Z].
        labels: 1 for a fracture [N]; folds have as many of each.
        folds: Networks.
        seed: Of folds, weights and order.

    Returns:
        The highest logit of each spine [N].
    """
    set_determinism(seed)
    found = np.zeros(len(rows))
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    with tqdm(total=folds * EPOCHS, desc="networks", unit="epoch") as bar:
        for train, test in parts:
            network = _train(pictures[train], rows[train], seed, bar)
            found[test] = _apply(network, pictures[test])
    return found


def _train(pictures: np.ndarray, rows: np.ndarray, seed: int, bar: tqdm) -> nn.Module:
    rng = np.random.default_rng(seed)
    network = Heights(pictures.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    steps = EPOCHS * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    network.train()
    for _ in range(EPOCHS):
        order = rng.permutation(len(rows))
        for start in range(0, len(order), BATCH):
            changed = [_changed(pictures[i], rows[i], rng) for i in order[start : start + BATCH]]
            images, wanted = (torch.stack(each) for each in zip(*changed, strict=True))
            logits = network(images)
            target = functional.max_pool1d(wanted, STEP, ceil_mode=True)
            loss = functional.binary_cross_entropy_with_logits(logits, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        bar.update()
    return network.eval()


def _changed(
    picture: np.ndarray, rows: np.ndarray, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirror left to right at random, scale, shift and offset; the rows follow."""
    if rng.random() < 0.5:
        picture = picture[::-1]
    scale = 1 / rng.uniform(1 - SCALE, 1 + SCALE)
    back, up = (rng.uniform(-share, share) for share in SHIFT)
    image = torch.from_numpy(picture.astype(np.float32))[None]
    turn = torch.tensor([[[scale, 0, up], [0, scale, back]]], dtype=torch.float32)
    grid = functional.affine_grid(turn, list(image.shape), align_corners=False)
    moved = functional.grid_sample(image, grid, padding_mode="border", align_corners=False)[0]
    offset = torch.from_numpy(rng.normal(0, OFFSET, (len(picture), 1, 1)).astype(np.float32))
    place = torch.round((grid[0, 0, :, 0] + 1) * len(rows) / 2 - 0.5).long()
    inside = (place >= 0) & (place < len(rows))
    wanted = torch.from_numpy(rows)[place.clamp(0, len(rows) - 1)] & inside
    return moved + offset, wanted.float()


def _apply(network: nn.Module, pictures: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(pictures[i : i + BATCH]).float()).amax(1)
            for i in range(0, len(pictures), BATCH)
        ]
    return torch.cat(parts).numpy()
