"""The training set's mean image, which the network takes off every slice (S1).

    python -m monai.bundle run mean_image --config_file configs/train.yaml

A plain mean over pictures of centred spines is a spine: taken off, it would tell the network where
a spine usually lies. Here every slice counts in all places it can be moved to, up to a share of
the picture's edge each way, equally often; the mean over all these moves is taken exactly, as the
mean of the slices blurred by the square of moves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.handlers import DiskSaver
from torch import nn

from ovf_bundle.common import SettingError

logger = logging.getLogger(__name__)

#: Slices are moved by at most this share of the picture's edge.
MOST_MOVE = 0.25
#: Name in the file, and of the network's buffer.
KEY = "mean_image"


def mean_image(scans: Iterable[Mapping[str, Any]], most_move: float = MOST_MOVE) -> torch.Tensor:
    """Average the slices of scans, each in every place up to a move.

    Args:
        scans: Items with "image" [C, S, rows, columns], 0 to 1, all channels alike. What is moved
            in from outside is 0, as beyond the scan.
        most_move: Largest move each way, share of the edge; 0 for the plain mean.

    Returns:
        float32 [rows, columns].

    Raises:
        SettingError: There is no scan, or the move is not from 0 to below 1.
    """
    if not 0 <= most_move < 1:
        raise SettingError(f"most_move is {most_move}; give a share of the edge, 0 to below 1")
    total, count = torch.zeros(()), 0
    for scan in scans:
        slices = torch.as_tensor(scan["image"])[0].as_subclass(torch.Tensor)
        total = total + slices.double().sum(dim=0)
        count += len(slices)
    if not count:
        raise SettingError("mean_image: the training list is empty; give it scans")
    pixels = int(most_move * total.shape[-1])
    mean = total[None, None] / count
    moved = nn.functional.avg_pool2d(mean, 2 * pixels + 1, stride=1, padding=pixels)
    return moved[0, 0].float()


def write(
    scans: Iterable[Mapping[str, Any]],
    path: str | Path,
    window: Callable[[dict[str, Any]], Mapping[str, Any]] = dict,
    most_move: float = MOST_MOVE,
) -> None:
    """Write the mean image of scans, {"mean_image": tensor}, whole or not at all.

    Args:
        scans: Items with "image" [1, S, rows, columns]; those that training prepares, so that they
            are prepared once.
        path: File to write.
        window: Dictionary transform from HU to 0...1.
        most_move: Largest move each way, share of the edge.
    """
    found = mean_image((window(dict(scan)) for scan in scans), most_move)
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    save = DiskSaver(str(file.parent), require_empty=False, atomic=True)
    save({KEY: found}, file.name)
    logger.info("mean image %s in %s, mean %.4f", tuple(found.shape), file, float(found.mean()))


def load(network: Any, path: str | Path | None) -> None:
    """Fill a network's buffer `mean_image` [rows, columns].

    Args:
        network: The network.
        path: File that `write` made; None leaves the buffer as it is.

    Raises:
        SettingError: The file cannot be read, or holds another image; one line.
    """
    if path is None:
        return
    mend = "make it with `run mean_image`"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)[KEY]
    except Exception as error:  # unpickling a damaged file raises nearly anything
        raise SettingError(f"mean_image_file: {path} cannot be read; {mend}") from error
    wanted = tuple(network.mean_image.shape)
    if tuple(found.shape) != wanted:
        raise SettingError(f"mean_image_file: {path} is no image of {wanted} pixels; {mend}")
    network.mean_image.copy_(found)
