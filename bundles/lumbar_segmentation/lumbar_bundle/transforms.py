"""All transforms of the bundle under one name: configs say `lumbar_bundle.transforms.<Name>`."""

from lumbar_bundle.augment import (
    RandBrightVesseld,
    RandFieldCutd,
    RandScanNoised,
    RandThickVoxelsd,
)
from lumbar_bundle.labels import ToClassesd
from lumbar_bundle.slab import SpineSlab, SpineSlabd
from lumbar_bundle.slices import RandSagittalSlicesd, SagittalSlicesd

__all__ = [
    "RandBrightVesseld",
    "RandFieldCutd",
    "RandSagittalSlicesd",
    "RandScanNoised",
    "RandThickVoxelsd",
    "SagittalSlicesd",
    "SpineSlab",
    "SpineSlabd",
    "ToClassesd",
]
