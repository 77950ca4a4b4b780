"""The weights of a network that judges, whole: nothing of it may be left as chance made it."""

from __future__ import annotations

from collections.abc import Sequence

from ignite.engine import Engine, Events
from torch import nn

from ovf_bundle.common import SettingError, parse_command_line
from ovf_bundle.weights import fitting, read


class LoadWeights:
    """Ignite handler that loads the weights when a run starts.

    Max, mean and vote have no weights, so those of any other aggregator do for them.

    Args:
        network: `SliceSequenceNet`.
        path: Plain state dict, or a checkpoint of a training.
        argv: The command line, `sys.argv`; one of `monai.bundle run` ends in the line alone.

    Raises:
        SettingError: The file is damaged, those of another network, or lacks something; one line.
        SystemExit: The same, for a command line; status 1.
    """

    def __init__(self, network: nn.Module, path: str, argv: Sequence[str] | None = None) -> None:
        self.network, self.path = network, path
        self.commanded = bool(parse_command_line(argv or [])[1])

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine | None = None) -> None:
        """Load."""
        try:
            self.load()
        except SettingError as error:
            if self.commanded:
                raise SystemExit(f"error: {error}") from None
            raise

    def load(self) -> None:
        """Load, or say in one line what is wrong with the file."""
        state = read(self.path)
        lacking = next((name for name in self.network.state_dict() if name not in state), None)
        if lacking is not None:
            problem = f"no weights of this network ({lacking} is missing)"
            raise SettingError(f"{self.path}: {problem}; give those trained with its overlay")
        self.network.load_state_dict(fitting(self.network, state, self.path))
