"""Weights from one stage of training to the next, and from one aggregator to another."""

from __future__ import annotations

import torch
from torch import nn

from ovf_bundle.common import SettingError, read_weights

#: What belongs to the aggregator in a network's state.
AGGREGATOR = "head.aggregator."


def start(network: nn.Module, path: str | None) -> None:
    """Load weights into a network, all but those of its aggregator if it has another one.

    Max, mean and vote have no weights, so that each can follow on any other; a stage that brings an
    LSTM starts it anew.

    Args:
        network: `SliceSequenceNet`.
        path: Plain state dict, or a checkpoint of a training; None: leave the network as it is.

    Raises:
        SettingError: The file is damaged, or its weights are those of another network; one line.
    """
    if path is None:
        return
    network.load_state_dict(fitting(network, read_weights(path), path))


def fitting(
    network: nn.Module, state: dict[str, torch.Tensor], path: str
) -> dict[str, torch.Tensor]:
    """Complete a state dict with the network's own aggregator where its own is another.

    Raises:
        SettingError: Anything else differs.
    """
    own = network.state_dict()
    shapes = {key: tensor.shape for key, tensor in own.items()}
    given = {key: tensor.shape for key, tensor in state.items()}
    if shapes == given:
        return state
    rest = {key: shape for key, shape in given.items() if not key.startswith(AGGREGATOR)}
    wanted = {key: shape for key, shape in shapes.items() if not key.startswith(AGGREGATOR)}
    if rest != wanted:
        odd = sorted({*rest.items()} ^ {*wanted.items()})[0][0]
        raise SettingError(f"{path}: weights of another network ({odd}); give those of this one")
    return {key: state[key] if key in wanted else own[key] for key in own}
