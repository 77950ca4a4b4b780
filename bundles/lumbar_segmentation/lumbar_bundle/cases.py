"""One bad case does not stop the others; see `lumbar_bundle.common`."""

from lumbar_bundle.common import (
    FAILURE,
    UNNAMED,
    CaseDataset,
    CaseError,
    CaseEvaluator,
    image_only_batch,
)

__all__ = ["FAILURE", "UNNAMED", "CaseDataset", "CaseError", "CaseEvaluator", "image_only_batch"]
