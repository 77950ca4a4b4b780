"""All transforms of the bundle under one name: configs say `lumbar_bundle.transforms.<Name>`."""

from lumbar_bundle.augment import (
    RandBrightVesseld,
    RandFieldCutd,
    RandScanNoised,
    RandThickVoxelsd,
)
from lumbar_bundle.common import Spacingd
from lumbar_bundle.foramen import ForamenCurve, ForamenCurved
from lumbar_bundle.labels import ToClassesd
from lumbar_bundle.loading import CheckCT, CheckCTd, LoadImageCT, LoadImageCTd
from lumbar_bundle.midsagittal import MidSagittalSlices, MidSagittalSlicesd
from lumbar_bundle.naming import NameLevelsd
from lumbar_bundle.restore import RestoreLevels, RestoreLevelsd
from lumbar_bundle.save import SaveImageLevelsd
from lumbar_bundle.slab import SpineSlab, SpineSlabd
from lumbar_bundle.slices import RandSagittalSlicesd, SagittalSlicesd

__all__ = [
    "CheckCT",
    "CheckCTd",
    "ForamenCurve",
    "ForamenCurved",
    "LoadImageCT",
    "LoadImageCTd",
    "MidSagittalSlices",
    "MidSagittalSlicesd",
    "NameLevelsd",
    "RandBrightVesseld",
    "RandFieldCutd",
    "RandSagittalSlicesd",
    "RandScanNoised",
    "RandThickVoxelsd",
    "RestoreLevels",
    "RestoreLevelsd",
    "SagittalSlicesd",
    "SaveImageLevelsd",
    "Spacingd",
    "SpineSlab",
    "SpineSlabd",
    "ToClassesd",
]
