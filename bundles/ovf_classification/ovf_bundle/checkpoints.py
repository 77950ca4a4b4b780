"""Stopped training goes on as if it had not stopped; see `ovf_bundle.common`."""

from ovf_bundle.common import EpochSeed, ResumableCheckpoints, newest_checkpoint

__all__ = ["EpochSeed", "ResumableCheckpoints", "newest_checkpoint"]
