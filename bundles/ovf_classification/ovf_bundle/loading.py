"""The weights of a network that judges, whole: nothing of it may be left as chance made it."""

from __future__ import annotations

from ignite.engine import Engine, Events
from torch import nn

from ovf_bundle.common import SettingError
from ovf_bundle.weights import fitting, read


class LoadWeights:
    """Ignite handler that loads the weights when a run starts.

    Max, mean and vote have no weights, so those of any other aggregator do for them.

    Args:
        network: `SliceSequenceNet`.
        path: Plain state dict, or a checkpoint of a training.

    Raises:
        SettingError: The file is damaged, those of another network, or lacks something; one line.
    """

    def __init__(self, network: nn.Module, path: str) -> None:
        self.network, self.path = network, path

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine | None = None) -> None:
        """Load."""
        state = read(self.path)
        lacking = next((name for name in self.network.state_dict() if name not in state), None)
        if lacking is not None:
            problem = f"no weights of this network ({lacking} is missing)"
            raise SettingError(f"{self.path}: {problem}; give those trained with its overlay")
        self.network.load_state_dict(fitting(self.network, state, self.path))
