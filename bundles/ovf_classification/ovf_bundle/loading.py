"""The weights of a network that judges, whole: nothing of it may be left as chance made it."""

from __future__ import annotations

import torch

from ovf_bundle import common
from ovf_bundle.common import SettingError
from ovf_bundle.weights import fitting


class LoadWeights(common.LoadWeights):
    """Ignite handler that loads the weights when a run starts; see `common.LoadWeights`.

    Max, mean and vote have no weights, so those of any other aggregator do for them.
    """

    def fitting(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the weights without those of an aggregator that is not in use.

        Raises:
            SettingError: Anything else differs, or something is missing.
        """
        lacking = next((name for name in self.network.state_dict() if name not in state), None)
        if lacking is not None:
            problem = f"no weights of this network ({lacking} is missing)"
            raise SettingError(f"{self.path}: {problem}; give those trained with its overlay")
        return fitting(self.network, state, self.path)
