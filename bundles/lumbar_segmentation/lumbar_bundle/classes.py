"""What each output channel of the network means, and how label ids become channels.

The network tells the levels apart, but only the outline of any body, whatever its level, is taken
from it as such; `naming` decides which body is which.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.config import NdarrayOrTensor

#: Channels of the network's output.
BACKGROUND, L1, L2, L3, L4, L5, SACRUM, T12, T11, UPPER = range(10)
#: Their names, in order; `upper` is any body above T11.
CHANNELS = ("background", "L1", "L2", "L3", "L4", "L5", "sacrum", "T12", "T11", "upper")
#: Channels of vertebral bodies: their probabilities add up to that of "a body".
BODY_CHANNELS = (L1, L2, L3, L4, L5, T12, T11, UPPER)
#: Body channels from bottom to top.
CHAIN_CHANNELS = (L5, L4, L3, L2, L1, T12, T11, UPPER)
#: Levels the bundle writes, with their ids.
LEVELS = {"L1": L1, "L2": L2, "L3": L3, "L4": L4}

#: Label id -> channel. Ids 1-8 are channels already; 9 and 11-16 are T10 and T9-T4. L6 (10) stands
#: where L5 usually stands, above the sacrum, and looks like it.
_CHANNEL_OF_ID = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 9, 9, 9, 9, 9, 9], dtype=np.uint8)


def to_classes(labels: NdarrayOrTensor) -> NdarrayOrTensor:
    """Map label ids to channels of the network.

    Args:
        labels: Label ids of vertebral bodies 0-16, any shape and number type.

    Returns:
        Channels, same shape, uint8; a tensor for a tensor (meta data kept).

    Raises:
        ValueError: If an id is unknown.
    """
    if isinstance(labels, torch.Tensor):
        _refuse_unknown(int(labels.min()), int(labels.max()))
        table = torch.from_numpy(_CHANNEL_OF_ID).to(labels.device)
        mapped = table[labels.as_subclass(torch.Tensor).long()]
        # A MetaTensor keeps its grid.
        return labels.clone().to(torch.uint8).copy_(mapped)
    array = np.asarray(labels)
    _refuse_unknown(int(array.min()), int(array.max()))
    return _CHANNEL_OF_ID[array.astype(np.int64)]


def _refuse_unknown(low: int, high: int) -> None:
    if low < 0 or high >= len(_CHANNEL_OF_ID):
        raise ValueError(
            f"label ids {low} to {high} found, known are 0 to {len(_CHANNEL_OF_ID) - 1}: "
            "1-5 = L1-L5, 6 = sacrum, 7-9 = T12-T10, 10 = L6, 11-16 = T9-T4"
        )
