"""One bad case does not stop the others: it becomes a failure, and the run goes on.

`CaseDataset` turns what goes wrong while a case is read into a small item with a `failure`, and
`CaseEvaluator` carries such items past the network; `save.FailureFiles` and `rows.PredictionRows`
write them down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data import Dataset
from monai.engines import SupervisedEvaluator

logger = logging.getLogger(__name__)

#: Key of the one-line reason in an item, a batch or an output that failed.
FAILURE = "failure"
#: Keys of text that a failed item keeps, so that handlers can name it and find its reference.
KEPT = ("case", "kind", "label")
#: What an item without a name is called.
UNNAMED = "case"


class CaseError(ValueError):
    """An input that cannot be used, in one line: the file, what is wrong with it, and the mend.

    Args:
        path: The file or folder.
        problem: What is wrong with it.
        mend: What the user can do.

    Attributes:
        reason: Problem and mend without the path, which may name a patient.
    """

    def __init__(self, path: Any, problem: str, mend: str) -> None:
        super().__init__(f"{path}: {problem}; {mend}")
        self.reason = f"{problem}; {mend}"


def describe(error: BaseException) -> str:
    """Put an error in one line that names no file.

    MONAI wraps what a transform raises; the `CaseError` at the root is what the user needs.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CaseError):
            return cause.reason
        last, cause = cause, cause.__cause__
    first = (str(last).splitlines() or [""])[0]
    return f"unexpected {type(last).__name__}: {first}; see the log"


def log_failure(case: str, error: Exception) -> None:
    """Log a failed case: one line for a known problem, the whole trace for any other."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, CaseError):
        cause = cause.__cause__
    if cause is not None:
        logger.error("%s failed: %s", case, cause)
    else:
        logger.error("%s failed unexpectedly", case, exc_info=error)


class CaseDataset(Dataset):
    """Cases to read, of which each may fail on its own.

    Args:
        data: One dictionary per case, with its name under "case".
        transform: What reads and prepares a case.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Callable) -> None:
        super().__init__(data=data, transform=transform)

    def _transform(self, index: int) -> Any:
        """Prepare case number `index`, or say in a small item why that failed."""
        try:
            return super()._transform(index)
        except Exception as error:  # whatever one case does, the others go on
            item = self.data[index]
            log_failure(str(item.get("case", UNNAMED)), error)
            kept = {key: str(item[key]) for key in KEPT if key in item}
            return {"case": UNNAMED} | kept | {FAILURE: describe(error)}


class CaseEvaluator(SupervisedEvaluator):
    """MONAI's evaluator, for batches of one case of which each may fail on its own.

    The output of a failed case is a list of one dictionary with "case", "failure" and whatever
    other text the case carried; network, postprocessing and metrics never see it.
    """

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> Any:
        """Run one case through network and postprocessing, or hand its failure on."""
        if FAILURE in batchdata:
            self._fail(engine, batchdata, batchdata[FAILURE][0])
            return engine.state.output
        try:
            return super()._iteration(engine, batchdata)
        except Exception as error:  # whatever one case does, the others go on
            log_failure(str(batchdata.get("case", [UNNAMED])[0]), error)
            self._fail(engine, batchdata, describe(error))
            return engine.state.output

    @staticmethod
    def _fail(engine: SupervisedEvaluator, batch: Mapping[str, Any], reason: str) -> None:
        """Make the failure the output of this iteration."""
        # The label is text only when reading failed before it was loaded.
        text = {key: batch[key][0] for key in KEPT if isinstance(batch.get(key), list)}
        output = {"case": UNNAMED} | text | {FAILURE: reason}
        if isinstance(batch.get("label"), torch.Tensor):
            output["label"] = batch["label"][0]
        engine.state.output = [output]


def image_only_batch(
    batchdata: Mapping[str, Any],
    device: str | torch.device | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Take only the image to the device: the reference stays where metrics are computed.

    Args:
        batchdata: Batch with "image".
        device: Where the network is.
        non_blocking: Whether the copy may overlap with the host.
        **kwargs: Passed on to `Tensor.to`.
    """
    return batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs), None
