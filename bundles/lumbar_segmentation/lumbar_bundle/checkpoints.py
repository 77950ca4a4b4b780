"""Stopped training goes on as if it had not stopped; see `lumbar_bundle.common`."""

from lumbar_bundle.common import EpochSeed, ResumableCheckpoints, newest_checkpoint

__all__ = ["EpochSeed", "ResumableCheckpoints", "newest_checkpoint"]
