"""S1's second stage learns from features alone: what the first stage's encoder gives for a slice.

A scan is shown to the encoder a few times, each time changed at random, and what comes out is kept.
An epoch of the aggregator then takes seconds.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data import Dataset
from monai.data.utils import pickle_hashing
from monai.transforms import Randomizable
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset as Scans

from ovf_bundle.networks import SliceSequenceNet

logger = logging.getLogger(__name__)


class FeatureDataset(Dataset):
    """Encoded slices of scans, [S, 512] a scan, each in several random versions.

    Args:
        scans: Gives {"image": [C, S, H, W], "label": [1]}, changed at random each time.
        network: Its encoder and mean image are used, in evaluation mode, and stay as they are.
        versions: How often a scan is encoded; 1 where nothing is random.
        cache_dir: Folder where the features are kept; safe to delete.
        seed: Seed of the random changes.
    """

    def __init__(
        self,
        scans: Scans,
        network: SliceSequenceNet,
        versions: int = 8,
        cache_dir: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        self.versions = versions
        # Also makes the transforms the same to whoever hashes them.
        if isinstance(scans.transform, Randomizable):  # type: ignore[attr-defined]
            scans.transform.set_random_state(seed=seed)  # type: ignore[attr-defined]
        path = None if cache_dir is None else Path(cache_dir) / f"{_name(scans, network)}.pt"
        found = _kept(path, len(scans) * versions)  # type: ignore[arg-type]
        if found is None:
            found = list(_encoded(scans, network, versions))
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.save(found, path)
        super().__init__(found)

    def __len__(self) -> int:
        """Count the scans."""
        return len(self.data) // self.versions

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:  # type: ignore[override]
        """Give one of the versions of a scan, by torch's own random numbers."""
        version = int(torch.randint(self.versions, ())) if self.versions > 1 else 0
        item: dict[str, torch.Tensor] = self.data[index * self.versions + version]
        return dict(item)


def collate(items: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Make a batch of sequences, the shorter ones padded with zeros at their end.

    Args:
        items: Of `FeatureDataset`.

    Returns:
        image [B, S, 512], label [B, 1], lengths [B].
    """
    return {
        "image": pad_sequence([item["image"] for item in items], batch_first=True),
        "label": torch.stack([item["label"] for item in items]),
        "lengths": torch.stack([item["lengths"] for item in items]),
    }


def _name(scans: Any, network: SliceSequenceNet) -> str:
    """Name features by everything they depend on."""
    digest = hashlib.sha256(pickle_hashing(scans.transform))
    digest.update(pickle_hashing(list(scans.data)))
    for key, tensor in sorted(network.state_dict().items()):
        if key.startswith(("encoder.", "mean_image")):
            digest.update(tensor.detach().cpu().numpy().tobytes())
    return f"features-{digest.hexdigest()[:16]}"


def _kept(path: Path | None, count: int) -> list[dict[str, torch.Tensor]] | None:
    """Read features made before; None where they are missing or damaged."""
    if path is None or not path.exists():
        return None
    try:
        found: list[dict[str, torch.Tensor]] = torch.load(path, weights_only=True)
    except Exception:  # a torso is made anew
        return None
    return found if len(found) == count else None


def _encoded(
    scans: Any, network: SliceSequenceNet, versions: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Encode every version of every scan, scan by scan."""
    before = network.training
    network.eval()
    device = network.mean_image.device
    for number in range(len(scans)):
        for _ in range(versions):
            item = scans[number]
            # A plain tensor: what a MetaTensor becomes on disk cannot be read back safely.
            slices = item["image"].as_subclass(torch.Tensor).transpose(0, 1).to(device)
            with torch.inference_mode():
                encoded = network.encode(slices).cpu()
            yield {
                "image": encoded.clone(),
                "label": torch.as_tensor(item["label"]).clone(),
                "lengths": torch.tensor(len(encoded)),
            }
        if (number + 1) % max(1, len(scans) // 10) == 0:
            logger.info("features of %d of %d scans", number + 1, len(scans))
    network.train(before)
