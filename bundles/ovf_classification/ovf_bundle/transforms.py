"""All transforms of the bundle under one name: configs say `ovf_bundle.transforms.<Name>`."""

from ovf_bundle.common import CheckCTd, LoadImageCTd
from ovf_bundle.describing import DescribeFractured
from ovf_bundle.jpeg2000 import Jpeg2000, Jpeg2000d
from ovf_bundle.shrink import ShrinkSlices, ShrinkSlicesd
from ovf_bundle.slices import SagittalSlices, SagittalSlicesd

__all__ = [
    "CheckCTd",
    "DescribeFractured",
    "Jpeg2000",
    "Jpeg2000d",
    "LoadImageCTd",
    "SagittalSlices",
    "SagittalSlicesd",
    "ShrinkSlices",
    "ShrinkSlicesd",
]
