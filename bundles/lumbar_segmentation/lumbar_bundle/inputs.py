"""From what the user gives as `image` to a list of named cases; see `lumbar_bundle.common`."""

from lumbar_bundle.common import LEVELS_ENDING, SEGMENTATION_ENDING, datalist_cases, find_cases

__all__ = ["LEVELS_ENDING", "SEGMENTATION_ENDING", "datalist_cases", "find_cases"]
