"""What the processes of one distributed run share out among themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed
from monai.handlers import StatsHandler, TensorBoardHandler

#: Handlers that only report; one process reports for all.
REPORTING = (StatsHandler, TensorBoardHandler)


def handlers_of_rank(handlers: Sequence[Any]) -> list[Any]:
    """Leave the printing and plotting to the first process.

    All processes keep the others: a checkpoint saver or a metric that one of them lacks would leave
    the rest waiting for it.

    Args:
        handlers: Handlers of a trainer or an evaluator.

    Returns:
        Those that this process attaches; all of them outside a distributed run.
    """
    group = torch.distributed
    if not group.is_initialized() or group.get_rank() == 0:
        return list(handlers)
    return [handler for handler in handlers if not isinstance(handler, REPORTING)]
