"""Batch norms frozen after a stage, as S1 does, or towards a training's end; see `common`."""

from ovf_bundle.common import SettledNorms, settle

__all__ = ["SettledNorms", "settle"]
