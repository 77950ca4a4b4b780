"""Stopped training goes on as if it had not stopped; see `bmd_bundle.common`."""

from bmd_bundle.common import EpochSeed, ResumableCheckpoints, newest_checkpoint

__all__ = ["EpochSeed", "ResumableCheckpoints", "newest_checkpoint"]
