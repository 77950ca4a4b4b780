"""A small 3-D network that looks for fractures in volumes, scored on volumes it has not seen."""

from __future__ import annotations

import numpy as np
import torch
from monai.networks.nets import DenseNet
from monai.utils import set_determinism
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

EPOCHS = 16
BATCH = 8
LEARNING_RATE = 2e-3
#: Random shift of a training volume along each axis, voxels.
SHIFT = 2


def scores(volumes: np.ndarray, labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Score every volume by a network trained on the others.

    Args:
        volumes: Values 0 to 1, [N, X, Y, Z].
        labels: 1 for a fracture [N].
        folds: Networks that are trained.
        seed: Of folds, weights and order.

    Returns:
        Logits [N].
    """
    set_determinism(seed)
    found = np.zeros(len(labels))
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    with tqdm(total=folds * EPOCHS, desc="networks", unit="epoch") as bar:
        for train, test in parts:
            network = _train(volumes[train], labels[train], seed, bar)
            found[test] = _apply(network, volumes[test])
    return found


def _train(volumes: np.ndarray, labels: np.ndarray, seed: int, bar: tqdm) -> torch.nn.Module:
    rng = np.random.default_rng(seed)
    network = DenseNet(3, 1, 1, init_features=16, growth_rate=8, block_config=(2, 2, 2, 2))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    steps = EPOCHS * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    network.train()
    for _ in range(EPOCHS):
        order = rng.permutation(len(labels))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            images = np.stack([_augmented(volumes[i], rng) for i in chosen])
            wanted = torch.from_numpy(labels[chosen].astype(np.float32))
            logits = network(torch.from_numpy(images).float()[:, None])[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        bar.update()
    return network.eval()


def _augmented(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror left to right at random, and shift."""
    if rng.random() < 0.5:
        image = image[::-1]
    return np.roll(image, rng.integers(-SHIFT, SHIFT + 1, 3), axis=(0, 1, 2))


def _apply(network: torch.nn.Module, volumes: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(volumes[i : i + BATCH]).float()[:, None])[:, 0]
            for i in range(0, len(volumes), BATCH)
        ]
    return torch.cat(parts).numpy()
